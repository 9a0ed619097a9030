from pathlib import Path

import pandas as pd
import pytest
from convstudy import claims
from convstudy.claims import NOT_REPRODUCED, REPRODUCED, UNDECIDED
from convstudy.files import write_csv
from convstudy.results import Results
from sample_results import write_sample

TRAINED = [
    judge
    for judge in claims.CLAIMS
    if judge.__name__
    in {
        "accuracy_levels",
        "accuracy_order",
        "conv_wins",
        "separable_wins",
        "mobilenet_does_well",
        "place_matters",
        "never_tried",
        "most_are_pruned",
    }
]
EXACT = [judge for judge in claims.CLAIMS if judge not in TRAINED]


def sample(tmp_path: Path, **settings) -> Results:
    return Results(write_sample(tmp_path, **settings))


def test_there_are_claims_of_both_sorts():
    assert len(TRAINED) == 8
    assert len(EXACT) == 7


@pytest.mark.parametrize("judge", EXACT)
@pytest.mark.parametrize("synthetic", [False, True])
def test_arithmetic_is_decided_in_a_run_of_any_size(tmp_path: Path, judge, synthetic: bool):
    claim = judge(sample(tmp_path, synthetic=synthetic))
    assert (claim.verdict, claim.basis) == (REPRODUCED, "arithmetic")


@pytest.mark.parametrize("judge", TRAINED)
def test_training_is_undecided_in_a_small_run(tmp_path: Path, judge):
    claim = judge(sample(tmp_path, reduced=True))
    assert (claim.verdict, claim.basis) == (UNDECIDED, "training")
    # It says what was seen all the same.
    assert any(character.isdigit() for character in claim.evidence) or "drawn" in claim.evidence


def test_synthetic_images_are_compared_with_nothing(tmp_path: Path):
    table = claims.check(sample(tmp_path, synthetic=True)).query("basis == 'training'")
    assert len(table) == len(TRAINED)
    assert set(table["verdict"]) == {UNDECIDED}
    assert not table["evidence"].str.contains("%").any()
    assert table["evidence"].str.contains("synthetic").all()


def test_a_wrong_count_is_found(tmp_path: Path):
    results = sample(tmp_path)
    counts = results.counts
    counts.loc[counts["model"] == "depthwise", "parameters"] += 1
    write_csv(tmp_path / "counts/models.csv", counts)
    claim = claims.parameter_counts(Results(tmp_path))
    assert claim.verdict == NOT_REPRODUCED
    assert "6 of 7" in claim.evidence


@pytest.mark.parametrize(
    ("file", "judge"),
    [
        ("examples", claims.worked_examples),
        ("identities", claims.identities),
    ],
)
def test_a_failed_check_is_found(tmp_path: Path, file: str, judge):
    results = sample(tmp_path)
    table = results.table(f"verification/{file}.csv")
    table.loc[0, "passed"] = False
    write_csv(tmp_path / f"verification/{file}.csv", table)
    assert judge(Results(tmp_path)).verdict == NOT_REPRODUCED


@pytest.mark.parametrize(
    ("skill", "verdict"),
    [
        ({"conv": 0.88, "depthwise": 0.77, "separable": 0.84}, REPRODUCED),
        ({"conv": 0.88, "depthwise": 0.85, "separable": 0.77}, NOT_REPRODUCED),
        ({"conv": 0.88, "depthwise": 0.841, "separable": 0.842}, UNDECIDED),
    ],
)
def test_order_of_accuracy_in_a_full_run(tmp_path: Path, skill, verdict: str):
    results = sample(tmp_path, reduced=False, skill=skill)
    assert claims.accuracy_order(results).verdict == verdict


@pytest.mark.parametrize(("conv", "verdict"), [(0.8766, REPRODUCED), (0.95, NOT_REPRODUCED)])
def test_level_of_accuracy_in_a_full_run(tmp_path: Path, conv: float, verdict: str):
    skill = {"conv": conv, "depthwise": 0.7736, "separable": 0.8433}
    assert claims.accuracy_levels(sample(tmp_path, reduced=False, skill=skill)).verdict == verdict


def test_single_replicates_are_too_few(tmp_path: Path):
    claim = claims.accuracy_order(sample(tmp_path, reduced=False, replicates=1))
    assert claim.verdict == UNDECIDED
    assert "replicates" in claim.evidence


@pytest.mark.parametrize(
    ("leader", "verdict"), [("conv", REPRODUCED), ("separable", NOT_REPRODUCED)]
)
def test_winner_by_accuracy_in_a_full_run(tmp_path: Path, leader: str, verdict: str):
    skill = {"conv": 0.6, "depthwise": 0.6, "separable": 0.6, leader: 0.95}
    assert claims.conv_wins(sample(tmp_path, reduced=False, skill=skill)).verdict == verdict


def edit_trials(folder: Path, change) -> Results:
    path = folder / "search/penalised/trials.csv"
    write_csv(path, change(pd.read_csv(path)))
    return Results(folder)


def test_a_module_that_is_never_drawn_confirms_that_it_is_not_tried(tmp_path: Path):
    write_sample(tmp_path, reduced=False)
    assert claims.never_tried(Results(tmp_path)).verdict == NOT_REPRODUCED

    def without(trials: pd.DataFrame) -> pd.DataFrame:
        return trials[(trials[["layer1", "layer2", "layer3"]] != "depthwise").any(axis=1)]

    assert claims.never_tried(edit_trials(tmp_path, without)).verdict == REPRODUCED


def test_nothing_completed_leaves_winners_open(tmp_path: Path):
    write_sample(tmp_path, reduced=False)

    def prune(trials: pd.DataFrame) -> pd.DataFrame:
        return trials.assign(state="PRUNED", objective=None)

    results = edit_trials(tmp_path, prune)
    assert claims.separable_wins(results).verdict == UNDECIDED
    assert claims.most_are_pruned(results).verdict == REPRODUCED


def test_a_run_without_one_of_the_studies_is_judged(tmp_path: Path):
    results = sample(tmp_path, reduced=False)
    del results.run["config"]["search"]["studies"]["penalised"]
    table = claims.check(results)
    assert len(table) == len(claims.CLAIMS)
    assert set(table["verdict"]) <= {REPRODUCED, NOT_REPRODUCED, UNDECIDED}
