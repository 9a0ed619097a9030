"""Tests of the estimate of what a run will cost."""

import math
import subprocess
import sys
from pathlib import Path

import pytest
from convstudy.config import settings
from convstudy.core.files import write_json
from convstudy.core.progress import duration
from convstudy.layers.networks import ARTICLE
from convstudy.results.run import Results
from convstudy.training import estimate
from convstudy.training import settings as training_settings
from convstudy.training.estimate import Estimate, Job, asked, line, span
from helpers.paths import ROOT

PROCESSOR = "Some CPU, AVX512-BF16"


@pytest.fixture(autouse=True)
def machine(monkeypatch):
    monkeypatch.delenv("CONVSTUDY_CIFAR10", raising=False)
    monkeypatch.setattr(estimate.gpus, "names", list)
    monkeypatch.setattr(estimate.environment, "processor", lambda: PROCESSOR)
    monkeypatch.setattr(estimate.environment, "unit", lambda: "AVX512-BF16")


def config(*overlays):
    paths = [ROOT / f"config/{name}.yaml" for name in ("config", *overlays)]
    return settings.read(paths, this_machine=False)


def store(results, curve, epochs, ended=None, speed=1000.0):
    """Write the parts of a curve that the estimate reads."""
    record = {"images_per_second": speed, "processor": PROCESSOR}
    state = {"identity": curve.identity, "records": [record] * epochs, "ended": ended}
    write_json(curve.folder / "curve.json", state)


def prepared(results, chosen, images=5000):
    used = {"train": images, "validation": 0, "test": 1000}
    write_json(results / "data/summary.json", {"used": used, "digest": "some images"})
    return Estimate(chosen, results)


def test_a_first_run_trains_everything(tmp_path):
    said = line(config(), tmp_path, ["all"], 2)
    # Five full trials of five epochs and five that may be pruned; then the same, largely shared.
    expected = 5 * (5 + 5 * estimate.KEPT) * (1 + estimate.NEW)
    assert said.startswith(
        "Left to train: 72 epochs of 9 networks and at most 100 epochs in 2 studies"
        f" (about {expected:.0f} expected)"
    )
    assert ", 5,000 images per epoch; about" in said
    assert said.endswith("on 2 cores here.")
    assert "81 networks" in line(config(), tmp_path, ["tabulate_modules"], 1)
    assert "12 networks" in line(config(), tmp_path, ["compare_recipes"], 1)
    assert line(config(), tmp_path, ["verify_provenance"], 1) == ""


def test_analyses_that_the_config_lists_are_trained_with_all_else(tmp_path):
    # 9 single kinds, 81 modules, 12 of recipes (3 are single kinds), 54 stacks (9 are single kinds,
    # 9 are modules).
    assert " 135 networks" in line(config("beyond"), tmp_path, ["all"], 1)
    listed = {**config(), "analyses": ["recipes"]}
    assert "144 epochs of 18 networks" in line(listed, tmp_path, ["all"], 1)
    assert " 9 networks" in line({**listed, "analyses": ["timing"]}, tmp_path, ["all"], 1)


def test_what_is_stored_is_not_trained_again(tmp_path):
    chosen = config()
    known = prepared(tmp_path, chosen)
    for number, kinds in enumerate(ARTICLE.single_kind().values()):
        for replicate in range(3):
            curve = known.curve(kinds, replicate, 8, chosen["training"])
            store(tmp_path, curve, 8 if number else 3)
    assert "15 epochs of 3 networks" in line(chosen, tmp_path, ["results/training/summary.csv"], 1)
    store(tmp_path, known.curve(("conv", "conv"), 0, 8, chosen["training"]), 2, {"reason": "nan"})
    assert "10 epochs of 2 networks" in line(chosen, tmp_path, ["results/training/summary.csv"], 1)
    # With other images, everything has to be trained.
    prepared(tmp_path, chosen, images=4000)
    assert "72 epochs of 9" in line(chosen, tmp_path, ["results/training/summary.csv"], 1)


def test_a_finished_study_is_left_out(tmp_path):
    chosen = config()
    known = prepared(tmp_path, chosen)
    curves = [
        known.curve(("conv", "conv", kind), 0, 5, chosen["training"]) for kind in ARTICLE.kinds
    ]
    for curve in curves:
        store(tmp_path, curve, 5)
    [first, second] = known.studies()
    # Ten trials of five epochs, of which some are pruned, less the fifteen that are stored.
    whole = 5 * (5 + 5 * estimate.KEPT)
    assert (first.most, first.epochs) == (50, pytest.approx(whole - 15))
    assert second.epochs == pytest.approx(whole * estimate.NEW)
    names = [curve.name for curve in curves for _ in range(4)][:10]
    for study in ("accuracy", "penalised"):
        (tmp_path / f"search/{study}").mkdir(parents=True)
        (tmp_path / f"search/{study}/trials.csv").write_text("\n".join(["curve", *names]))
    assert list(known.studies()) == []
    # A trial with a curve of other settings.
    (tmp_path / "search/accuracy/trials.csv").write_text("\n".join(["curve", *names[1:], "other"]))
    assert len(list(known.studies())) == 1


def test_modules_have_the_recipe_of_the_studies(tmp_path):
    chosen = {**config(), "search": {**config()["search"], "training": {"batch_size": 32}}}
    known = prepared(tmp_path, chosen)
    for training in (chosen["training"], training_settings.of_modules(chosen)):
        before = list(known.studies())
        assert "81 networks" in line(chosen, tmp_path, ["tabulate_modules"], 1)
        for kinds in ARTICLE.modules().values():
            for replicate in range(3):
                store(tmp_path, known.curve(kinds, replicate, 5, training), 5)
    assert line(chosen, tmp_path, ["tabulate_modules"], 1) == "Nothing is left to train."
    # Single kinds' recipe spared the studies nothing.
    assert [job.epochs for job in before] == [
        job.epochs for job in Estimate(chosen, Path("none")).studies()
    ]
    assert [job.epochs for job in known.studies()] == [5, 5]
    assert "72 epochs of 9 networks" in line(chosen, tmp_path, ["summarise_training"], 1)


def test_an_interrupted_study_is_not_expected_to_be_free(tmp_path):
    chosen = config()
    known = prepared(tmp_path, chosen)
    for kinds in ARTICLE.modules().values():
        store(tmp_path, known.curve(kinds, 0, 5, chosen["training"]), 5)
    assert [job.epochs for job in known.studies()] == [5, 5]


def test_pruning_and_sharing_are_those_of_the_recorded_studies():
    recorded = Results(ROOT / "results/reference/cpu-small")
    search = recorded.run["config"]["search"]
    pruned, new, asked = [], 0, 0
    trained: dict[str, int] = {}
    for number, (name, study) in enumerate(recorded.studies.items()):
        trials = study.trials[["curve", "epochs"]]
        pruned += list(trials["epochs"][search["studies"][name]["pruner"]["startup_trials"] :])
        for curve, epochs in trials.itertuples(index=False):
            if number:
                new += max(0, epochs - trained.get(curve, 0))
                asked += epochs
            trained[curve] = max(epochs, trained.get(curve, 0))
    assert sum(pruned) / len(pruned) / search["epochs"] == pytest.approx(estimate.KEPT, abs=0.005)
    assert new / asked == pytest.approx(estimate.NEW, abs=0.005)


def test_speeds_are_the_stores_or_else_the_recorded_ones(tmp_path, monkeypatch):
    chosen = config("overnight")
    known = prepared(tmp_path, chosen, images=50_000)
    # Processors with the same unit are averaged; between widths, speed is a power of the width.
    recorded = estimate.recorded_speeds("conv", chosen["training"])
    assert recorded[0.25] == pytest.approx(math.sqrt(1787 * 901))
    between = known.speed("conv", chosen["training"])
    assert between == pytest.approx(recorded[0.25] * math.sqrt(166 / 1787), rel=1e-6)
    monkeypatch.setattr(
        estimate.environment, "processor", lambda: "AMD EPYC (family 25, model 17), AVX512-BF16"
    )
    assert estimate.recorded_speeds("conv", chosen["training"]) == pytest.approx(
        {0.25: 901, 1.0: 77}
    )
    monkeypatch.setattr(estimate.environment, "processor", lambda: PROCESSOR)
    store(tmp_path, known.curve(("conv", "conv"), 0, 20, chosen["training"]), 3, speed=321.0)
    assert known.speed("conv", chosen["training"]) == 321.0
    # Three layers per stage cost half as much again as two.
    single = known.seconds(("conv", "conv"), chosen["training"])
    assert known.seconds(("conv",) * 3, chosen["training"]) == pytest.approx(1.5 * single)
    # Of processors with another unit, only similar ones count.
    monkeypatch.setattr(estimate.environment, "processor", lambda: "Another CPU, AVX-512")
    monkeypatch.setattr(estimate.environment, "unit", lambda: "AVX-512")
    assert estimate.recorded_speeds("conv", chosen["training"])[0.25] == recorded[0.25]
    monkeypatch.setattr(estimate.environment, "processor", lambda: "Another CPU, NEON")
    monkeypatch.setattr(estimate.environment, "unit", lambda: "NEON")
    said = line(chosen, tmp_path, ["all"], 2)
    assert said.endswith("; how long that will take on this machine is not known yet.")
    monkeypatch.setattr(estimate.environment, "unit", lambda: "AVX512-BF16")
    monkeypatch.setattr(estimate.gpus, "names", lambda: ["a GPU"])
    assert "on this machine is not known" in line(chosen, tmp_path, ["all"], 2)


def test_jobs_take_turns_on_cores():
    assert span([4, 3, 2, 1], 2) == 5
    assert span([4, 3], 4) == 4
    assert math.isnan(span([1, math.nan], 2))
    assert span([job.seconds for job in (Job(1.0, 1, 1), Job(2.0, 1, 1))], 1) == 3


@pytest.mark.parametrize(
    ("arguments", "targets"),
    [
        ("--cores all", ["all"]),
        ("-n all", ["all"]),
        ("--cores all tabulate_modules --configfile config/article.yaml", ["tabulate_modules"]),
        ("results/training/summary.csv -c 1", ["results/training/summary.csv"]),
        ("--lint", ["none"]),
        ("--report report.zip", ["none"]),
    ],
)
def test_targets_are_found_among_the_arguments(arguments, targets):
    assert asked(arguments.split(), ["all", "tabulate_modules", "train_model"]) == targets


@pytest.mark.parametrize(
    ("arguments", "runs"),
    [
        ("--cores all --configfile config/article.yaml", True),
        ("-c1 --nolock --no-hooks -k", True),
        ("-n all", False),
        ("-c 1 -Fnp", False),
        ("--dry-run", False),
        ("--dryrun", False),
        ("--lint", False),
        ("--touch", False),
    ],
)
def test_whether_jobs_will_run_is_told_by_the_arguments(arguments, runs):
    assert estimate.runs_jobs(arguments.split()) == runs


def test_a_dry_run_says_the_line():
    command = [sys.executable, "-m", "snakemake", "-n", "--cores", "2", "tabulate_modules"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert sum("left to train" in one.lower() for one in lines) == 1
    assert "left to train" in lines[-2].lower()
    assert lines[-1].startswith("Nothing was run")


def test_the_time_left_of_a_run_counts_stored_epochs_and_steps_that_train_nothing(tmp_path):
    chosen = config()
    known = prepared(tmp_path, chosen)
    targets = ["results/training/summary.csv"]
    steps = {"train_model": 9, "plot_figures": 1, "write_tables": 2}
    before = estimate.left(chosen, tmp_path, targets, 1, steps)
    trained = sum(job.seconds for job in known.jobs("training"))
    assert before == pytest.approx(trained + 3 * estimate.STEP)
    assert f"about {duration(trained)} on one core" in line(chosen, tmp_path, targets, 1)
    curve = known.curve(("conv", "conv"), 0, 8, chosen["training"])
    store(tmp_path, curve, 8, speed=known.speed("conv", chosen["training"]))
    assert estimate.left(chosen, tmp_path, targets, 1, steps) < before - estimate.START
    assert math.isnan(estimate.left(chosen, tmp_path, targets, None, steps))
    assert (
        estimate.left(chosen, tmp_path, ["verify_counts"], 2, {"verify_counts": 1}) == estimate.STEP
    )


@pytest.mark.parametrize("name", ["overnight", "article", "evidence", "beyond"])
def test_every_config_in_the_folder_is_valid(name):
    overlays = (name,) if name in ("overnight", "article") else ("article", name)
    chosen = config(*overlays)
    assert chosen["training"]["replicates"] >= 3
    assert chosen["data"]["source"] == "real"
    unit = 250_000 * chosen["model"]["width"] ** 2
    for study in chosen["search"]["studies"].values():
        assert study["penalty"]["unit"] == unit
