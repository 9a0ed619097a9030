"""The evaluator on mutated tables, and config/claims.yaml against what the article states."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from convstudy.analyses.article_study import tables
from convstudy.article import facts
from convstudy.claims import ledger, verdicts
from convstudy.claims.verdicts import NOT_REPRODUCED, REPRODUCED, UNDECIDED
from convstudy.config.analyses import EXTRAS
from convstudy.config.settings import merged
from convstudy.core.errors import UserError
from convstudy.core.files import write_csv, write_json, write_text
from convstudy.results.run import Results
from convstudy.training.record import pack
from helpers.paths import OVERLAY, ROOT
from helpers.results import ALL_EXACT, FULL, write_sample

FILE = ROOT / "config/claims.yaml"
LISTED = ledger.load(FILE)


def tabulated(folder: Path) -> Results:
    tables.write_tables(Results(folder), folder / "tables")
    return Results(folder)


def sample(folder: Path, **settings) -> Results:
    """Give sample results with their tables."""
    return tabulated(write_sample(folder, **settings))


def judged(results: Results) -> pd.DataFrame:
    return verdicts.check(results, LISTED, OVERLAY).set_index("id")


def edit(results: Results, name: str, change) -> Results:
    """Change a file of the results."""
    write_csv(results.folder / name, change(results.table(name)))
    return Results(results.folder)


# The four tests, on a table of our own

CLAIM = {
    "id": "one",
    "statement": "It is so.",
    "source": "Somewhere",
    "basis": "training",
    "file": "tables/trials.csv",
    "unit": "times",
    "refuted_by": "Another number.",
}


def load(folder: Path, **keys) -> list[ledger.Claim]:
    """Read a file with one claim; None takes a key away."""
    claim = {key: value for key, value in {**CLAIM, **keys}.items() if value is not None}
    write_text(folder / "claims.yaml", yaml.safe_dump({"Ours": {"claims": [claim]}}))
    return ledger.load(folder / "claims.yaml")


def verdict(folder: Path, table: pd.DataFrame, **keys) -> dict[str, Any]:
    """Judge one claim about a table."""
    write_csv(folder / "tables/trials.csv", table)
    write_json(folder / "run.json", {"config": FULL, "reductions": [], "extras": []})
    write_json(folder / "data/summary.json", {"synthetic": False, **ALL_EXACT})
    return verdicts.check(Results(folder), load(folder, **keys), OVERLAY).iloc[0].to_dict()


def equality(value: Any, expected: Any) -> dict[str, Any]:
    return {"equality": {"value": value, "expected": expected}}


def tolerance(value: Any, expected: float, most: float) -> dict[str, Any]:
    return {"tolerance": {"value": value, "expected": expected, "tolerance": most}}


def ordering(*values: Any) -> dict[str, Any]:
    return {"ordering": {"values": list(values)}}


def interval(value: Any, **bounds: float) -> dict[str, Any]:
    return {"interval": {"value": value, **bounds}}


def spread(quantity: dict[str, Any]) -> dict[str, Any]:
    return {**quantity, "interval": ["low", "high"]}


NUMBERS = pd.DataFrame(
    {"name": ["a", "b"], "value": [3.0, 5.0], "low": [2.5, 4.0], "high": [3.5, 6.0], "of": [3, 5]}
)
VALUE, OF, WRONG = {"column": "value"}, {"column": "of"}, {"column": "valu"}
A, B, C = ({"select": f"name == '{name}'", **VALUE} for name in "abc")
MEAN = {"column": "test_accuracy_best", "reduce": "mean", "interval": "accuracy"}


def trained(*accuracies: float, seed: int = 0, **columns: Any) -> pd.DataFrame:
    """Tabulate trainings that were right on 10,000 images by chance, so often."""
    rng = np.random.default_rng(seed)
    right = [rng.permutation(10_000) < 10_000 * accuracy for accuracy in accuracies]
    return pd.DataFrame(
        {
            "test_accuracy_best": accuracies,
            "right_best": [pack(one) for one in right],
            "test_images": 10_000,
            **columns,
        }
    )


@pytest.mark.parametrize(
    ("test", "expected", "effect"),
    [
        (equality(A, 3), REPRODUCED, 0),
        (equality(A, 4), NOT_REPRODUCED, -1),
        (equality(VALUE, OF), REPRODUCED, 0),
        (equality(VALUE, 3), NOT_REPRODUCED, 2),
        (equality({**VALUE, "reduce": "sum"}, 8), REPRODUCED, 0),
        (equality({"column": "name", "reduce": "count"}, 2), REPRODUCED, 0),
        (tolerance(A, 3.4, 0.5), REPRODUCED, -0.4),
        (tolerance(A, 3.6, 0.5), NOT_REPRODUCED, -0.6),
        (tolerance(spread(A), 3, 0.6), REPRODUCED, 0),
        (tolerance(spread(A), 3, 0.4), UNDECIDED, 0),
        (tolerance(spread(A), 4, 0.4), NOT_REPRODUCED, -1),
        (ordering(B, A), REPRODUCED, 2),
        (ordering(A, B), NOT_REPRODUCED, -2),
        (ordering(A, A), NOT_REPRODUCED, 0),
        (ordering(spread(B), spread(A)), REPRODUCED, 2),
        (ordering(spread(A), spread(B)), NOT_REPRODUCED, -2),
        (ordering(spread(A), spread(A)), UNDECIDED, 0),
        # One pair in the wrong order decides, whatever the other one does.
        (ordering(B, A, B), NOT_REPRODUCED, -2),
        (interval(A, above=2, below=4), REPRODUCED, 3),
        (interval(A, above=3), NOT_REPRODUCED, 3),
        (interval(spread(B), below=5.5), UNDECIDED, 5),
        (interval(VALUE, below=5), NOT_REPRODUCED, 5),
        (interval({**B, "over": A}, above=1.6, below=1.7), REPRODUCED, 5 / 3),
    ],
)
def test_each_test_can_pass_and_fail(tmp_path: Path, test, expected: str, effect: float):
    row = verdict(tmp_path, NUMBERS, **test)
    assert row["verdict"] == expected
    assert row["effect"] == pytest.approx(effect)
    assert (row["reason"] == "within the interval") == (expected == UNDECIDED)


def test_the_interval_of_an_exact_number_is_empty_and_points_are_hundredths(tmp_path: Path):
    assert pd.isna(verdict(tmp_path, NUMBERS, **ordering(B, A))["low"])
    row = verdict(tmp_path, NUMBERS, **ordering(spread(B), spread(A)), unit="points")
    assert row["effect"] == pytest.approx(200)
    # The squares of the distances add up: 1 and 0.5 on either side.
    assert row["low"] == pytest.approx(200 - 100 * np.hypot(1, 0.5))
    assert row["high"] == pytest.approx(200 + 100 * np.hypot(1, 0.5))


@pytest.mark.parametrize(
    ("table", "value", "reason"),
    [
        (NUMBERS, C, "nothing to compare"),
        (trained(0.88, 0.88), MEAN, "too few replicates"),
        (trained(0.88, 0.88, 0.88), MEAN, None),
        # As tables of single replicates are.
        ({"value": [0.88], "low": None, "high": None}, spread(VALUE), "too few replicates"),
    ],
)
def test_rows_and_replicates_are_needed(tmp_path: Path, table, value, reason: str | None):
    row = verdict(tmp_path, pd.DataFrame(table), **interval(value, above=0.8))
    assert row["verdict"] == (UNDECIDED if reason else REPRODUCED)
    assert reason is None or row["reason"] == reason
    assert "nan" not in row["evidence"]
    assert row["evidence"]


def test_the_interval_of_an_accuracy_holds_the_chance_in_trainings_and_images(tmp_path: Path):
    alike, apart = (
        verdict(tmp_path, trained(*values), **interval(MEAN, above=0.8))
        for values in ([0.88] * 3, [0.86, 0.88, 0.9])
    )
    # Errors that are independent of each other are as many as three times the images.
    assert 0.88 - alike["low"] == pytest.approx(1.96 * np.sqrt(0.88 * 0.12 / 30_000), rel=0.1)
    # Student's t with two degrees of freedom times the standard error.
    assert 0.88 - apart["low"] == pytest.approx(4.302653 * 0.02 / np.sqrt(3), rel=0.03)


def test_the_least_of_several_numbers_lies_between_the_least_of_their_ends(tmp_path: Path):
    # The row with the least number is not the surest one.
    table = pd.DataFrame(
        {"speedup": [0.85, 0.93, 1.2], "low": [0.6, 0.88, 1.1], "high": [1.2, 0.98, 1.3]}
    )
    value = {"column": "speedup", "reduce": "min", "interval": ["low", "high"]}
    row = verdict(tmp_path, table, interval={"value": value, "below": 1})
    assert row["verdict"] == REPRODUCED
    assert [row[name] for name in ("effect", "low", "high")] == [0.85, 0.6, 0.98]
    wider = table.assign(high=[1.2, 1.01, 1.3])
    row = verdict(tmp_path, wider, interval={"value": value, "below": 1})
    assert row["verdict"] == UNDECIDED


def test_an_order_of_accuracies_is_judged_on_the_same_images(tmp_path: Path):
    table = pd.concat(
        [trained(0.88, 0.881, 0.882, kind="a"), trained(0.87, 0.871, 0.872, kind="b")]
    )
    table["right_best"] = [pack(np.arange(10_000) < 10_000 * one) for one in table.iloc[:, 0]]
    quantities = [{**MEAN, "select": f"kind == '{kind}'"} for kind in "ab"]
    row = verdict(tmp_path, table, **ordering(*quantities), unit="points")
    # Unpaired, the images alone would leave 0.9 points open.
    assert (row["verdict"], row["effect"]) == (REPRODUCED, pytest.approx(1))
    assert row["high"] - row["low"] < 1


def test_a_ratio_has_the_intervals_of_both_numbers(tmp_path: Path):
    row = verdict(tmp_path, NUMBERS, **interval({**spread(B), "over": spread(A)}, above=1))
    assert row["effect"] == pytest.approx(5 / 3)
    below = np.hypot(np.log(5 / 4), np.log(3.5 / 3))
    assert row["low"] == pytest.approx(5 / 3 * np.exp(-below))
    assert row["verdict"] == REPRODUCED
    exact = verdict(tmp_path, NUMBERS, **interval({**B, "over": A}, above=1))
    assert pd.isna(exact["low"])


LACKS = "test names the column valu, but results/tables/trials.csv has name"


@pytest.mark.parametrize(
    ("test", "words"),
    [
        (equality({**A, "select": "nome == 1"}, 1), "nome"),
        (equality({**A, "select": "name =="}, 1), "name =="),
        (ordering(A, VALUE), "add reduce"),
        (interval({"column": "name"}, above=1), "holds text"),
        (equality({**VALUE, "reduce": "sum"}, OF), "remove reduce"),
        (equality(WRONG, 1), LACKS),
        (equality(A, WRONG), LACKS),
        (interval({**A, "interval": ["low", "valu"]}, above=1), LACKS),
        (interval({**A, "named_by": "valu"}, above=1), LACKS),
    ],
)
def test_a_test_that_cannot_be_done_is_one_line(tmp_path: Path, test, words: str):
    with pytest.raises(UserError, match=re.escape(words)) as caught:
        verdict(tmp_path, NUMBERS, **test)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("config/claims.yaml: claim one: ")


# What a run's size allows


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
    trained = table["basis"] == "training"
    assert set(table.loc[trained, "reason"]) == {"reduced scale"}
    assert set(table.loc[~trained, "reason"].dropna()) == {"within the interval"}
    counted = (table["basis"] == "arithmetic") & (table["source"] != ledger.OWN)
    assert set(table.loc[counted, "verdict"]) == {REPRODUCED}
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
    assert set(table.loc[table["basis"] == "arithmetic", "verdict"]) == {REPRODUCED, "holds"}


def test_a_part_that_is_not_made_of_these_settings_names_its_command(recorded: Path):
    results = Results(recorded)
    results.run["extras"] = []
    rows = judged(results)
    rows = rows[rows["file"].str.partition("/")[0].isin(EXTRAS)]
    assert len(rows) > 10
    for row in rows.itertuples():
        target = EXTRAS[row.file.partition("/")[0]].target
        assert (row.verdict, row.reason) in [(UNDECIDED, "not made"), ("unclear", "not made")]
        assert row.evidence == f"Not made yet: snakemake --cores all {target}"


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


# config/claims.yaml


@pytest.mark.parametrize("name", ["verification/examples.csv", "verification/identities.csv"])
def test_a_wrong_number_refutes_the_claims_about_it(tmp_path: Path, name: str):
    def shift(table: pd.DataFrame) -> pd.DataFrame:
        column = "actual" if "actual" in table else "max_abs_error"
        return table.assign(**{column: table[column] + 1})

    table = judged(edit(sample(tmp_path), name, shift))
    assert set(table.loc[table["file"] == name, "verdict"]) == {NOT_REPRODUCED}


def test_a_wrong_count_refutes_its_claim_alone(tmp_path: Path):
    def one_more(counts: pd.DataFrame) -> pd.DataFrame:
        counts.loc[counts["model"] == "depthwise", "parameters"] += 1
        return counts

    table = judged(edit(sample(tmp_path), "counts/models.csv", one_more))
    wrong = table[table["verdict"] == NOT_REPRODUCED]
    assert wrong["effect"].to_dict() == {"parameters_depthwise": 1}


def test_every_accuracy_objective_and_count_of_the_article_is_claimed():
    entries = ledger.expanded(yaml.safe_load(FILE.read_text(encoding="utf-8")))
    claimed = {path for entry in entries for path, _ in ledger.figures(entry)}

    def figures(part: Any, path: str = ""):
        pairs = enumerate(part) if isinstance(part, list) else part.items()
        for key, value in pairs:
            where = f"{path}{key}"
            if isinstance(value, (dict, list)):
                yield from figures(value, f"{where}.")
            elif key in ("test_accuracy", "objective", "parameters", "completed", "trials"):
                yield where

    stated = set(figures(facts.load()))
    assert len(stated) > 25
    assert stated <= claimed


def test_no_figure_of_the_article_stands_in_the_claims_themselves():
    text = FILE.read_text(encoding="utf-8")
    for number in ("87.66", "77.36", "84.33", "88.46", "0.2407", "1,598,730", "58506", "598.5"):
        assert number not in text
    assert "87.66 %" in " ".join(claim.statement for claim in LISTED)


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        ({"order": {}}, "claim one: order is no key; allowed here are topic, basis, file"),
        (
            {"ordering": {"values": [A, B], "vales": []}},
            "claim one: ordering.vales is no key; allowed here are values; did you mean",
        ),
        ({"ordering": None}, "claim one: it has no equality or tolerance or ordering or"),
        (interval(A, below=2), "claim one has ordering and interval; allowed is one of them"),
        ({"refuted_by": None}, "claim one: it has no refuted_by; needed are id"),
        ({"ordering": {}}, "claim one: ordering has no values; needed are values"),
        (interval(A), "claim one: interval has no above or below"),
        ({"ordering": "b"}, "claim one: ordering: 'b', but allowed is a section with keys"),
        ({"file": "trials.csv"}, "claim one: file: 'trials.csv', but allowed is one of"),
        ({"basis": "guess"}, "claim one: basis: 'guess', but allowed is one of arithmetic"),
        ({"id": "Claim 1"}, "claim Claim 1: id: 'Claim 1', but allowed is lower-case"),
        (equality(A, {}), "claim one: equality.expected: {}, but allowed is a number"),
        ({"each": [{"kind": 1}, {"kind": 2}]}, "claim one: id stands twice"),
        ({"draws": "once"}, "claim one has draws; allowed are the claims conv_wins, "),
        (
            {"each": [{}], "id": "a_$kind"},
            "an entry with each uses $kind, which each does not give; add it there",
        ),
        ({"each": [{}], "id": "a $"}, "an entry with each has a $ that names nothing; write $$"),
        (
            {"statement": "It has {single_kind.conv.weight}."},
            "claim one: single_kind.conv.weight is no figure of the article; single_kind.conv has"
            " parameters, test_accuracy",
        ),
        ({"statement": "By {source.author:.x}."}, "claim one: statement has the format '.x'"),
    ],
)
def test_a_mistake_in_the_claims_is_one_line(tmp_path: Path, keys, line: str):
    with pytest.raises(UserError) as caught:
        load(tmp_path, **{**ordering(A, B), **keys})
    head, *lines = str(caught.value).splitlines()
    assert head == f"{tmp_path / 'claims.yaml'} has a mistake:"
    assert len(lines) == 1
    assert lines[0].strip().startswith(line)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"- a", "the topics of claims: ['a'], but allowed is a section with keys"),
        (b"A topic: {}", "A topic has no claims; needed are claims; add it"),
        (b"- id: [", "is no YAML in line 1"),
        (b"\xff", "is no YAML: it is not UTF-8"),
        (None, "is missing; it lists the claims: restore it"),
    ],
)
def test_a_file_that_lists_no_claims_is_one_line(tmp_path: Path, content, words: str):
    path = tmp_path / "claims.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=re.escape(words)) as caught:
        ledger.load(path)
    assert "\n" not in str(caught.value).removeprefix(f"{path} has a mistake:\n")
