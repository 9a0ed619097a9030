"""The numbers that a claim reads from a table, with intervals, and whether it holds for them."""

from collections.abc import Iterator
from itertools import pairwise
from math import inf
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from convstudy.article import facts
from convstudy.claims.ledger import Claim, Json
from convstudy.core.errors import UserError
from convstudy.results.run import Results
from convstudy.results.scale import LEAST_REPLICATES
from convstudy.stats import intervals
from convstudy.training import record

# Up to how many replicates are considered to make an order clear.
MOST_REPLICATES = 100


class Quantity(NamedTuple):
    """Numbers from a table with the ends of their 95 % intervals (equal to the number if exact).

    Attributes:
        few: Whether there are too few replicates for an interval.
        right: For a mean accuracy, which images were right: (replicates, images).
        another: Whether the interval is that of one more training instead of that of the number.
    """

    value: pd.Series
    low: pd.Series
    high: pd.Series
    names: list[str]
    rows: pd.DataFrame
    few: bool
    right: np.ndarray | None = None
    another: bool = False

    @property
    def single(self) -> tuple[float, float, float]:
        """Value, low and high of a quantity of one number."""
        return self.value.iloc[0], self.low.iloc[0], self.high.iloc[0]


class Comparison(NamedTuple):
    """A number with its interval, and the region where the claim holds (closed if `ends`).

    Example:
        An accuracy of 83 % (82 to 84 %) is clearly above 80 %:

        >>> Comparison(0.83, 0.82, 0.84, above=0.80, below=1.0, ends=False).agrees
        True
    """

    effect: float
    low: float
    high: float
    above: float
    below: float
    ends: bool

    @property
    def agrees(self) -> bool | None:
        """True if the interval lies inside the region, False if outside, None if in between."""
        if self.ends:
            inside = self.above <= self.low and self.high <= self.below
            outside = self.high < self.above or self.low > self.below
        else:
            inside = self.above < self.low and self.high < self.below
            outside = self.high <= self.above or self.low >= self.below
        return True if inside else False if outside else None


class NoMatchingRowsError(Exception):
    """No row has a number that a quantity asks for, for example because all trials were pruned."""

    def __init__(self, line: str, drawn: bool = False) -> None:
        super().__init__(line)
        self.drawn = drawn


def compared(claim: Claim, test: Json, results: Results) -> tuple[list[Comparison], str, bool]:
    """Run a claim's test; return comparisons, evidence, and whether replicates are too few."""
    unit: str = claim.unit
    table = results.table(claim.file)

    def measured(asked: Json) -> Quantity:
        return measure(claim, asked, table)

    if test["type"] == "ordering":
        quantities = [measured(asked) for asked in test["values"]]
        for quantity in quantities:
            _require_single(claim, quantity)
        comparisons = [
            Comparison(*_difference(one, other), 0, inf, ends=False)
            for one, other in pairwise(quantities)
        ]
        evidence = "; ".join(_shown(quantity, unit) for quantity in quantities) + "."
        evidence += _clear(quantities, comparisons)
        return comparisons, evidence, any(quantity.few for quantity in quantities)
    quantity = measured(test["value"])
    if unit == "points" and "difference" in test["value"]["column"]:
        unit = "difference"
    ends = list(zip(quantity.value, quantity.low, quantity.high, strict=True))
    if test["type"] == "interval":
        region = stated(test.get("above", -inf)), stated(test.get("below", inf))
        comparisons = [Comparison(*one, *region, ends=False) for one in ends]
        return comparisons, f"{_shown(quantity, unit)}; {_bounds(*region, unit)}.", quantity.few
    expected = _expected(claim, test["expected"], quantity)
    allowed = _expected(claim, test.get("tolerance", 0), quantity)
    comparisons = [
        Comparison(one[0] - other, *intervals.difference(one, (other,) * 3), -most, most, ends=True)
        for one, other, most in zip(ends, expected, allowed, strict=True)
    ]
    if len(comparisons) == 1:
        source = "stated" if "article" in str(test["expected"]) else "expected"
        evidence = f"{_shown(quantity, unit)} here, {_number(expected.iloc[0], unit)} {source}."
    else:
        met = sum(one.agrees is True for one in comparisons)
        evidence = f"{met} of {len(comparisons)} comparisons agree."
    return comparisons, evidence, quantity.few


def measure(claim: Claim, asked: Json, table: pd.DataFrame) -> Quantity:
    """Read a quantity's numbers from a table.

    Args:
        claim: For error messages.
        asked: A `ledger.Quantity` of the claim.
        table: The claim's file.

    Raises:
        NoMatchingRowsError: If no row has a number.
        UserError: If the selection cannot be understood.
    """
    rows = _selected(claim, asked, table)
    column, reduce, interval = asked["column"], asked.get("reduce"), asked.get("interval")
    ends = interval if isinstance(interval, list) else []
    for name in (column, *ends, *(asked[key] for key in ("named_by", "models") if key in asked)):
        _require_column(claim, name, table)
    selected = len(rows)
    rows = rows[rows[column].notna()]
    if rows.empty and selected and "state" in rows:
        raise NoMatchingRowsError("Such trials were started, but none completed.", drawn=True)
    if rows.empty:
        raise NoMatchingRowsError(f"Not seen: results/{claim.file} has no such row.")
    numbers = [column, *ends]
    for name in numbers if reduce != "count" else []:
        if not pd.api.types.is_numeric_dtype(rows[name]):
            raise _mistake(claim, f"{name} holds text, not numbers; name another column")
    number = len(rows)
    every = rows
    if reduce in ("min", "max"):
        place = rows[column].idxmin() if reduce == "min" else rows[column].idxmax()
        rows = rows.loc[[place]]
        values = rows[column]
    elif reduce:
        values = pd.Series([rows[column].agg(reduce)])
    else:
        values = rows[column]
    right = None
    if interval == "accuracy":
        _require_column(claim, record.RIGHT_OF[column], table)
        right = record.right(rows, column)
    if ends:
        # The minimum of several lies between the minima of their lower and of their upper ends.
        low, high = (
            pd.Series(every[end].agg(reduce), values.index) if reduce else rows[end] for end in ends
        )
    else:
        low, high = _ends(asked, table, rows, values, right)
    if "over" in asked:
        divisor = measure(claim, asked["over"], table)
        ends = [values, low, high, *divisor[:3]]
        ratio = intervals.ratio(*(end.to_numpy(float) for end in ends))
        values, low, high = (pd.Series(part, values.index) for part in ratio)
    if "named_by" in asked:
        names = [str(name) for name in rows[asked["named_by"]].head(len(values))]
    else:
        names = [asked.get("label", "")] * len(values)
    replicated = interval in ("accuracy", "prediction", "student")
    # With one replicate, a table has no interval.
    few = (replicated and number < LEAST_REPLICATES) or bool(low.isna().any())
    return Quantity(values, low, high, names, rows, few, right, interval == "prediction")


def _ends(
    asked: Json, table: pd.DataFrame, rows: pd.DataFrame, values: pd.Series, right: Any
) -> Iterator[pd.Series]:
    """Return the ends of the interval that a quantity asks for (the values if it is exact)."""
    interval, column = asked.get("interval"), asked["column"]
    if interval == "accuracy":
        ends = intervals.accuracy_interval(right)
    elif interval == "student":
        ends = intervals.mean_interval(rows[column])
    elif interval == "prediction":
        # The range for one more training of the same network.
        trained = table.groupby(asked["models"])[column].agg(["mean", "var", "count"])
        halves = intervals.prediction_half_width(*trained.to_numpy().T)
        half = halves[trained.index.get_loc(rows[asked["models"]].iloc[0])]
        ends = values - half, values + half
    else:
        ends = values, values
    return (pd.Series(end, values.index) for end in ends)


def _difference(
    one: Quantity, other: Quantity, replicates: int | None = None
) -> tuple[float, float, float]:
    """Return a difference with its interval; accuracies are compared on the same images."""
    if one.right is not None and other.right is not None:
        return intervals.crossed([one.right, other.right], (1, -1), replicates)
    value = one.single[0] - other.single[0]
    return value, *intervals.difference(one.single, other.single)


def _clear(quantities: list[Quantity], comparisons: list[Comparison]) -> str:
    """Describe how many replicates would make an order clear, given the observed differences."""
    needed = 0
    for (one, other), compared in zip(pairwise(quantities), comparisons, strict=True):
        if compared.agrees is not None:
            continue
        if one.right is None or other.right is None or min(len(one.right), len(other.right)) < 2:
            return ""
        for replicates in range(LEAST_REPLICATES, MOST_REPLICATES + 1):
            _, low, high = _difference(one, other, replicates)
            if low > 0 or high < 0:
                needed = max(needed, replicates)
                break
        else:
            return f" Even {MOST_REPLICATES} replicates would not settle the order."
    return f" About {needed} replicates would settle the order." if needed else ""


def _require_column(claim: Claim, name: str, table: pd.DataFrame) -> None:
    if name not in table:
        raise _mistake(
            claim, f"results/{claim.file} has no column {name}; it has {', '.join(table)}; name one"
        )


def _selected(claim: Claim, asked: Json, table: pd.DataFrame) -> pd.DataFrame:
    if "select" not in asked:
        return table
    try:
        return table.query(asked["select"], engine="python")
    except (SyntaxError, NameError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise _mistake(
            claim,
            f"select: pandas cannot evaluate {asked['select']!r} ({error}); write a condition on"
            f" {', '.join(table)}",
        ) from None


def _mistake(claim: Claim, line: str) -> UserError:
    return UserError(f"config/claims.yaml: claim {claim.id}: {line}")


def _require_single(claim: Claim, quantity: Quantity) -> None:
    if len(quantity.value) > 1:
        raise _mistake(
            claim,
            f"ordering.values: a quantity has {len(quantity.value)} rows, but an ordering compares"
            " single numbers; add reduce, for example reduce: mean",
        )


def _expected(claim: Claim, asked: Any, quantity: Quantity) -> pd.Series:
    """Return the expected value of each number."""
    if isinstance(asked, dict) and "column" in asked:
        if len(quantity.rows) != len(quantity.value):
            raise _mistake(
                claim,
                f"the test compares one number with the {len(quantity.rows)} rows of the column"
                f" {asked['column']}; remove reduce, or expect a number",
            )
        _require_column(claim, asked["column"], quantity.rows)
        return quantity.rows[asked["column"]]
    return pd.Series([stated(asked)] * len(quantity.value))


def stated(asked: Any) -> Any:
    """Return a number, or the figure of the article that stands for it."""
    return facts.figure(asked["article"]) if isinstance(asked, dict) else asked


def _shown(quantity: Quantity, unit: str) -> str:
    """Format a quantity's values with names and intervals."""
    written = []
    of = "one more training: " if quantity.another else ""
    for name, value, low, high in zip(
        quantity.names, quantity.value, quantity.low, quantity.high, strict=True
    ):
        exact = low == high or pd.isna(low)
        interval = "" if exact else f" ({of}{_number(low, unit)} to {_number(high, unit)})"
        written.append(f"{name} {_number(value, unit)}{interval}".strip())
    return ", ".join(written)


def _number(value: float, unit: str) -> str:
    """Format a number for the evidence."""
    if unit == "points":
        return f"{100 * value:.2f} %"
    if unit == "difference":
        return f"{100 * value:.2f} points".replace("-", "\N{MINUS SIGN}")
    short = ".1e" if abs(value) < 1e-3 else ",.4g"
    text = format(value, ",.0f" if float(value).is_integer() else short)
    return text.replace("-", "\N{MINUS SIGN}")


def _bounds(above: float, below: float, unit: str) -> str:
    """Describe the region of an interval test."""
    words = [("above", above)] * (above > -inf) + [("below", below)] * (below < inf)
    return "the claim holds " + " and ".join(
        f"{word} {_number(bound, unit)}" for word, bound in words
    )
