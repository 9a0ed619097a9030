"""What a claim's four tests find in a table of our own."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from convstudy.claims import verdicts
from convstudy.claims.verdicts import NOT_REPRODUCED, REPRODUCED, UNDECIDED
from convstudy.core.errors import UserError
from convstudy.core.files import write_csv, write_json
from convstudy.results.run import Results
from convstudy.stats import intervals
from convstudy.training.record import pack
from helpers.claims import VALUE, A, B, C, equality, interval, load, ordering, tolerance
from helpers.paths import OVERLAY
from helpers.results import ALL_EXACT, FULL
from scipy import stats

NUMBERS = pd.DataFrame(
    {"name": ["a", "b"], "value": [3.0, 5.0], "low": [2.5, 4.0], "high": [3.5, 6.0], "of": [3, 5]}
)
OF, WRONG = {"column": "of"}, {"column": "valu"}
MEAN = {"column": "test_accuracy_best", "reduce": "mean", "interval": "accuracy"}


def verdict(folder: Path, table: pd.DataFrame, **keys) -> dict[str, Any]:
    """Judge one claim about a table."""
    write_csv(folder / "tables/trials.csv", table)
    write_json(folder / "run.json", {"config": FULL, "reductions": []})
    write_json(folder / "data/summary.json", {"synthetic": False, **ALL_EXACT})
    return verdicts.check(Results(folder), load(folder, **keys), OVERLAY).iloc[0].to_dict()


def spread(quantity: dict[str, Any]) -> dict[str, Any]:
    return {**quantity, "interval": ["low", "high"]}


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
    assert (row["reason"] == "interval crosses the boundary") == (expected == UNDECIDED)


def test_an_exact_number_has_no_interval_and_points_are_hundredths(tmp_path: Path):
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


def test_an_accuracys_interval_is_over_trainings_and_images(tmp_path: Path):
    alike, apart = (
        verdict(tmp_path, trained(*values), **interval(MEAN, above=0.8))
        for values in ([0.88] * 3, [0.86, 0.88, 0.9])
    )
    # Errors that are independent of each other are as many as three times the images.
    assert 0.88 - alike["low"] == pytest.approx(1.96 * np.sqrt(0.88 * 0.12 / 30_000), rel=0.1)
    # Student's t with two degrees of freedom times the standard error.
    assert 0.88 - apart["low"] == pytest.approx(4.302653 * 0.02 / np.sqrt(3), rel=0.03)


def test_the_least_of_several_lies_between_the_least_ends(tmp_path: Path):
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


def test_one_of_several_is_enough_if_it_is_clear_among_all(tmp_path: Path):
    factor = np.array([0.8, 1.1, 1.1])
    half = intervals.t_half_width(0.02, 4)
    table = pd.DataFrame(
        {"speedup": factor, "low": factor * np.exp(-half), "high": factor * np.exp(half), "dof": 4}
    )
    value = {"column": "speedup", "interval": ["low", "high"], "dof": "dof", "logarithmic": True}

    def judged(factors: list[float], **test) -> pd.Series:
        changed = table.assign(
            **{name: table[name] * factors / factor for name in ("speedup", "low", "high")}
        )
        return verdict(tmp_path, changed, interval={"value": value, "below": 1, **test})

    row = judged([0.8, 1.1, 1.1], any=True)
    assert row["verdict"] == REPRODUCED
    assert row["effect"] == pytest.approx(0.8)
    wider = float(intervals.t_half_width(0.02, 4, 3))
    assert row["high"] == pytest.approx(0.8 * np.exp(wider))
    tail = float(stats.t.sf(-np.log(0.8) / 0.02, 4))
    assert row["p"] == pytest.approx(3 * tail, rel=0.01)
    assert judged([0.8, 1.1, 1.1])["verdict"] == NOT_REPRODUCED
    assert judged([1.2, 1.1, 1.1], any=True)["verdict"] == NOT_REPRODUCED
    # Clear by itself, but not as the best of three.
    assert judged([np.exp(-0.06), 1.1, 1.1], any=True)["verdict"] == UNDECIDED


@pytest.mark.parametrize(
    ("beyond", "answer"), [(0.01, REPRODUCED), (0.5, UNDECIDED), (0.99, NOT_REPRODUCED)]
)
def test_a_number_of_draws_is_judged_by_how_many_are_beyond(tmp_path: Path, beyond, answer):
    ends = {REPRODUCED: (0.1, 0.9), UNDECIDED: (0.1, 1.1), NOT_REPRODUCED: (1.1, 1.2)}[answer]
    table = pd.DataFrame({"weight": [sum(ends) / 2], "low": ends[0], "high": ends[1]})
    value = {"column": "weight", "interval": ["low", "high"], "beyond": "beyond"}
    row = verdict(tmp_path, table.assign(beyond=beyond), **interval(value, below=1))
    assert row["verdict"] == answer
    assert row["p"] == pytest.approx(min(beyond, 1 - beyond))


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


LACKS = "results/tables/trials.csv has no column valu; it has name"


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
