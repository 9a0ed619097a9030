"""config/claims.yaml, judged on whole runs of several sizes."""

import shutil
from pathlib import Path

import pandas as pd
import pytest
from convstudy.analyses.article_study import tables
from convstudy.claims import ledger, verdicts
from convstudy.claims.verdicts import NOT_REPRODUCED, REPRODUCED, UNDECIDED
from convstudy.config import analyses
from convstudy.config.settings import merged
from convstudy.core.files import write_csv
from convstudy.results.run import Results
from helpers.paths import OVERLAY, ROOT
from helpers.results import FULL, write_sample

# What the article's arithmetic gets wrong.
WRONG = {
    *("transpose_inverts", "directions_in_text"),
    *("mobilenet_is_conv_depthwise_depthwise", "unseen_for_a_reason"),
}
LISTED = ledger.load(ROOT / "config/claims.yaml")


@pytest.fixture(scope="module")
def recorded(recorded: Path, for_claims: Path) -> Path:
    """Complete the recorded run with what it may lack."""
    return shutil.copytree(for_claims, recorded, dirs_exist_ok=True)


def tabulated(folder: Path) -> Results:
    tables.write_tables(Results(folder), folder / "tables")
    return Results(folder)


def sample(folder: Path, **settings) -> Results:
    """Return sample results with their tables."""
    return tabulated(write_sample(folder, **settings))


def judged(results: Results) -> pd.DataFrame:
    return verdicts.check(results, LISTED, OVERLAY).set_index("id")


def edit(results: Results, name: str, change) -> Results:
    """Change a file of the results."""
    write_csv(results.folder / name, change(results.table(name)))
    return Results(results.folder)


def test_every_claim_finds_its_numbers(recorded: Path, tmp_path: Path):
    """Some speak of completed trials that the recorded run has pruned: a sample prunes none."""
    results = Results(write_sample(tmp_path, reduced=False))
    for name in results.studies:
        edit(
            results,
            f"search/{name}/trials.csv",
            lambda trials: trials.assign(
                state="COMPLETE", objective=1 - trials["test_accuracy"] + trials["penalty"]
            ),
        )
    found = pd.concat([judged(Results(recorded)), judged(tabulated(tmp_path))])
    found = found[found["effect"].notna()]
    assert {claim.id for claim in LISTED} == set(found.index)
    assert found["evidence"].str.len().min() > 0


def test_a_small_run_decides_all_but_what_rests_on_training(recorded: Path):
    table = judged(Results(recorded))
    # Nothing in a verdict is drawn at random.
    pd.testing.assert_frame_equal(table, judged(Results(recorded)))
    trained = table["basis"] == "training"
    assert set(table.loc[trained, "reason"]) == {"reduced scale"}
    assert set(table.loc[~trained, "reason"].dropna()) == {
        "interval crosses the boundary",
        "not clear beside 8 other claims",
    }
    counted = (table["basis"] == "arithmetic") & (table["source"] != ledger.OWN)
    assert set(table.index[counted & (table["verdict"] != REPRODUCED)]) == WRONG
    assert set(table.loc[list(WRONG), "verdict"]) == {NOT_REPRODUCED}
    # That of the run itself, too.
    assert table.loc["best_epoch_flatters", "verdict"] == "holds"
    # It says what was seen all the same.
    seen = table[table["reason"] == "reduced scale"]
    assert set(seen["here"]) == {"agrees", "disagrees", "unclear", "not comparable"}
    assert seen["effect"].notna().all()


def test_synthetic_images_are_compared_with_nothing(recorded: Path):
    results = Results(recorded)
    results.data["synthetic"] = True
    table = judged(results)
    seen = table[table["basis"].isin(["training", "run"])]
    assert set(seen["reason"]) == {"synthetic data"}
    assert seen["effect"].isna().all()
    assert not seen["evidence"].str.contains("%").any()
    assert table["here"].isna().all()
    arithmetic = table[table["basis"] == "arithmetic"]
    assert set(arithmetic["verdict"]) == {REPRODUCED, NOT_REPRODUCED, "holds"}
    assert set(arithmetic.index[arithmetic["verdict"] == NOT_REPRODUCED]) == WRONG


def test_an_analysis_that_is_not_made_is_named(recorded: Path):
    results = Results(recorded)
    results.run["config"]["analyses"] = []
    rows = judged(results)
    rows = rows[rows["file"].str.partition("/")[0].isin(analyses.names())]
    assert len(rows) > 10
    for row in rows.itertuples():
        name = row.file.partition("/")[0]
        assert (row.verdict, row.reason) in [(UNDECIDED, "not run"), ("unclear", "not run")]
        assert row.evidence == f"Not run yet: add {name} to analyses in the config"


def test_single_replicates_are_too_few(tmp_path: Path):
    table = judged(sample(tmp_path, reduced=False, replicates=1))
    for name in ("accuracy_conv", "accuracy_order"):
        assert table.loc[name, ["verdict", "reason"]].tolist() == [UNDECIDED, "too few replicates"]


@pytest.mark.parametrize(
    ("claim", "accuracies", "expected", "effect"),
    [
        ("accuracy_conv", (0.8766, 0.7736, 0.8433), REPRODUCED, 0),
        ("accuracy_conv", (0.895, 0.7736, 0.8433), UNDECIDED, 1.84),
        ("accuracy_conv", (0.95, 0.7736, 0.8433), NOT_REPRODUCED, 7.34),
        ("accuracy_order", (0.88, 0.77, 0.84), REPRODUCED, 4),
        ("accuracy_order", (0.88, 0.85, 0.77), NOT_REPRODUCED, -8),
        ("accuracy_order", (0.88, 0.841, 0.842), UNDECIDED, 0.1),
    ],
)
def test_accuracies_decide_in_a_full_run(tmp_path: Path, claim, accuracies, expected, effect):
    skill = dict(zip(("conv", "depthwise", "separable"), accuracies, strict=True))
    row = judged(sample(tmp_path, reduced=False, skill=skill)).loc[claim]
    assert row["verdict"] == expected
    assert row["effect"] == pytest.approx(effect, abs=0.5)
    assert row["low"] < row["effect"] < row["high"]


def test_nothing_completed_leaves_winners_open(tmp_path: Path):
    results = sample(tmp_path, reduced=False)
    for name in ("accuracy", "penalised"):
        edit(
            results,
            f"search/{name}/trials.csv",
            lambda trials: trials.assign(state="PRUNED", objective=None),
        )
    table = judged(tabulated(tmp_path))
    assert set(table.loc[["conv_wins", "separable_wins", "place_matters"], "reason"]) == {
        "nothing to compare"
    }
    assert table.loc["most_are_pruned", "reason"] == "one draw"
    # A module that was drawn and pruned was tried: once, and that says nothing of its rank.
    drawn = table.loc["mobilenet_does_well"]
    assert (drawn["verdict"], drawn["reason"], drawn["here"]) == (UNDECIDED, "one draw", "unclear")


def test_a_study_with_another_penalty_is_not_the_articles(tmp_path: Path):
    results = sample(tmp_path, reduced=False)
    results.run["config"] = merged(
        FULL, {"search": {"studies": {"penalised": {"penalty": {"weight": 0.2}}}}}
    )
    tables.write_tables(results, tmp_path / "tables")
    table = judged(results)
    assert table.loc["separable_wins", "reason"] == "nothing to compare"
    assert table.loc["conv_wins", "reason"].startswith("other settings: No study has")


@pytest.mark.parametrize("name", ["verification/examples.csv", "verification/identities.csv"])
def test_a_wrong_number_refutes_the_claims_about_it(tmp_path: Path, name: str):
    def shift(table: pd.DataFrame) -> pd.DataFrame:
        column = "actual" if "actual" in table else "max_abs_error"
        return table.assign(**{column: table[column] + 1})

    table = judged(edit(sample(tmp_path), name, shift))
    assert set(table.loc[table["file"] == name, "verdict"]) <= {NOT_REPRODUCED, "does not hold"}


def test_a_wrong_count_refutes_its_claim_alone(tmp_path: Path):
    def one_more(counts: pd.DataFrame) -> pd.DataFrame:
        counts.loc[counts["model"] == "depthwise", "parameters"] += 1
        return counts

    table = judged(edit(sample(tmp_path), "counts/models.csv", one_more))
    wrong = table[table["verdict"] == NOT_REPRODUCED]
    assert wrong["effect"].drop("unseen_for_a_reason").to_dict() == {"parameters_depthwise": 1}
