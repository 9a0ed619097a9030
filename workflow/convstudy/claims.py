"""The claims of config/claims.yaml, judged by a run's tables.

Each test compares numbers with the region where the claim holds. With its 95 % interval inside, a
claim is reproduced; outside, it is not; across the border, it is undecided. Arithmetic is decided
by any run; what depends on trained networks by one of the article's size on the real images, save
what is said of this very run, which needs real images alone.
"""

from itertools import pairwise
from math import inf
from typing import Any, NamedTuple

import pandas as pd

from convstudy import article, stats
from convstudy.errors import UserError
from convstudy.extras import EXTRAS
from convstudy.ledger import Claim, Json
from convstudy.results import Results

REPRODUCED, NOT_REPRODUCED, UNDECIDED = "reproduced", "not reproduced", "undecided"
MINIMUM_REPLICATES = 3
ARTICLE_TEST_IMAGES = 10_000


class Quantity(NamedTuple):
    """Numbers of a table with the ends of their 95 % intervals, which are the same where exact."""

    value: pd.Series
    low: pd.Series
    high: pd.Series
    names: list[str]
    rows: pd.DataFrame
    few: bool


class Comparison(NamedTuple):
    """A number with its interval, and the region where the claim holds, with its ends or not."""

    effect: float
    low: float
    high: float
    above: float
    below: float
    ends: bool

    @property
    def agrees(self) -> bool | None:
        """Whether the interval lies in the region (True), outside (False), or across its border."""
        if self.ends:
            inside = self.above <= self.low and self.high <= self.below
            outside = self.high < self.above or self.low > self.below
        else:
            inside = self.above < self.low and self.high < self.below
            outside = self.high <= self.above or self.low >= self.below
        return True if inside else False if outside else None


class NothingThereError(Exception):
    """No row has what a quantity asks for."""


def check(results: Results, claims: list[Claim]) -> pd.DataFrame:
    """Judge claims.

    Returns:
        ``id``, ``topic``, ``statement``, ``source``, ``basis``, ``verdict``, ``reason`` (why it is
        undecided), ``evidence`` (what this run saw), ``effect`` with ``low`` and ``high`` (its 95 %
        interval, empty where it is exact) in ``unit``, ``file``, ``refuted_by``.
    """
    return pd.DataFrame([_judged(claim, results) for claim in claims])


def _judged(claim: Claim, results: Results) -> Json:
    verdict, reason, evidence, effect = _judge(claim, results)
    low, high = (effect.low, effect.high) if effect else (None, None)
    if low == high:
        low = high = None
    scale = 100 if claim.unit == "points" else 1
    numbers = {"effect": effect.effect if effect else None, "low": low, "high": high}
    return {
        "id": claim.id,
        "topic": claim.topic,
        "statement": claim.statement,
        "source": claim.source,
        "basis": claim.basis,
        "verdict": verdict,
        "reason": reason,
        "evidence": evidence,
        **{name: None if one is None else one * scale for name, one in numbers.items()},
        "unit": claim.unit,
        "file": claim.file,
        "refuted_by": claim.refuted_by,
    }


def _judge(claim: Claim, results: Results) -> tuple[str, str | None, str, Comparison | None]:
    """Give verdict, reason, evidence and effect."""
    if not results.has(claim.file):
        extra = claim.file.partition("/")[0]
        target = EXTRAS[extra].target if extra in EXTRAS else f"results/{claim.file}"
        return UNDECIDED, f"not made: snakemake --cores all {target}", "", None
    trained = claim.basis == "training"
    if claim.basis in ("training", "run") and results.synthetic:
        evidence = "There is nothing to say without CIFAR-10: the images are synthetic."
        return UNDECIDED, "synthetic data", evidence, None
    try:
        comparisons, evidence, few = _compared(claim, results)
    except NothingThereError as error:
        return UNDECIDED, "nothing to compare", str(error), None
    found = [one.agrees for one in comparisons]
    agrees = False if False in found else None if None in found else True
    # The one that decides: of those that the verdict is about, the farthest out.
    effect = min(
        (one for one in comparisons if one.agrees is agrees),
        key=lambda one: min(one.effect - one.above, one.below - one.effect),
    )
    if trained and results.reductions:
        lean = {
            True: "At this scale, that is as stated.",
            False: "At this scale, that is not as stated.",
            None: "At this scale, that is no clear difference.",
        }[agrees]
        return UNDECIDED, "reduced scale", f"{evidence} {lean}", effect
    if few:
        return UNDECIDED, "too few replicates", evidence, effect
    if agrees is None:
        return UNDECIDED, "within the interval", evidence, effect
    return REPRODUCED if agrees else NOT_REPRODUCED, None, evidence, effect


def _compared(claim: Claim, results: Results) -> tuple[list[Comparison], str, bool]:
    """Do a claim's test: its comparisons, the evidence, whether there are too few replicates."""
    test, unit = claim.test, claim.unit
    table = results.table(claim.file)

    def measured(asked: Json) -> Quantity:
        return measure(claim, asked, table, results.test_images)

    if test["type"] == "ordering":
        quantities = [measured(asked) for asked in test["values"]]
        values = [_single(claim, quantity) for quantity in quantities]
        comparisons = [
            Comparison(one[0] - other[0], *stats.difference(one, other), 0, inf, ends=False)
            for one, other in pairwise(values)
        ]
        evidence = "; ".join(_shown(quantity, unit) for quantity in quantities) + "."
        return comparisons, evidence, any(quantity.few for quantity in quantities)
    quantity = measured(test["value"])
    ends = list(zip(quantity.value, quantity.low, quantity.high, strict=True))
    if test["type"] == "interval":
        region = test.get("above", -inf), test.get("below", inf)
        comparisons = [Comparison(*one, *region, ends=False) for one in ends]
        return comparisons, f"{_shown(quantity, unit)}; {_bounds(*region, unit)}.", quantity.few
    expected = _expected(claim, test["expected"], quantity)
    allowed = _expected(claim, test.get("tolerance", 0), quantity)
    chance = (
        stats.wilson(float(expected.iloc[0]), ARTICLE_TEST_IMAGES)
        if test["value"].get("interval") == "accuracy"
        else None
    )
    comparisons = []
    for one, other, most in zip(ends, expected, allowed, strict=True):
        stated = (other, *(chance or (other, other)))
        comparisons.append(
            Comparison(one[0] - other, *stats.difference(one, stated), -most, most, ends=True)
        )
    if len(comparisons) == 1:
        source = "stated" if "article" in str(test["expected"]) else "expected"
        evidence = f"{_shown(quantity, unit)} here, {_number(expected.iloc[0], unit)} {source}."
    else:
        met = sum(one.agrees is True for one in comparisons)
        evidence = f"{met} of {len(comparisons)} comparisons agree."
    return comparisons, evidence, quantity.few


def measure(claim: Claim, asked: Json, table: pd.DataFrame, images: int) -> Quantity:
    """Take numbers from a table.

    Args:
        claim: Named in messages.
        asked: A quantity of the schema.
        table: The claim's file.
        images: Test images that an accuracy is measured on.

    Raises:
        NothingThereError: If no row has a number.
        UserError: If the selection cannot be understood.
    """
    rows = _selected(claim, asked, table)
    column, reduce, interval = asked["column"], asked.get("reduce"), asked.get("interval")
    ends = interval if isinstance(interval, list) else []
    for name in (column, *ends, asked.get("named_by", column)):
        _require_column(claim, name, table)
    rows = rows[rows[column].notna()]
    if rows.empty:
        which = f" with {asked['select']}" if "select" in asked else ""
        raise NothingThereError(f"results/{claim.file} has no row{which}.")
    numbers = [column, *ends]
    for name in numbers if reduce != "count" else []:
        if not pd.api.types.is_numeric_dtype(rows[name]):
            raise _mistake(claim, f"{name} holds text, but needed are numbers; name another column")
    if reduce in ("min", "max"):
        place = rows[column].idxmin() if reduce == "min" else rows[column].idxmax()
        rows = rows.loc[[place]]
        values = rows[column]
    elif reduce:
        values = pd.Series([rows[column].agg(reduce)])
    else:
        values = rows[column]
    low, high = values, values
    if interval == "accuracy":
        each = [rows[column]] if reduce == "mean" else [pd.Series([one]) for one in values]
        pairs = [stats.trained_accuracy(accuracies, images) for accuracies in each]
        low, high = (pd.Series(end, values.index) for end in zip(*pairs, strict=True))
    elif interval:
        low, high = rows[interval[0]], rows[interval[1]]
    if "over" in asked:
        # Of exact numbers; row by row where neither is reduced.
        divisor = measure(claim, asked["over"], table, images)
        low = high = values = values / divisor.value.to_numpy()
    if "named_by" in asked:
        names = [str(name) for name in rows[asked["named_by"]].head(len(values))]
    else:
        names = [asked.get("label", "")] * len(values)
    few = interval == "accuracy" and reduce == "mean" and len(rows) < MINIMUM_REPLICATES
    # A table gives no interval where there is one replicate.
    few = few or bool(low.isna().any())
    return Quantity(values, low, high, names, rows, few)


def _require_column(claim: Claim, name: str, table: pd.DataFrame) -> None:
    if name not in table:
        raise _mistake(
            claim,
            f"test names the column {name}, but results/{claim.file} has {', '.join(table)}; write"
            " one of these",
        )


def _selected(claim: Claim, asked: Json, table: pd.DataFrame) -> pd.DataFrame:
    if "select" not in asked:
        return table
    try:
        return table.query(asked["select"], engine="python")
    except (SyntaxError, NameError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise _mistake(
            claim,
            f"select has {asked['select']!r}, which pandas does not understand ({error});"
            f" allowed are conditions on {', '.join(table)}; correct it",
        ) from None


def _mistake(claim: Claim, line: str) -> UserError:
    return UserError(f"config/claims.yaml: claim {claim.id}: {line}")


def _single(claim: Claim, quantity: Quantity) -> tuple[float, float, float]:
    if len(quantity.value) > 1:
        raise _mistake(
            claim,
            f"test.values has a quantity of {len(quantity.value)} rows, but an ordering is of"
            " single numbers; add reduce, for example reduce: mean",
        )
    return quantity.value.iloc[0], quantity.low.iloc[0], quantity.high.iloc[0]


def _expected(claim: Claim, asked: Any, quantity: Quantity) -> pd.Series:
    """Give what is expected of each value."""
    if isinstance(asked, dict) and "column" in asked:
        if len(quantity.rows) != len(quantity.value):
            raise _mistake(
                claim,
                f"test compares one number of {len(quantity.rows)} rows with the column"
                f" {asked['column']}, which has as many; remove reduce, or expect a number",
            )
        _require_column(claim, asked["column"], quantity.rows)
        return quantity.rows[asked["column"]]
    value = article.figure(asked["article"]) if isinstance(asked, dict) else asked
    return pd.Series([value] * len(quantity.value))


def _shown(quantity: Quantity, unit: str) -> str:
    """Write a quantity's values with names and intervals."""
    written = []
    for name, value, low, high in zip(
        quantity.names, quantity.value, quantity.low, quantity.high, strict=True
    ):
        exact = low == high or pd.isna(low)
        interval = "" if exact else f" ({_number(low, unit)} to {_number(high, unit)})"
        written.append(f"{name} {_number(value, unit)}{interval}".strip())
    return ", ".join(written)


def _number(value: float, unit: str) -> str:
    """Write a number for the evidence."""
    if unit == "points":
        return f"{100 * value:.2f} %"
    short = ".1e" if abs(value) < 1e-3 else ",.4g"
    text = format(value, ",.0f" if float(value).is_integer() else short)
    return text.replace("-", "\N{MINUS SIGN}")


def _bounds(above: float, below: float, unit: str) -> str:
    """Write the region of an interval's test."""
    words = [("above", above)] * (above > -inf) + [("below", below)] * (below < inf)
    return "it holds " + " and ".join(f"{word} {_number(bound, unit)}" for word, bound in words)
