"""The evaluator on mutated tables, and config/claims.yaml against what the article states."""

import copy
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from convstudy import article, claims, examples, ledger, stats, tables, verification
from convstudy.claims import NOT_REPRODUCED, REPRODUCED, UNDECIDED
from convstudy.errors import UserError
from convstudy.extras import EXTRAS
from convstudy.files import read_json, write_csv, write_json
from convstudy.optimism import LAST, ON_HALF
from convstudy.results import Results
from sample_results import write_extras, write_sample

FILE = Path(__file__).parents[2] / "config/claims.yaml"
LISTED = ledger.load(FILE)
TOPICS = yaml.safe_load(FILE.read_text(encoding="utf-8"))
MEAN = "test_accuracy_best"
# Files of the parts that are made on demand.
OPT_IN = {claim.file for claim in LISTED if claim.file.partition("/")[0] in EXTRAS}


def sample(folder: Path, **settings) -> Results:
    """Give sample results with their tables."""
    results = Results(write_sample(folder, **settings))
    tables.write_tables(results, folder / "tables")
    return Results(folder)


def judged(results: Results) -> pd.DataFrame:
    return claims.check(results, LISTED).set_index("id")


def edit(results: Results, name: str, change) -> Results:
    """Change a file of the results."""
    write_csv(results.folder / name, change(results.table(name)))
    return Results(results.folder)


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> pd.DataFrame:
    return judged(sample(tmp_path_factory.mktemp("small")))


@pytest.fixture(scope="module")
def full(tmp_path_factory) -> pd.DataFrame:
    return judged(sample(tmp_path_factory.mktemp("full"), reduced=False))


# The four tests, on a table of our own


def verdict(tmp_path: Path, table: pd.DataFrame, test: dict[str, Any], **others) -> dict[str, Any]:
    """Judge one claim about a table."""
    results = Results(write_sample(tmp_path, reduced=others.pop("reduced", False)))
    name = "tables/trials.csv"
    write_csv(tmp_path / name, table)
    claim = ledger.Claim(
        **{
            "id": "one",
            "topic": "Ours",
            "statement": "It is so.",
            "source": "this project",
            "basis": "training",
            "file": name,
            "test": test,
            "unit": "times",
            "refuted_by": "Another number.",
            **others,
        }
    )
    return claims.check(results, [claim]).iloc[0].to_dict()


NUMBERS = pd.DataFrame(
    {"name": ["a", "b"], "value": [3.0, 5.0], "low": [2.5, 4.0], "high": [3.5, 6.0], "of": [3, 5]}
)
A = {"select": "name == 'a'", "column": "value"}
B = {"select": "name == 'b'", "column": "value"}


def spread(quantity: dict[str, Any]) -> dict[str, Any]:
    return {**quantity, "interval": ["low", "high"]}


@pytest.mark.parametrize(
    ("test", "expected", "effect"),
    [
        ({"type": "equality", "value": A, "expected": 3}, REPRODUCED, 0),
        ({"type": "equality", "value": A, "expected": 4}, NOT_REPRODUCED, -1),
        (
            {"type": "equality", "value": {"column": "value"}, "expected": {"column": "of"}},
            REPRODUCED,
            0,
        ),
        (
            {"type": "equality", "value": {"column": "value"}, "expected": 3},
            NOT_REPRODUCED,
            2,
        ),
        ({"type": "tolerance", "value": A, "expected": 3.4, "tolerance": 0.5}, REPRODUCED, -0.4),
        (
            {"type": "tolerance", "value": A, "expected": 3.6, "tolerance": 0.5},
            NOT_REPRODUCED,
            -0.6,
        ),
        (
            {"type": "tolerance", "value": spread(A), "expected": 3, "tolerance": 0.6},
            REPRODUCED,
            0,
        ),
        ({"type": "tolerance", "value": spread(A), "expected": 3, "tolerance": 0.4}, UNDECIDED, 0),
        (
            {"type": "tolerance", "value": spread(A), "expected": 4, "tolerance": 0.4},
            NOT_REPRODUCED,
            -1,
        ),
        ({"type": "ordering", "values": [B, A]}, REPRODUCED, 2),
        ({"type": "ordering", "values": [A, B]}, NOT_REPRODUCED, -2),
        ({"type": "ordering", "values": [A, A]}, NOT_REPRODUCED, 0),
        ({"type": "ordering", "values": [spread(B), spread(A)]}, REPRODUCED, 2),
        ({"type": "ordering", "values": [spread(A), spread(B)]}, NOT_REPRODUCED, -2),
        ({"type": "ordering", "values": [spread(A), spread(A)]}, UNDECIDED, 0),
        # One pair in the wrong order decides, whatever the other one does.
        ({"type": "ordering", "values": [B, A, B]}, NOT_REPRODUCED, -2),
        ({"type": "interval", "value": A, "above": 2, "below": 4}, REPRODUCED, 3),
        ({"type": "interval", "value": A, "above": 3}, NOT_REPRODUCED, 3),
        ({"type": "interval", "value": spread(B), "below": 5.5}, UNDECIDED, 5),
        ({"type": "interval", "value": {"column": "value"}, "below": 5}, NOT_REPRODUCED, 5),
        (
            {"type": "interval", "value": {**B, "over": A}, "above": 1.6, "below": 1.7},
            REPRODUCED,
            5 / 3,
        ),
        (
            {"type": "equality", "value": {"column": "value", "reduce": "sum"}, "expected": 8},
            REPRODUCED,
            0,
        ),
        (
            {"type": "equality", "value": {"column": "name", "reduce": "count"}, "expected": 2},
            REPRODUCED,
            0,
        ),
    ],
)
def test_each_test_can_pass_and_fail(tmp_path: Path, test, expected: str, effect: float):
    row = verdict(tmp_path, NUMBERS, test)
    assert row["verdict"] == expected
    assert row["effect"] == pytest.approx(effect)
    assert (row["reason"] == "within the interval") == (expected == UNDECIDED)


def test_the_interval_of_an_exact_number_is_empty_and_points_are_hundredths(tmp_path: Path):
    test = {"type": "ordering", "values": [B, A]}
    assert pd.isna(verdict(tmp_path / "exact", NUMBERS, test)["low"])
    test = {"type": "ordering", "values": [spread(B), spread(A)]}
    row = verdict(tmp_path / "spread", NUMBERS, test, unit="points")
    assert row["effect"] == pytest.approx(200)
    # The squares of the distances add up: 1 and 0.5 on either side.
    assert row["low"] == pytest.approx(200 - 100 * np.hypot(1, 0.5))
    assert row["high"] == pytest.approx(200 + 100 * np.hypot(1, 0.5))


@pytest.mark.parametrize(("replicates", "decided"), [(2, False), (3, True)])
def test_a_mean_accuracy_needs_replicates(tmp_path: Path, replicates: int, decided: bool):
    table = pd.DataFrame({"accuracy": [0.88] * replicates})
    value = {"column": "accuracy", "reduce": "mean", "interval": "accuracy"}
    row = verdict(tmp_path, table, {"type": "interval", "value": value, "above": 0.8})
    assert row["verdict"] == (REPRODUCED if decided else UNDECIDED)
    assert decided or row["reason"] == "too few replicates"


def test_replicates_that_differ_widen_the_interval_of_the_test_images(tmp_path: Path):
    value = {"column": "accuracy", "reduce": "mean", "interval": "accuracy"}
    test = {"type": "interval", "value": value, "above": 0.8}
    alike = verdict(tmp_path / "alike", pd.DataFrame({"accuracy": [0.88] * 3}), test)
    apart = verdict(tmp_path / "apart", pd.DataFrame({"accuracy": [0.86, 0.88, 0.9]}), test)
    assert (alike["low"], alike["high"]) == pytest.approx(stats.wilson(0.88, 10_000))
    assert apart["low"] < alike["low"] < alike["high"] < apart["high"]
    # Student's t with two degrees of freedom times the standard error.
    assert 0.88 - apart["low"] == pytest.approx(
        np.hypot(0.88 - alike["low"], 4.302653 * 0.02 / np.sqrt(3))
    )


def test_no_row_is_no_verdict(tmp_path: Path):
    value = {"select": "name == 'c'", "column": "value"}
    row = verdict(tmp_path, NUMBERS, {"type": "equality", "value": value, "expected": 0})
    assert (row["verdict"], row["reason"]) == (UNDECIDED, "nothing to compare")
    assert "name == 'c'" in row["evidence"]


@pytest.mark.parametrize(
    ("test", "words"),
    [
        ({"type": "equality", "value": {**A, "select": "nome == 1"}, "expected": 1}, "nome"),
        ({"type": "equality", "value": {**A, "select": "name =="}, "expected": 1}, "name =="),
        ({"type": "ordering", "values": [A, {"column": "value"}]}, "add reduce"),
        ({"type": "interval", "value": {"column": "name"}, "above": 1}, "holds text"),
        (
            {
                "type": "equality",
                "value": {"column": "value", "reduce": "sum"},
                "expected": {"column": "of"},
            },
            "remove reduce",
        ),
    ],
)
def test_a_test_that_cannot_be_done_is_one_line(tmp_path: Path, test, words: str):
    with pytest.raises(UserError, match=re.escape(words)) as caught:
        verdict(tmp_path, NUMBERS, test)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("config/claims.yaml: claim one: ")


def test_a_column_that_the_file_lacks_is_one_line(tmp_path: Path):
    wrong = {"column": "valu"}
    for test in (
        {"type": "equality", "value": wrong, "expected": 1},
        {"type": "equality", "value": A, "expected": wrong},
        {"type": "interval", "value": {**A, "interval": ["low", "valu"]}, "above": 1},
        {"type": "interval", "value": {**A, "named_by": "valu"}, "above": 1},
    ):
        with pytest.raises(
            UserError, match=r"column valu, but results/tables/trials\.csv has name"
        ):
            verdict(tmp_path, NUMBERS, test)


# What a run's size allows


def test_what_is_said_of_the_run_itself_is_decided_at_any_size(tmp_path: Path):
    results = sample(tmp_path, reduced=True)
    write_extras(tmp_path)
    results.run["extras"] = ["optimism"]
    table = judged(results)
    assert table.loc["choosing_adds", "verdict"] == REPRODUCED
    data = read_json(tmp_path / "data/summary.json")
    write_json(tmp_path / "data/summary.json", {**data, "synthetic": True})
    made_up = Results(tmp_path)
    made_up.run["extras"] = ["optimism"]
    assert judged(made_up).loc["choosing_adds", "reason"] == "synthetic data"


def test_a_small_run_decides_arithmetic_and_nothing_about_training(small: pd.DataFrame):
    decided = small[small["verdict"] != UNDECIDED]
    assert set(decided["basis"]) == {"arithmetic", "timing"}
    assert set(small.loc[small["basis"] == "arithmetic", "verdict"]) == {REPRODUCED}
    seen = small[(small["basis"] == "training") & (small["reason"] == "reduced scale")]
    assert len(seen) >= 8
    # It says what was seen all the same.
    assert seen["evidence"].str.contains("At this scale").all()
    assert seen["effect"].notna().all()


def test_synthetic_images_are_compared_with_nothing(tmp_path: Path):
    table = judged(sample(tmp_path, synthetic=True, reduced=False))
    trained = table[(table["basis"] == "training") & ~table["file"].isin(OPT_IN)]
    assert len(trained) >= 10
    assert set(trained["reason"]) == {"synthetic data"}
    assert trained["effect"].isna().all()
    assert not trained["evidence"].str.contains("%").any()
    assert set(table.loc[table["basis"] == "arithmetic", "verdict"]) == {REPRODUCED}


def test_single_replicates_are_too_few(tmp_path: Path):
    table = judged(sample(tmp_path, reduced=False, replicates=1))
    for name in ("accuracy_conv", "accuracy_order"):
        assert table.loc[name, ["verdict", "reason"]].tolist() == [UNDECIDED, "too few replicates"]


def test_a_part_that_is_not_made_names_its_command(full: pd.DataFrame):
    for row in full[full["file"].isin(OPT_IN)].itertuples():
        assert row.verdict == UNDECIDED
        extra = row.file.partition("/")[0]
        target = EXTRAS[extra].target if extra in EXTRAS else f"results/{row.file}"
        assert row.reason == f"not made: snakemake --cores all {target}"


def test_an_extra_of_other_settings_is_not_judged(tmp_path: Path):
    results = sample(tmp_path, reduced=False)
    best = {"module": "conv-conv-conv", "rank": 1, "rank_low": 1, "rank_high": 1}
    write_csv(tmp_path / "exhaustive/summary.csv", pd.DataFrame([best]))
    write_csv(tmp_path / "exhaustive/table.csv", pd.DataFrame(columns=["module", MEAN]))
    row = judged(results).loc["conv_first_of_all"]
    assert row["reason"] == "not made: snakemake --cores all tabulate_modules"
    results.run["extras"] = ["exhaustive"]
    assert judged(results).loc["conv_first_of_all", "verdict"] == REPRODUCED


def test_a_table_of_single_replicates_has_too_few(tmp_path: Path):
    table = pd.DataFrame({"rank": [1], "low": [np.nan], "high": [np.nan]})
    value = {"column": "rank", "interval": ["low", "high"]}
    row = verdict(tmp_path, table, {"type": "interval", "value": value, "below": 2})
    assert (row["verdict"], row["reason"]) == (UNDECIDED, "too few replicates")
    assert "nan" not in row["evidence"]


@pytest.mark.parametrize(
    ("skill", "expected"),
    [
        ({"conv": 0.88, "depthwise": 0.77, "separable": 0.84}, REPRODUCED),
        ({"conv": 0.88, "depthwise": 0.85, "separable": 0.77}, NOT_REPRODUCED),
        ({"conv": 0.88, "depthwise": 0.841, "separable": 0.842}, UNDECIDED),
    ],
)
def test_order_of_accuracy_in_a_full_run(tmp_path: Path, skill, expected: str):
    table = judged(sample(tmp_path, reduced=False, skill=skill))
    assert table.loc["accuracy_order", "verdict"] == expected


@pytest.mark.parametrize(
    ("conv", "expected"), [(0.8766, REPRODUCED), (0.89, UNDECIDED), (0.95, NOT_REPRODUCED)]
)
def test_level_of_accuracy_in_a_full_run(tmp_path: Path, conv: float, expected: str):
    skill = {"conv": conv, "depthwise": 0.7736, "separable": 0.8433}
    row = judged(sample(tmp_path, reduced=False, skill=skill)).loc["accuracy_conv"]
    assert row["verdict"] == expected
    assert row["effect"] == pytest.approx(100 * conv - 87.66, abs=0.5)
    assert row["low"] < row["effect"] < row["high"]


@pytest.mark.parametrize(
    ("leader", "expected"), [("conv", REPRODUCED), ("separable", NOT_REPRODUCED)]
)
def test_winner_by_accuracy_in_a_full_run(tmp_path: Path, leader: str, expected: str):
    skill = {"conv": 0.6, "depthwise": 0.6, "separable": 0.6, leader: 0.95}
    table = judged(sample(tmp_path, reduced=False, skill=skill))
    assert table.loc["conv_wins", "verdict"] == expected


def test_a_module_that_is_never_drawn_confirms_that_it_is_not_tried(
    tmp_path: Path, full: pd.DataFrame
):
    assert full.loc["never_tried", "verdict"] == NOT_REPRODUCED
    results = edit(
        sample(tmp_path, reduced=False),
        "tables/trials.csv",
        lambda trials: trials[trials["module"] != "depthwise-depthwise-depthwise"],
    )
    assert judged(results).loc["never_tried", "verdict"] == REPRODUCED


def test_nothing_completed_leaves_winners_open(tmp_path: Path):
    results = sample(tmp_path, reduced=False)
    for name in ("accuracy", "penalised"):
        edit(
            results,
            f"search/{name}/trials.csv",
            lambda trials: trials.assign(state="PRUNED", objective=None),
        )
    tables.write_tables(Results(tmp_path), tmp_path / "tables")
    table = judged(Results(tmp_path))
    assert set(table.loc[["conv_wins", "separable_wins", "place_matters"], "reason"]) == {
        "nothing to compare"
    }
    assert table.loc["most_are_pruned", "verdict"] == REPRODUCED
    # A module that was drawn and pruned is not among the best.
    assert table.loc["mobilenet_does_well", "verdict"] == NOT_REPRODUCED


def test_a_study_with_another_penalty_is_not_the_articles(tmp_path: Path):
    results = sample(tmp_path, reduced=False)
    results.studies["penalised"].penalty["weight"] = 0.2
    tables.write_tables(results, tmp_path / "tables")
    table = judged(Results(tmp_path))
    assert table.loc["separable_wins", "reason"] == "nothing to compare"
    assert table.loc["conv_wins", "verdict"] == REPRODUCED


# config/claims.yaml


def test_arithmetic_holds_in_keras(tmp_path: Path):
    results = sample(tmp_path)
    write_csv(tmp_path / "verification/examples.csv", examples.check_examples())
    write_csv(tmp_path / "verification/identities.csv", verification.check_identities())
    table = judged(results)
    exact = table[table["basis"] == "arithmetic"]
    assert len(exact) > 30
    assert set(exact["verdict"]) == {REPRODUCED}


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


def test_claims_about_opt_in_parts_are_judged_when_these_are_there(tmp_path: Path):
    """Their selections find rows, and the numbers decide."""
    results = sample(tmp_path, reduced=False)
    modules = results.counts.dropna(subset=["layer3"])["model"]
    exhaustive = pd.DataFrame({"module": modules.repeat(3), "test_accuracy_best": 0.8})
    places = {"separable-conv-conv": 0.9, "conv-depthwise-separable": 0.87}
    places |= {"depthwise-conv-separable": 0.84, "conv-depthwise-depthwise": 0.83}
    exhaustive["test_accuracy_best"] = exhaustive["module"].map(places).fillna(0.78)
    best = {"module": "conv-conv-conv", "rank": 1, "rank_low": 1, "rank_high": 1}
    replay = pd.DataFrame(
        [
            ("accuracy", "grid", "none", 1.0, 1.0, 1.0, 2700, 27, 27, 27),
            ("accuracy", "tpe", "median", 0.5, 0.4, 0.6, 900, 16, 15, 17),
            ("accuracy", "tpe_multivariate", "median", 0.6, 0.5, 0.7, 900, 26, 25, 27),
        ],
        columns=[
            *("objective", "sampler", "pruner"),
            *("probability_best", "probability_low", "probability_high", "epochs_mean"),
            *("combinations_mean", "combinations_low", "combinations_high"),
        ],
    )
    pruning = {"sampler": ["tpe"], "pruner": "median", "regret_difference": 0.02}
    pruning |= {"regret_low": 0.01, "regret_high": 0.03}
    # Slower with few channels, the more so on small maps; faster with many.
    crossover = {"pass": "forward", "size": [4, 32]}
    for name, values in (("first", [0.8, 0.95]), ("last", [8.0, 5.0])):
        crossover[f"{name}_speedup"] = values
        crossover[f"{name}_speedup_low"] = [one - 0.02 for one in values]
        crossover[f"{name}_speedup_high"] = [one + 0.02 for one in values]
    times = {"macs": [1e6, 2e7], "latency_ms": [1.0, 2.0]}
    optimism = {"selection": [LAST, ON_HALF], "difference": 0.006, "low": 0.004, "high": 0.008}
    made = {
        "exhaustive/summary.csv": pd.DataFrame([best]),
        "exhaustive/table.csv": exhaustive,
        "replay/summary.csv": replay,
        "replay/pruning.csv": pd.DataFrame(pruning),
        "timing/crossover.csv": pd.DataFrame(crossover),
        "timing/modules.csv": pd.DataFrame(times),
        "optimism/summary.csv": pd.DataFrame(optimism),
    }
    assert set(made) == set(OPT_IN)
    for name, table in made.items():
        write_csv(tmp_path / name, table)
    results.run["extras"] = list(EXTRAS)
    table = judged(results)
    about = table[table["file"].isin(OPT_IN)]
    assert about[about["verdict"] != REPRODUCED].index.tolist() == []
    assert about["effect"].notna().all()


def test_ids_are_unique_and_the_article_has_most_claims():
    assert len({claim.id for claim in LISTED}) == len(LISTED)
    ours = [claim for claim in LISTED if claim.source == "this project"]
    assert 5 <= len(ours) <= len(LISTED) / 4


def test_every_accuracy_objective_and_count_of_the_article_is_claimed():
    claimed = {path for entry in ledger.expanded(TOPICS) for path, _ in ledger.figures(entry)}

    def figures(part: Any, path: str = ""):
        pairs = enumerate(part) if isinstance(part, list) else part.items()
        for key, value in pairs:
            where = f"{path}{key}"
            if isinstance(value, (dict, list)):
                yield from figures(value, f"{where}.")
            elif key in ("test_accuracy", "objective", "parameters", "completed", "trials"):
                yield where

    stated = set(figures(article.load()))
    assert len(stated) > 25
    assert stated <= claimed


def test_no_figure_of_the_article_stands_in_the_claims_themselves():
    text = FILE.read_text(encoding="utf-8")
    for number in ("87.66", "77.36", "84.33", "88.46", "0.2407", "1,598,730", "58506", "598.5"):
        assert number not in text
    assert "87.66 %" in " ".join(claim.statement for claim in LISTED)


def broken(change) -> str:
    topics = copy.deepcopy(TOPICS)
    found = change(topics)
    return yaml.safe_dump(topics if found is None else found, allow_unicode=True, sort_keys=False)


def at(place: str, value: Any):
    """Set a key of the claim conv_wins, or remove it."""

    def change(topics: dict[str, Any]) -> None:
        part = topics["Search by accuracy"]["claims"][0]
        assert part["id"] == "conv_wins"
        *path, last = place.split(".")
        for key in path:
            part = part[int(key) if key.isdigit() else key]
        if value is None:
            del part[last]
        else:
            part[last] = value

    return change


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (at("order", {}), "claim conv_wins: order is no key; allowed here are topic, basis, file"),
        (at("verdict", "true"), "claim conv_wins: verdict is no key; allowed here are topic"),
        (
            at("ordering.vales", []),
            "claim conv_wins: ordering.vales is no key; allowed here are values; did you mean",
        ),
        (at("ordering", None), "claim conv_wins: it has no equality or tolerance or ordering or"),
        (
            at("interval", {"value": {"column": "rank"}, "below": 2}),
            "claim conv_wins has ordering and interval; allowed is one of them",
        ),
        (at("refuted_by", None), "claim conv_wins: it has no refuted_by; needed are id"),
        (at("ordering.values", None), "claim conv_wins: ordering has no values; needed are values"),
        (
            at("interval", {"value": {"column": "rank"}}),
            "claim conv_wins: interval has no above or below",
        ),
        (
            at("ordering", "values"),
            "claim conv_wins: ordering: 'values', but allowed is a section with keys",
        ),
        (at("file", "trials.csv"), "claim conv_wins: file: 'trials.csv', but allowed is one of"),
        (at("basis", "guess"), "claim conv_wins: basis: 'guess', but allowed is one of arithmetic"),
        (at("id", "Conv wins"), "claim Conv wins: id: 'Conv wins', but allowed is lower-case"),
        (
            at("equality", {"value": {"column": "module"}, "expected": {}}),
            "claim conv_wins: equality.expected: {}, but allowed is a number",
        ),
        (at("each", [{"kind": 1}, {"kind": 2}]), "claim conv_wins: id stands twice"),
        (
            lambda topics: {**topics, "Ours": {"claims": [{"each": [{}], "id": "a_$kind"}]}},
            "an entry with each uses $kind, which each does not give; add it there",
        ),
        (
            lambda topics: {**topics, "Ours": {"claims": [{"each": [{}], "id": "a $"}]}},
            "an entry with each has a $ that names nothing; write $$",
        ),
        (at("id", "accuracy_conv"), "claim accuracy_conv: id stands twice"),
        (
            at("statement", "It has {single_kind.conv.weight}."),
            "claim conv_wins: single_kind.conv.weight is no figure of the article; single_kind.conv"
            " has parameters, test_accuracy",
        ),
        (
            at("statement", "{single_kind.conv.parameters:.x}"),
            "claim conv_wins: statement has the format '.x'",
        ),
        (lambda _: ["a"], "the topics of claims: ['a'], but allowed is a section with keys"),
        (lambda _: {"A topic": {}}, "A topic has no claims; needed are claims; add it"),
    ],
)
def test_a_mistake_in_the_claims_is_one_line(tmp_path: Path, change, line: str):
    path = tmp_path / "claims.yaml"
    path.write_text(broken(change), encoding="utf-8")
    with pytest.raises(UserError) as caught:
        ledger.load(path)
    head, *lines = str(caught.value).splitlines()
    assert head == f"{path} has a mistake:"
    assert len(lines) == 1
    assert lines[0].strip().startswith(line)


@pytest.mark.parametrize(
    ("text", "words"), [("- id: [", "no YAML in line"), (None, "is missing"), (b"\xff", "UTF-8")]
)
def test_a_file_that_cannot_be_read_is_one_line(tmp_path: Path, text, words: str):
    path = tmp_path / "claims.yaml"
    if text is not None:
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(UserError, match=words) as caught:
        ledger.load(path)
    assert "\n" not in str(caught.value)
