import json
import multiprocessing
import shutil
import signal
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from convstudy.config import settings
from convstudy.core import environment
from convstudy.core.errors import UserError
from convstudy.core.files import read_json, write_sealed
from convstudy.results.run import Results
from convstudy.training import store
from convstudy.training.curve import Curve
from convstudy.training.record import summarise, unpack
from convstudy.training.settings import BFLOAT16_UNITS
from helpers import training as training_example
from helpers.paths import with_helpers

FIELDS = "epoch loss train_accuracy validation_loss validation_accuracy test_loss test_accuracy"
NOT_TIMES = [*FIELDS.split(), "test_right", "learning_rate"]


def results(records):
    return [{field: record[field] for field in NOT_TIMES} for record in records]


def run_example(store, epochs, *signal_at):
    command = [sys.executable, "-m", "helpers.training", store, epochs, *signal_at]
    return subprocess.run(
        [*map(str, command)], env=with_helpers(), capture_output=True, text=True
    ).returncode


def train(store, epochs, **changes):
    """Train a curve's epochs in this process."""
    curve = training_example.curve(store, **changes)
    list(curve.epochs(epochs))
    return curve


def optimizer(**changes):
    return {**training_example.TRAINING["optimizer"], **changes}


def final_state(curve):
    """Read every array of a checkpoint: weights and the optimizer's variables."""
    import h5py

    [checkpoint] = curve.folder.glob("epoch-*.keras")
    with zipfile.ZipFile(checkpoint) as packed, packed.open("model.weights.h5") as file:
        names = []
        with h5py.File(file) as weights:
            weights.visit(names.append)
            return {name: weights[name][()] for name in names if hasattr(weights[name], "shape")}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    return train(tmp_path_factory.mktemp("undisturbed"), 4)


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    return train(tmp_path_factory.mktemp("begun"), 2)


@pytest.fixture
def copied(tmp_path, begun):
    """Return a copy of a curve of two epochs."""
    shutil.copytree(begun.folder, tmp_path / begun.name)
    return training_example.curve(tmp_path)


@pytest.mark.fault(
    "SIGKILL of a training", where="during an epoch, with augmentation", lost="the current epoch"
)
def test_a_killed_training_goes_on_with_identical_results(tmp_path, undisturbed, caplog):
    caplog.set_level("INFO", logger="convstudy")
    assert run_example(tmp_path, 4, "SIGKILL", 3, 5) == -signal.SIGKILL
    assert len(training_example.curve(tmp_path).read()["records"]) == 2
    assert_identical(train(tmp_path, 4), undisturbed)
    assert "resumes after epoch 2" in caplog.text


@pytest.mark.fault(
    "SIGTERM, SIGUSR1 or Ctrl-C to a training",
    where="after the first, a middle or the last step of an epoch, or in its test",
    lost="the current epoch",
)
@pytest.mark.parametrize(
    ("name", "step"), [("SIGTERM", 1), ("SIGUSR1", 7), ("SIGINT", 10), ("SIGTERM", 11)]
)
def test_a_training_that_is_asked_to_stop_loses_one_epoch(tmp_path, undisturbed, name, step):
    assert run_example(tmp_path, 4, name, 3, step) == 1
    assert len(training_example.curve(tmp_path).read()["records"]) == 2
    assert_identical(train(tmp_path, 4), undisturbed)


@pytest.mark.skipif(
    environment.unit() not in BFLOAT16_UNITS,
    reason=f"this processor ({environment.unit()}) does not multiply bfloat16",
)
@pytest.mark.fault(
    "SIGKILL, then SIGTERM, of a training in mixed_bfloat16",
    where="during an epoch, on one machine",
    lost="the current epoch, twice",
)
def test_a_training_in_bfloat16_goes_on_with_identical_results(tmp_path, monkeypatch):
    monkeypatch.setenv("PRECISION", "mixed_bfloat16")
    assert run_example(tmp_path / "parts", 3, "SIGKILL", 2, 5) == -signal.SIGKILL
    assert run_example(tmp_path / "parts", 3, "SIGTERM", 3, 5) == 1
    whole, parts = (
        train(tmp_path / name, 3, precision="mixed_bfloat16") for name in ("whole", "parts")
    )
    assert_identical(parts, whole)
    assert {one["matmul_precision"] for one in parts.read()["records"]} == {"bfloat16"}


def assert_identical(curve, undisturbed):
    """Compare all records except times, and every array of the final checkpoint."""
    assert results(curve.read()["records"]) == results(undisturbed.read()["records"])
    expected, actual = final_state(undisturbed), final_state(curve)
    assert expected.keys() == actual.keys()
    assert any("optimizer" in name for name in actual)
    for name, array in expected.items():
        np.testing.assert_array_equal(actual[name], array, err_msg=name)


def test_a_curve_of_a_version_that_stored_steps_goes_on(copied, undisturbed):
    steps = {"file": "epoch-0003-step-000005.keras", "bytes": 1, "sha256": "", "steps": 5}
    write_sealed(copied.folder / "curve.json", {**copied.read(), "part": steps})
    (copied.folder / steps["file"]).write_bytes(b"x")
    list(copied.epochs(4))
    assert_identical(copied, undisturbed)


@pytest.mark.fault(
    "One bit of a checkpoint changes",
    where="in a .keras file",
    lost="time: the earlier epochs are trained again",
)
def test_a_damaged_checkpoint_is_set_aside_and_made_again(copied, undisturbed, caplog):
    [checkpoint] = copied.folder.glob("*.keras")
    content = bytearray(checkpoint.read_bytes())
    content[len(content) // 2] ^= 1
    checkpoint.write_bytes(content)
    assert results(copied.epochs(3)) == results(undisturbed.read()["records"][:3])
    assert "does not match its SHA-256" in caplog.text
    assert [path.read_bytes() for path in copied.folder.glob("damaged-*.keras")] == [content]


@pytest.mark.fault(
    "A checkpoint is deleted",
    where="in the store",
    lost="time: the earlier epochs are trained again",
)
def test_a_lost_checkpoint_is_made_again_with_the_same_results(copied, undisturbed):
    [checkpoint] = copied.folder.glob("*.keras")
    checkpoint.unlink()
    assert results(copied.epochs(3)) == results(undisturbed.read()["records"][:3])


def test_the_example_learns_and_its_epochs_differ(undisturbed):
    records = undisturbed.read()["records"]
    assert records[-1]["loss"] < records[0]["loss"]
    assert len({record["loss"] for record in records}) == 4
    # The numbers of correct images, of 60 test and 160 training images, are whole.
    for field, images in (("test_accuracy", 60), ("train_accuracy", 160)):
        right = [images * record[field] for record in records]
        assert right == pytest.approx([round(one) for one in right], abs=1e-9)


def test_a_stored_curve_is_read_and_not_trained(undisturbed, monkeypatch):
    monkeypatch.setattr("convstudy.training.curve.Trainer", None)
    assert len(list(undisturbed.epochs(4))) == 4


def test_the_time_left_counts_only_epochs_trained_now(caplog, monkeypatch):
    class Resumed(Curve):
        network, replicate = "conv-conv", 0

        def __init__(self):
            pass

        def _read(self):
            return {"records": [{}] * 6}

        def epochs(self, last, trained_for=""):
            for epoch in range(1, last + 1):
                clock[0] += 60 * (epoch > 6)
                yield {"epoch": epoch, "test_accuracy": 0.5, "images_per_second": 1.0}

    clock = [0.0]
    monkeypatch.setattr("time.perf_counter", lambda: clock[0])
    with caplog.at_level("INFO"):
        Resumed().train(9)
    left = [line.partition("images/s")[2] for line in caplog.messages]
    assert left == [""] * 6 + [", about 2 min 00 s left", ", about 1 min 00 s left", ""]


def test_whoever_stops_asking_lets_others_go_on(tmp_path, undisturbed):
    first, second = (training_example.curve(tmp_path) for _ in range(2))
    asking = first.epochs(4)
    next(asking)
    asking.close()
    assert results(second.epochs(2)) == results(undisturbed.epochs(2))


def test_a_schedule_goes_on_where_it_stood(tmp_path):
    cosine = optimizer(
        name="sgd", momentum=0.9, weight_decay=0.001, schedule="cosine", warmup_epochs=1
    )
    expected = results(train(tmp_path / "whole", 4, optimizer=cosine).read()["records"])
    train(tmp_path / "parts", 2, optimizer=cosine)
    parts = train(tmp_path / "parts", 4, optimizer=cosine)
    assert results(parts.read()["records"]) == expected
    rates = [record["learning_rate"] for record in expected]
    assert rates[0] == pytest.approx(0.003)
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] == pytest.approx(0, abs=1e-9)


@pytest.mark.fault(
    "One bit of a stored curve changes",
    where="in curve.json",
    lost="time: the curve is trained again",
)
def test_a_damaged_file_is_set_aside(copied, undisturbed, caplog):
    path = copied.folder / "curve.json"
    content = bytearray(path.read_bytes())
    field = b'"test_accuracy": 0.'
    content[content.index(field) + len(field)] ^= 1
    path.write_bytes(content)
    with pytest.raises(UserError, match="is damaged"):
        copied.read()
    copied.train(1)
    assert results(copied.read()["records"]) == results(undisturbed.read()["records"][:1])
    assert "curve.json is damaged (its content does not match its SHA-256" in caplog.text
    assert [one.read_bytes() for one in copied.folder.glob("damaged-*-curve.json")] == [content]


def work(store, epochs):
    list(training_example.curve(store).epochs(epochs, str(multiprocessing.current_process().pid)))


@pytest.mark.fault(
    "Two processes request the same curve",
    where="in the store",
    lost="nothing: one trains, the other waits",
)
def test_two_processes_train_each_epoch_once(tmp_path, undisturbed):
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=work, args=(tmp_path, 3)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0]
    records = training_example.curve(tmp_path).read()["records"]
    assert results(records) == results(undisturbed.read()["records"][:3])


@pytest.mark.fault(
    "The loss becomes infinite",
    where="during an epoch",
    lost="nothing: the curve ends and records the reason",
)
def test_a_loss_that_is_not_finite_ends_the_curve(tmp_path):
    diverging = optimizer(name="sgd", learning_rate=1e30)
    curve = training_example.curve(tmp_path, optimizer=diverging)
    records = list(curve.epochs(4))
    described = curve.describe(4)
    assert len(records) < 4
    assert described["status"] == "ended"
    assert described["reason"] == f"the loss is not finite in epoch {len(records) + 1}"
    # Another request gets the same result without training.
    again = training_example.curve(tmp_path, optimizer=diverging)
    assert list(again.epochs(4)) == records
    assert again._trainer is None


# The digest of all of CIFAR-10 as JPEG (docs/evidence.md).
JPEG_DIGEST = "381da081404d108c9b3e37d0f7a22115a74b868c23aa2cc3be70c597c6abd476"
EVIDENCE = {
    "conv-conv_width1_seed0_cccc73b31d12",
    "conv-conv_width1_seed1_49b3bb7a14b5",
    "conv-conv_width1_seed2_735976fc4f50",
    "depthwise-depthwise_width1_seed0_853e6394bf07",
    "depthwise-depthwise_width1_seed1_7e72524359f7",
    "depthwise-depthwise_width1_seed2_ad51e5686166",
    "separable-separable_width1_seed0_73ef85ce4a79",
    "separable-separable_width1_seed1_6e2a674198a0",
    "separable-separable_width1_seed2_1a235ccb9108",
}


@pytest.mark.parametrize(
    ("changes", "differs"),
    [
        ({"batch_size": 32}, True),
        ({"seed": 4}, True),
        ({"precision": "float64"}, True),
        ({"augmentation": "none"}, True),
        ({"epochs": 9}, False),
        ({"threads": 2}, False),
        ({"device": "auto"}, False),
        ({"optimizer": optimizer(learning_rate=0.1)}, True),
        ({"optimizer": optimizer(momentum=0.5)}, False),
        ({"optimizer": optimizer(schedule="cosine")}, True),
    ],
)
def test_the_key_depends_on_what_matters_and_on_nothing_else(tmp_path, changes, differs):
    keys = {training_example.curve(tmp_path).key, training_example.curve(tmp_path, **changes).key}
    assert len(keys) == 1 + differs


def test_replicates_are_other_seeds(tmp_path):
    first, second = (training_example.curve(tmp_path, replicate) for replicate in (0, 1))
    assert (first.seed, second.seed) == (3, 4)
    assert first.key != second.key


def test_the_evidence_is_of_the_curves_that_it_was_begun_with(root):
    """The recorded results, weeks of computing, are of these curves of `config/evidence.yaml`."""
    configs = [root / f"config/{name}.yaml" for name in ("config", "article", "evidence")]
    config = settings.read(configs, this_machine=False)
    images = SimpleNamespace(digest=JPEG_DIGEST)
    names = {curve.name for curve in store.single_kind_curves(config, Path("store"), images)}
    assert names == EVIDENCE


@pytest.mark.parametrize(
    ("record", "overlays"),
    [
        ("evidence", ["evidence"]),
        ("evidence-gpu", ["evidence", "jax"]),
        ("evidence-gpu-float32", ["jax"]),
    ],
)
def test_the_articles_config_still_has_the_recorded_curves(root, tmp_path, record, overlays):
    (tmp_path / "jax.yaml").write_text("training: {backend: jax, device: gpu, recipe: 2}")
    folders = {"jax": tmp_path}
    configs = [
        folders.get(name, root / "config") / f"{name}.yaml"
        for name in ("config", "article", *overlays)
    ]
    config = settings.read(configs, this_machine=False)
    recorded = Results(root / "results/reference" / record)
    images = SimpleNamespace(digest=recorded.data["digest"])
    planned = store.single_kind_curves(config, Path("store"), images)
    assert set(recorded.training["curve"]) <= {curve.name for curve in planned}


def test_curves_of_an_earlier_recipe_are_read_and_not_trained(tmp_path, undisturbed):
    earlier = training_example.curve(tmp_path, recipe=2)
    assert earlier.key != undisturbed.key
    with pytest.raises(UserError, match=r"^training.recipe: 2, but .* trains recipe 3 only; write"):
        next(earlier.epochs(1))
    state = {**undisturbed.read(), "identity": earlier.identity}
    write_sealed(earlier.folder / "curve.json", state)
    assert list(earlier.epochs(1)) == state["records"][:1]


def test_a_cosine_schedule_depends_on_its_length(tmp_path):
    cosine = optimizer(schedule="cosine")
    keys = {training_example.curve(tmp_path, optimizer=cosine, epochs=n).key for n in (4, 9)}
    assert len(keys) == 2


def test_the_json_beside_a_curve_says_what_it_is(undisturbed):
    state = read_json(undisturbed.folder / "curve.json")
    assert state["identity"]["seed"] == 3
    assert state["environment"]["device"] == "cpu"
    assert "tensorflow" in json.dumps(state["environment"]["versions"])


def test_an_epoch_can_be_chosen_without_the_test_images(undisturbed):
    records = undisturbed.read()["records"]
    summary = summarise(records)
    validation = [record["validation_accuracy"] for record in records]
    assert summary["validated_epoch"] == np.argmax(validation) + 1
    chosen = records[summary["validated_epoch"] - 1]
    assert summary["test_accuracy_validated"] == chosen["test_accuracy"]
    without = [
        {key: value for key, value in record.items() if not key.startswith("validation")}
        for record in records
    ]
    assert summarise(without)["validated_epoch"] is None
    assert summarise(without)["test_accuracy_validated"] is None


def test_images_of_another_size_and_classes_of_unequal_size(tmp_path):
    metrics = pytest.importorskip("sklearn.metrics")
    small = {
        f"{split}_images": getattr(training_example.DATASET, f"{split}_images")[:, ::4, ::4, :1]
        for split in ("train", "validation", "test")
    }
    labels = np.minimum(training_example.DATASET.test_labels, 6)
    images = replace(training_example.DATASET, **small, test_labels=labels)
    model = {**training_example.MODEL, "input_shape": [8, 8, 1], "classes": 12}
    for epochs in (1, 2):
        # The second goes on where the first stopped.
        mine = Curve(tmp_path, ("conv",), 0, model, training_example.TRAINING, 2, images)
        assert [record["epoch"] for record in mine.epochs(epochs)][-1] == epochs
    assert len(list(tmp_path.glob("*/damaged*"))) == 0
    for record in mine.read()["records"]:
        answers = np.where(unpack(record["test_right"], 60), labels, 11)
        expected = metrics.recall_score(labels, answers, average=None, labels=range(7)).mean()
        assert record["balanced_accuracy"] == pytest.approx(expected)
    best = max(mine.read()["records"], key=lambda record: record["test_accuracy"])
    assert summarise(mine.read()["records"])["balanced_accuracy"] == best["balanced_accuracy"]
    assert "balanced_accuracy" not in summarise([])


def test_which_test_images_were_right_is_stored(undisturbed):
    for record in undisturbed.read()["records"]:
        right = unpack(record["test_right"], 60)
        assert right.mean() == record["test_accuracy"]
