"""Recorded runs at the article's scale, beside the article."""

import re
import shutil
import subprocess

import numpy as np
import pandas as pd
import pytest
from bs4 import BeautifulSoup
from convstudy.analyses.epoch_selection.numbers import halves
from convstudy.article import facts
from convstudy.claims import ledger, verdicts
from convstudy.comparison import recorded
from convstudy.comparison.runs import TRAININGS, open_run
from convstudy.core.files import read_json, write_json
from convstudy.report import first_page
from convstudy.results import reference_runs
from convstudy.results.run import Results
from convstudy.results.scale import LEAST_REPLICATES
from convstudy.training.record import load_description
from helpers.paths import ROOT
from helpers.results import OVERLAY


@pytest.fixture(scope="module")
def runs() -> list[Results]:
    return reference_runs.at_article_scale(ROOT / "results")


@pytest.fixture(scope="module")
def table(runs) -> pd.DataFrame:
    return recorded.article_scale(runs)


def test_only_runs_at_the_articles_scale_are_compared_and_the_fullest_first(runs):
    names = [run.folder.name for run in runs]
    assert "cpu-small" not in names
    trained = [run.training.groupby("kind").size() for run in runs]
    order = [(len(sizes), sizes.min()) for sizes in trained]
    assert order == sorted(order, reverse=True)
    assert order[0][0] == 3


def test_a_smaller_run_of_the_article_is_left_out(tmp_path):
    for name in ("evidence", "smaller"):
        shutil.copytree(ROOT / "results/reference/evidence", tmp_path / f"reference/{name}")
    path = tmp_path / "reference/smaller/run.json"
    write_json(path, {**read_json(path), "reductions": ["It is small."]})
    assert [run.folder.name for run in reference_runs.at_article_scale(tmp_path)] == ["evidence"]
    assert reference_runs.at_article_scale(tmp_path / "reference") == []


def test_the_range_of_one_more_training_is_that_of_the_claims(runs, table):
    """The claims on the article's accuracies and the table must not tell different stories."""
    listed = [one for one in ledger.load(ROOT / "config/claims.yaml") if "accuracy_" in one.id]
    for run in runs:
        judged = verdicts.check(run, listed, OVERLAY).set_index("id")
        mine = table[table["run"] == run.folder.name].set_index("kind")
        for kind, row in mine.iterrows():
            # A network that was trained once has no range.
            assert pd.isna(row["difference_low"]) == (row["replicates"] < LEAST_REPLICATES)
            if row["replicates"] < LEAST_REPLICATES:
                continue
            said = judged.loc[f"accuracy_{kind}", "evidence"]
            mean, low, high = map(float, re.findall(r"([\d.]+) %", said)[:3])
            printed = facts.accuracies()[kind]
            assert mean / 100 == pytest.approx(row["mean"], abs=5e-5)
            assert low / 100 - printed == pytest.approx(row["difference_low"], abs=5e-5)
            assert high / 100 - printed == pytest.approx(row["difference_high"], abs=5e-5)


def test_flattery_is_that_of_the_analysis():
    right = np.random.default_rng(5).random((30, 400)) < np.linspace(0.5, 0.7, 30)[:, None]
    assert recorded.flattery(right) == pytest.approx(halves(right)[1][0])
    # With one epoch, there is no choice; halves differ by chance alone.
    assert abs(recorded.flattery(right[:1])) < 0.01


@pytest.mark.parametrize(
    "folder", sorted(path.parent for path in (ROOT / "results/reference").glob("*/reference.json"))
)
def test_this_version_reads_every_record_and_knows_the_commit_that_made_it(folder):
    run = open_run(folder)
    for pattern in TRAININGS:
        for path in folder.glob(pattern):
            assert load_description(str(path))["records"], path
    commit = run.provenance["commit"]
    assert re.fullmatch("[0-9a-f]{40}", commit)
    git = ["git", "-C", ROOT, "rev-parse"]
    if subprocess.run([*git, "--is-shallow-repository"], capture_output=True).stdout != b"false\n":
        pytest.skip("the checkout has no history")
    assert subprocess.run([*git, "--verify", f"{commit}^{{commit}}"], check=False).returncode == 0


def test_what_trained_each_network_is_named(table):
    by_run = table.groupby("run")[["precision", "device"]].first()
    assert by_run.loc["evidence-gpu-float32"].tolist() == ["float32", "NVIDIA H200"]
    precision, device = by_run.loc["evidence"]
    assert precision == "bfloat16"
    assert device.startswith("AMD EPYC")
    assert table["seconds"].min() > 10


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        ([-0.06, -0.06, -0.05], [-0.03, -0.03, -0.02], "none of the article's accuracies"),
        ([-0.06, -0.01, -0.05], [-0.03, 0.02, -0.02], "1 of the article's 3 accuracies"),
        ([-0.06, -0.01, -0.05], [0.01, 0.02, 0.02], "3 of the article's 3 accuracies"),
        ([np.nan] * 3, [np.nan] * 3, None),
    ],
)
def test_the_first_page_says_how_many_accuracies_are_in_range(low, high, said, table):
    mine = table[table["run"] == "evidence-gpu"].assign(difference_low=low, difference_high=high)
    text = BeautifulSoup(first_page._how_recorded(mine), "html.parser").get_text()
    assert ("one more such training" in text) == bool(said)
    assert said is None or said in text
    assert "all images (JPEG)" in text
