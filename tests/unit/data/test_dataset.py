import numpy as np
import pandas as pd
import pytest
from convstudy.core.errors import UserError
from convstudy.data import dataset, sources
from helpers.images import prepare
from hypothesis import given
from hypothesis import strategies as st


def test_counts_a_class_are_written(parquet, out):
    prepare(out, parquet, train_images=20)
    table = pd.read_csv(out / "classes.csv")
    assert list(table.columns) == ["split", "label", "name", "images"]
    assert list(table.name[:10]) == list(sources.CLASS_NAMES)
    assert (table.images == 2).all()


def test_a_failed_write_leaves_no_summary(parquet, out, monkeypatch):
    prepare(out, parquet)

    def full(*_):
        raise OSError("No space left on device")

    monkeypatch.setattr(np, "save", full)
    with pytest.raises(OSError, match="No space"):
        prepare(out, parquet, train_images=10)
    assert not (out / "summary.json").exists()
    assert not list(out.glob(".*"))


@given(
    st.lists(st.integers(0, 9), min_size=1, max_size=200), st.integers(0, 200), st.integers(0, 3)
)
def test_every_class_has_its_share_up_to_one(labels, wanted, seed):
    labels = np.array(labels)
    wanted = min(wanted, len(labels))
    chosen = dataset.stratified(labels, wanted, seed)
    assert len(chosen) == wanted
    assert (np.diff(chosen) > 0).all()
    shares = np.bincount(labels, minlength=10) * wanted / len(labels)
    taken = np.bincount(labels[chosen], minlength=10)
    assert (np.abs(taken - shares) < 1).all()
    np.testing.assert_array_equal(chosen, dataset.stratified(labels, wanted, seed))


def test_largest_remainders_are_rounded_up():
    # Shares of 10 in 33: 3.33, 4.55 and 2.12.
    labels = np.repeat([0, 1, 2], [11, 15, 7])
    assert list(np.bincount(labels[dataset.stratified(labels, 10, 0)])) == [3, 5, 2]


@pytest.mark.parametrize(("train_images", "matters"), [(20, True), (None, False)])
def test_the_seed_matters_where_not_all_are_used(parquet, out, train_images, matters):
    first, again, other = (
        prepare(out, parquet, train_images=train_images, seed=seed)[0]["digest"]
        for seed in (0, 0, 1)
    )
    assert first == again
    assert (other != first) is matters


@pytest.mark.parametrize("train_images", [20, None])
def test_validation_images_are_held_out(train_images, parquet, tmp_path):
    without, kept = prepare(tmp_path / "without", parquet, train_images=20)
    settings = {"train_images": train_images, "validation_images": 10}
    summary, dataset = prepare(tmp_path / "with", parquet, **settings)
    assert summary["used"] == {"train": train_images or 30, "validation": 10, "test": 20}
    assert summary["digest"] != without["digest"]
    assert list(np.bincount(dataset.validation_labels)) == [1] * 10
    images = np.concatenate([dataset.train_images, dataset.validation_images])
    assert len(np.unique(images.reshape(len(images), -1), axis=0)) == len(images)
    if train_images:
        # Holding out validation images does not change the training images.
        np.testing.assert_array_equal(dataset.train_images, kept.train_images)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"train_images": 41},
            r"train_images: 41.* has 40 train images; write at most 40, or null",
        ),
        ({"test_images": 41}, r"test_images: 41.* has 20 test images; write at most 20, or null"),
        (
            {"train_images": 35, "validation_images": 6},
            r"train_images: 35.* has 34 train images besides 6 for validation",
        ),
        ({"validation_images": 40}, r"train_images: .* has 0 train images besides 40 for"),
    ],
)
def test_more_than_there_are_is_an_error(parquet, out, settings, message):
    with pytest.raises(UserError, match=rf"data\.{message}"):
        prepare(out, parquet, **settings)
    assert not out.exists()


def test_synthetic_images_are_held_out_too(out):
    settings = {"source": "synthetic", "train_images": 30, "validation_images": 10}
    summary, _ = prepare(out, None, test_images=10, **settings)
    assert summary["used"] == {"train": 30, "validation": 10, "test": 10}


@pytest.mark.parametrize(
    "name", ["train_images.npy", "train_labels.npy", "test_images.npy", "summary.json"]
)
@pytest.mark.parametrize("content", [None, b"", b"\x93NUMPY\x01"])
@pytest.mark.fault(
    "The prepared arrays disappear or are damaged",
    where="before a training",
    lost="nothing: the message says how to make them again",
)
def test_a_missing_or_damaged_file_is_named(name, content, parquet, out):
    prepare(out, parquet)
    (out / name).unlink()
    if content is not None:
        (out / name).write_bytes(content)
    fix = "make the arrays again: snakemake --cores all --forcerun prepare_dataset"
    with pytest.raises(UserError, match=f"{name} cannot be read.*{fix}"):
        dataset.load_arrays(out)


def last_changed(array):
    array.flat[-1] ^= 1
    return array


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        (
            "train_labels",
            lambda array: array[:20],
            r"train labels of shape \(20,\).*\(40, 32, 32, 3\)",
        ),
        ("train_images", lambda array: array / 255, "float64, not uint8"),
        *(
            (f"{split}_{what}", last_changed, "changed after they were written.*--forcerun")
            for split in ("train", "test")
            for what in ("images", "labels")
        ),
    ],
)
def test_arrays_that_are_not_as_written_are_refused(parquet, out, name, change, message):
    _, prepared = prepare(out, parquet)
    prepared.verify()
    np.save(out / f"{name}.npy", change(np.load(out / f"{name}.npy")))
    with pytest.raises(UserError, match=message):
        dataset.load_arrays(out).verify()
