"""The numbers that a claim reads from a table, with intervals, and whether it holds for them."""

from bisect import bisect_left
from collections.abc import Callable, Sequence
from functools import partial
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
# Up to how many numbers of a test are all shown.
MOST_SHOWN = 4
# The smallest p-value that is told apart from 0, and the precision of their logarithms.
LEAST_P, P_STEP = 1e-9, 1e-3
# From a number of simultaneous intervals (see `intervals`) to the ends.
Ends = Callable[[float], tuple[Any, Any]]


class Quantity(NamedTuple):
    """Numbers from a table with the ends of their 95 % intervals (equal to the number if exact).

    Attributes:
        at: The ends of simultaneous intervals, of this number.
        few: Whether there are too few replicates for an interval.
        adjustable: Whether `at` depends on the number: not if the numbers are exact, nor if their
            intervals are columns of the table.
        beyond: The chance that it is above the border of the test, if known from draws.
        right: For a mean accuracy, which images were right: (replicates, images).
        another: Whether the interval is that of one more training instead of that of the number.
    """

    value: pd.Series
    low: pd.Series
    high: pd.Series
    names: list[str]
    rows: pd.DataFrame
    at: Ends
    few: bool
    adjustable: bool
    beyond: pd.Series | None = None
    right: np.ndarray | None = None
    another: bool = False

    @property
    def single(self) -> tuple[float, float, float]:
        """Value, low and high of a quantity of one number."""
        return self.value.iloc[0], self.low.iloc[0], self.high.iloc[0]


class Comparison(NamedTuple):
    """A number with its interval, and the region where the claim holds (closed if `ends`).

    Attributes:
        at: The ends of simultaneous intervals, of this number; by default those of one.
        beyond: The chance that the number is above the border, if known from draws.

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
    at: Ends | None = None
    beyond: float | None = None

    @property
    def agrees(self) -> bool | None:
        """True if the interval lies inside the region, False if outside, None if in between."""
        return self._agrees(self.low, self.high)

    @property
    def margin(self) -> float:
        """How far the number is inside the region; negative outside."""
        return min(self.effect - self.above, self.below - self.effect)

    def _agrees(self, low: float, high: float) -> bool | None:
        if self.ends:
            inside = self.above <= low and high <= self.below
            outside = high < self.above or low > self.below
        else:
            inside = self.above < low and high < self.below
            outside = high <= self.above or low >= self.below
        return True if inside else False if outside else None

    def p(self, inside: bool) -> float:
        """Return the one-sided p-value of lying inside the region, or outside.

        The smallest error on one side with which an interval still lies there, found by bisection:
        an interval of 100 % - 5 % / number errs on each side in 2.5 % / number.
        """
        if np.isnan(self.low) or np.isnan(self.high):
            return 1.0
        if self.beyond is not None:
            return self.beyond if inside else 1 - self.beyond
        if self.at is None:
            # An interval whose level cannot be changed, or an exact number.
            exact = self.low == self.high
            return (0.0 if exact else intervals.TAIL) if self.agrees is inside else 1.0
        least, most = np.log(LEAST_P), np.log(0.5)
        if self._agrees(*self.at(intervals.TAIL / 0.5)) is not inside:
            return 1.0
        while most - least > P_STEP:
            middle = (least + most) / 2
            if self._agrees(*self.at(intervals.TAIL / np.exp(middle))) is inside:
                most = middle
            else:
                least = middle
        return float(np.exp(most))


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
        comparisons = [_ahead(one, other) for one, other in pairwise(quantities)]
        evidence = "; ".join(_shown(quantity, unit) for quantity in quantities) + "."
        evidence += _clear(quantities, comparisons)
        return comparisons, evidence, any(quantity.few for quantity in quantities)
    quantity = measured(test["value"])
    value = test["value"]
    if unit == "points" and (value.get("interval") == "t" or "difference" in value["column"]):
        unit = "difference"
    ends = list(zip(quantity.value, quantity.low, quantity.high, strict=True))
    if test["type"] == "interval":
        region = stated(test.get("above", -inf)), stated(test.get("below", inf))
        comparisons = [
            Comparison(
                *one,
                *region,
                ends=False,
                at=_at(quantity, place),
                beyond=None if quantity.beyond is None else quantity.beyond.iloc[place],
            )
            for place, one in enumerate(ends)
        ]
        if test.get("any"):
            # One of several is picked out, so all of their intervals are to hold at once.
            comparisons = [
                one._replace(low=low, high=high)
                for one in comparisons
                for low, high in [one.at(len(comparisons)) if one.at else (one.low, one.high)]
            ]
        bounds = _bounds(*region, unit)
        if len(comparisons) <= MOST_SHOWN:
            return comparisons, f"{_shown(quantity, unit)}; {bounds}.", quantity.few
        met = sum(one.agrees is True for one in comparisons)
        pick, where = (max, "in") if test.get("any") else (min, "out")
        # If one is enough, one that decides.
        closest = pick(
            range(len(ends)),
            key=lambda place: (comparisons[place].agrees is True, comparisons[place].margin),
        )
        evidence = f"{met} of {len(comparisons)} comparisons agree; the one farthest {where}:"
        evidence += f" {_shown(quantity, unit, [closest])}; {bounds}."
        return comparisons, evidence, quantity.few
    expected = _expected(claim, test["expected"], quantity)
    allowed = _expected(claim, test.get("tolerance", 0), quantity)
    comparisons = [
        Comparison(
            one[0] - other,
            one[1] - other,
            one[2] - other,
            above=-most,
            below=most,
            ends=True,
            at=_at(quantity, place, other),
        )
        for place, (one, other, most) in enumerate(zip(ends, expected, allowed, strict=True))
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
    of_t = ["error", "dof"] if interval == "t" else []
    others = [asked[key] for key in ("named_by", "models", "dof", "beyond") if key in asked]
    for name in (column, *ends, *of_t, *others):
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
    at = _ends(asked, table, every if ends else rows, values, right)
    fixed = bool(ends) and "dof" not in asked
    adjustable = not fixed and interval is not None
    if "over" in asked:
        divisor = measure(claim, asked["over"], table)
        values, at = _over(values, at, divisor)
        adjustable = not fixed and (adjustable or divisor.adjustable)
    low, high = (pd.Series(end, values.index) for end in at(1))
    beyond = rows[asked["beyond"]] if "beyond" in asked else None
    if "named_by" in asked:
        names = [str(name) for name in rows[asked["named_by"]].head(len(values))]
    else:
        names = [asked.get("label", "")] * len(values)
    replicated = interval in ("accuracy", "prediction", "student")
    # With one replicate, a table has no interval.
    few = (replicated and number < LEAST_REPLICATES) or bool(low.isna().any())
    another = interval == "prediction"
    return Quantity(values, low, high, names, rows, at, few, adjustable, beyond, right, another)


def _ends(
    asked: Json, table: pd.DataFrame, rows: pd.DataFrame, values: pd.Series, right: Any
) -> Ends:
    """Return the ends of the interval that a quantity asks for (the values if it is exact)."""
    interval, column = asked.get("interval"), asked["column"]
    value = values.to_numpy(float)
    if interval == "accuracy":
        if len(right) < 2:
            return lambda number: intervals.accuracy_interval(right, number)
        _, error, dof = intervals.crossed_error([right])

        def within(number: float) -> tuple[Any, Any]:
            low, high = intervals.t_interval(value, error, dof, number)
            return np.maximum(low, 0), np.minimum(high, 1)

        return within
    if interval == "student":
        return partial(intervals.t_interval, value, rows[column].sem(), len(rows) - 1)
    if interval == "t":
        return partial(
            intervals.t_interval, value, rows["error"].to_numpy(float), rows["dof"].to_numpy(float)
        )
    if interval == "prediction":
        # The range for one more training of the same network.
        trained = table.groupby(asked["models"])[column].agg(["mean", "var", "count"])
        place = trained.index.get_loc(rows[asked["models"]].iloc[0])

        def around(number: float) -> tuple[Any, Any]:
            half = intervals.prediction_half_width(
                trained["mean"], trained["var"], trained["count"], number
            )[place]
            return value - half, value + half

        return around
    if isinstance(interval, list):
        # The minimum of several lies between the minima of their lower and of their upper ends.
        reduce = asked.get("reduce")
        low, high = (
            np.array([rows[end].agg(reduce)]) if reduce else rows[end].to_numpy(float)
            for end in interval
        )
        if "dof" not in asked:
            return lambda number: (low, high)
        dof = rows[asked["dof"]].min() if reduce else rows[asked["dof"]].to_numpy(float)
        return _widened(value, low, high, dof, asked.get("logarithmic", False))
    return lambda number: (value, value)


def _widened(value: Any, low: Any, high: Any, dof: Any, logarithmic: bool) -> Ends:
    """Return the ends of Student's t interval at any level, from those of 95 %."""
    if logarithmic:
        at = _widened(np.log(value), np.log(low), np.log(high), dof, logarithmic=False)
        return lambda number: tuple(map(np.exp, at(number)))

    def ends(number: float) -> tuple[Any, Any]:
        wider = intervals.t_half_width(1.0, dof, number) / intervals.t_half_width(1.0, dof)
        return value - (value - low) * wider, value + (high - value) * wider

    return ends


def _over(values: pd.Series, at: Ends, divisor: Quantity) -> tuple[pd.Series, Ends]:
    """Divide numbers by others, and their intervals."""
    dividend, divided = values.to_numpy(float), divisor.value.to_numpy(float)

    def ends(number: float) -> tuple[Any, Any]:
        mine, theirs = at(number), divisor.at(number)
        return intervals.ratio(dividend, *mine, divided, *theirs)[1:]

    return pd.Series(dividend / divided, values.index), ends


def _at(quantity: Quantity, place: int, less: float = 0.0) -> Ends | None:
    """Return the ends for one of a quantity's numbers, less another number."""
    if not quantity.adjustable:
        return None

    def ends(number: float) -> tuple[Any, Any]:
        low, high = quantity.at(number)
        return np.ravel(low)[place] - less, np.ravel(high)[place] - less

    return ends


def _ahead(one: Quantity, other: Quantity) -> Comparison:
    """Compare two numbers, of which the first is to be greater."""
    if one.right is not None and other.right is not None:
        value, error, dof = intervals.crossed_error([one.right, other.right], (1, -1))
        at = partial(intervals.t_interval, value, error, dof)
        return Comparison(value, *at(1), 0, inf, ends=False, at=at)
    value = one.single[0] - other.single[0]

    def ends(number: float) -> tuple[Any, Any]:
        mine, theirs = (np.ravel(side.at(number)) for side in (one, other))
        return intervals.difference((one.single[0], *mine), (other.single[0], *theirs))

    adjustable = one.adjustable or other.adjustable
    low, high = ends(1)
    at_any = ends if adjustable else None
    return Comparison(value, low, high, 0, inf, ends=False, at=at_any)


def _clear(quantities: list[Quantity], comparisons: list[Comparison]) -> str:
    """Describe how many replicates would make an order clear, given the observed differences."""
    needed = 0
    for (one, other), compared in zip(pairwise(quantities), comparisons, strict=True):
        if compared.agrees is not None:
            continue
        if one.right is None or other.right is None or min(len(one.right), len(other.right)) < 2:
            return ""

        def settles(replicates: int, pair: Sequence[Any] = (one.right, other.right)) -> bool:
            _, low, high = intervals.crossed(pair, (1, -1), replicates)
            return low > 0 or high < 0

        # More replicates make it narrower.
        enough = bisect_left(range(MOST_REPLICATES + 1), True, LEAST_REPLICATES, key=settles)
        if enough > MOST_REPLICATES:
            return f" Even {MOST_REPLICATES} replicates would not settle the order."
        needed = max(needed, enough)
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


def _shown(quantity: Quantity, unit: str, places: Sequence[int] | None = None) -> str:
    """Format a quantity's values, or those at some places, with names and intervals."""
    written = []
    parts = [quantity.names, quantity.value, quantity.low, quantity.high]
    if places is not None:
        parts = [[list(part)[place] for place in places] for part in parts]
    of = "one more training: " if quantity.another else ""
    for name, value, low, high in zip(*parts, strict=True):
        exact = low == high or pd.isna(low)
        below = _number(low, unit).removesuffix(" points")
        interval = "" if exact else f" ({of}{below} to {_number(high, unit)})"
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
