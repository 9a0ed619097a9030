"""The claims of config/claims.yaml, judged by a run's tables.

Each test compares numbers with the region where the claim holds. With its 95 % interval inside, a
claim is reproduced; outside, it is not; across the border, it is undecided. Arithmetic is decided
by any run; what depends on trained networks by one of the article's scale (see `convstudy.scale`)
on the real images. What a run of another scale shows of it stands beside the verdict and is never
counted. This project's own statements, which are of the run itself, hold or do not.
"""

from itertools import pairwise
from math import inf
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from convstudy import article, scale, stats
from convstudy.errors import UserError
from convstudy.extras import EXTRAS
from convstudy.ledger import OWN, Claim, Json
from convstudy.results import Results
from convstudy.scale import LEAST_REPLICATES, LOSSY, OTHER, SMALLER, Difference
from convstudy.training import record

REPRODUCED, NOT_REPRODUCED, UNDECIDED = "reproduced", "not reproduced", "undecided"
# By whether what was seen agrees, if it may decide.
VERDICTS = {True: REPRODUCED, False: NOT_REPRODUCED, None: UNDECIDED}
# Of this project's own statements, which reproduce nothing.
OWN_VERDICTS = {True: "holds", False: "does not hold", None: "unclear"}
# What the data of a run say at its own scale.
HERE = {True: "agrees", False: "disagrees", None: "unclear"}
NOT_COMPARABLE, NOT_SEEN = "not comparable", "not seen"
# Why a claim is open.
NOT_MADE, SYNTHETIC, NOTHING = "not made", "synthetic data", "nothing to compare"
ONE_DRAW = "one draw"
DRAWS = "replay/draws.csv"
# Replicates that are asked about where an order is unclear.
MOST_REPLICATES = 100


class Quantity(NamedTuple):
    """Numbers of a table with the ends of their 95 % intervals, which are the same where exact.

    Attributes:
        few: Whether there are too few replicates for an interval.
        right: Of a mean accuracy, (replicates, images): which images were right.
        another: Whether the interval is that of one more training, and not that of the number.
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
    """No row has what a quantity asks for; trials that were drawn and pruned have no number."""

    def __init__(self, line: str, drawn: bool = False) -> None:
        super().__init__(line)
        self.drawn = drawn


def check(results: Results, claims: list[Claim], overlay: Json) -> pd.DataFrame:
    """Judge claims.

    Args:
        overlay: config/article.yaml, the article's scale.

    Returns:
        ``id``, ``topic``, ``statement``, ``source``, ``basis``, ``verdict`` (of the article's
        statements, `VERDICTS`; of this project's own, `OWN_VERDICTS`), ``reason`` (why it is open,
        or on which reading of the article it is decided), ``here`` (`HERE`: what the data of a run
        say of a claim on trained networks, at the run's own scale), ``evidence`` (what this run
        saw), ``effect`` with ``low`` and ``high`` (its 95 % interval, empty where it is exact) in
        ``unit``, ``file``, ``refuted_by``.
    """
    differing = scale.differences(results.run["config"], overlay, results.data)
    return pd.DataFrame([_judged(claim, results, differing) for claim in claims])


class Seen(NamedTuple):
    """What a run's tables say of a claim, whatever the run's size.

    Attributes:
        agrees: Whether they agree; None where that is open, for the reason `why`.
        evidence: What they show.
        effect: The number that decides, if there is one.
    """

    agrees: bool | None
    why: str
    evidence: str
    effect: Comparison | None = None


def _judged(claim: Claim, results: Results, differing: list[Difference]) -> Json:
    seen = _look(claim, results)
    touched = touching(claim, differing)
    decided, reason = _gate(claim, seen, touched)
    names = OWN_VERDICTS if claim.source == OWN else VERDICTS
    low, high = (seen.effect.low, seen.effect.high) if seen.effect else (None, None)
    if low == high:
        low = high = None
    unit = "per cent" if claim.draws else claim.unit
    hundredths = 100 if unit in ("points", "per cent") else 1
    numbers = {"effect": seen.effect.effect if seen.effect else None, "low": low, "high": high}
    return {
        "id": claim.id,
        "topic": claim.topic,
        "statement": claim.statement,
        "source": claim.source,
        "basis": claim.basis,
        "verdict": names[decided],
        "reason": reason,
        "here": _here(claim, seen, touched) if claim.basis == "training" else None,
        "evidence": seen.evidence,
        **{name: None if one is None else one * hundredths for name, one in numbers.items()},
        "unit": unit,
        "file": claim.file,
        "refuted_by": claim.refuted_by,
    }


def files(claim: Claim) -> list[str]:
    """List the tables that a claim's verdict stands on."""
    return [claim.file, *([DRAWS] if claim.draws else [])]


def touching(claim: Claim, differing: list[Difference]) -> list[Difference]:
    """Keep the differences from the article that matter to a claim: none to arithmetic."""
    if claim.basis != "training":
        return []
    parts = {part for file in files(claim) for part in scale.depends(file)}
    return [one for one in differing if one.of in parts]


def _gate(claim: Claim, seen: Seen, touched: list[Difference]) -> tuple[bool | None, str | None]:
    """Say whether what was seen may decide, and why not, or on which reading it does."""
    if seen.why in (NOT_MADE, SYNTHETIC, NOTHING):
        return None, seen.why
    for sort, why in ((SMALLER, "reduced scale"), (OTHER, "other settings")):
        lines = [one.line for one in touched if one.sort == sort]
        if lines:
            # What is smaller stands at the head of the report; what is other is named here.
            return None, why if sort == SMALLER else f"{why}: {' '.join(lines)}"
    if _absolute(claim) and any(one.sort == LOSSY for one in touched):
        return None, "lossy images"
    if seen.agrees is None:
        return None, seen.why
    # What decides and is not the article's for certain.
    return seen.agrees, " ".join(one.line for one in touched) or None


def _absolute(claim: Claim) -> bool:
    """Tell whether a claim on trained networks states a number, and not an order or a bound."""
    return claim.basis == "training" and claim.test["type"] in ("equality", "tolerance")


def _here(claim: Claim, seen: Seen, touched: list[Difference]) -> str | None:
    """Say what the data of this run show of a claim at the run's own scale."""
    if seen.why in (NOT_MADE, SYNTHETIC):
        return None
    if seen.why == NOTHING:
        return NOT_SEEN
    if _absolute(claim) and any(one.sort in (SMALLER, OTHER) for one in touched):
        return NOT_COMPARABLE
    return HERE[seen.agrees]


def _look(claim: Claim, results: Results) -> Seen:
    """Do a claim's test on a run's tables."""
    if not results.has(claim.file):
        return Seen(None, NOT_MADE, f"Not made yet: {_command(claim.file)}")
    if claim.basis in ("training", "run") and results.synthetic:
        evidence = "There is nothing to say without CIFAR-10: the images are synthetic."
        return Seen(None, SYNTHETIC, evidence)
    first, *others = [_look_once(claim, test, results) for test in _readings(claim)]
    if claim.draws:
        return _drawn(claim, first, results)
    for other in others:
        evidence = f"{first.evidence} After the last epoch: {other.evidence}"
        agrees, why = first.agrees, first.why
        if first.agrees is not other.agrees:
            agrees, why = None, "best and last epoch differ"
        first = Seen(agrees, why, evidence, first.effect)
    return first


def _command(file: str) -> str:
    extra = file.partition("/")[0]
    target = EXTRAS[extra].target if extra in EXTRAS else f"results/{file}"
    return f"snakemake --cores all {target}"


def _readings(claim: Claim) -> list[Json]:
    """Give a claim's test, once for each column that may be what the article shows."""
    if not claim.readings:
        return [claim.test]
    stated = claim.readings[0]
    return [_replaced(claim.test, stated, column) for column in claim.readings]


def _replaced(part: Any, old: str, new: str) -> Any:
    if isinstance(part, dict):
        return {key: _replaced(value, old, new) for key, value in part.items()}
    if isinstance(part, list):
        return [_replaced(value, old, new) for value in part]
    return new if part == old else part


def _look_once(claim: Claim, test: Json, results: Results) -> Seen:
    try:
        comparisons, evidence, few = _compared(claim, test, results)
    except NothingThereError as error:
        return Seen(None, ONE_DRAW if error.drawn else NOTHING, str(error))
    found = [one.agrees for one in comparisons]
    agrees = False if False in found else None if None in found else True
    # The one that decides: of those that the verdict is about, the farthest out.
    effect = min(
        (one for one in comparisons if one.agrees is agrees),
        key=lambda one: min(one.effect - one.above, one.below - one.effect),
    )
    if few:
        return Seen(None, "too few replicates", evidence, effect)
    return Seen(agrees, "within the interval" if agrees is None else "", evidence, effect)


def _drawn(claim: Claim, once: Seen, results: Results) -> Seen:
    """Judge what a study gives by how often replayed studies give it.

    It is decided where that is more, or less, than one half on the table of modules and on each
    table with one replicate left out, with the 95 % intervals. What happened once decides nothing.
    """
    if not results.has(DRAWS):
        evidence = f"{once.evidence} How often a study gives that: {_command(DRAWS)}"
        return Seen(None, NOTHING if once.why == NOTHING else ONE_DRAW, evidence)
    table = results.table(DRAWS)
    table = table[table["claim"] == claim.id].sort_values("left_out", na_position="first")
    # The whole table, and each with one replicate left out.
    whole, *others = (
        Comparison(row.share, row.low, row.high, 0.5, inf, ends=False) for row in table.itertuples()
    )
    share, low, high = (f"{100 * one:.1f} %" for one in whole[:3])
    evidence = f"{once.evidence} Of {table['studies'].iloc[0]} replayed studies, {share} give it"
    evidence += f" ({low} to {high}"
    if others:
        shares = [one.effect for one in others]
        least, most = (f"{100 * one:.1f} %" for one in (min(shares), max(shares)))
        evidence += f"; with one replicate left out, {least} to {most}"
    evidence += ")."
    same = all(one.agrees is whole.agrees for one in others)
    if claim.draws == "once" or not others or not same or whole.agrees is None:
        return Seen(None, ONE_DRAW, evidence, whole)
    return Seen(whole.agrees, "", evidence, whole)


def _compared(claim: Claim, test: Json, results: Results) -> tuple[list[Comparison], str, bool]:
    """Do a claim's test: its comparisons, the evidence, whether there are too few replicates."""
    unit = claim.unit
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
        region = test.get("above", -inf), test.get("below", inf)
        comparisons = [Comparison(*one, *region, ends=False) for one in ends]
        return comparisons, f"{_shown(quantity, unit)}; {_bounds(*region, unit)}.", quantity.few
    expected = _expected(claim, test["expected"], quantity)
    allowed = _expected(claim, test.get("tolerance", 0), quantity)
    comparisons = [
        Comparison(one[0] - other, *stats.difference(one, (other,) * 3), -most, most, ends=True)
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
    """Take numbers from a table.

    Args:
        claim: Named in messages.
        asked: A quantity of the schema.
        table: The claim's file.

    Raises:
        NothingThereError: If no row has a number.
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
        raise NothingThereError("It was drawn, and no such trial completed.", drawn=True)
    if rows.empty:
        raise NothingThereError(f"Not seen: no such row is in results/{claim.file}.")
    numbers = [column, *ends]
    for name in numbers if reduce != "count" else []:
        if not pd.api.types.is_numeric_dtype(rows[name]):
            raise _mistake(claim, f"{name} holds text, but needed are numbers; name another column")
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
    low, high = values, values
    right = None
    if interval == "accuracy":
        _require_column(claim, record.RIGHT_OF[column], table)
        right = record.right(rows, column)
        low, high = (pd.Series(end, values.index) for end in stats.accuracy_interval(right))
    elif interval == "student":
        low, high = (pd.Series(end, values.index) for end in stats.mean_interval(rows[column]))
    elif interval == "prediction":
        # In which one more training of the same network would lie.
        trained = table.groupby(asked["models"])[column].agg(["mean", "var", "count"])
        halves = stats.prediction_half_width(*trained.to_numpy().T)
        half = halves[trained.index.get_loc(rows[asked["models"]].iloc[0])]
        low, high = values - half, values + half
    elif interval:
        # The least of several lies between the least of their lower and of their upper ends.
        low, high = (
            pd.Series(every[end].agg(reduce), values.index) if reduce else rows[end] for end in ends
        )
    if "over" in asked:
        divisor = measure(claim, asked["over"], table)
        ends = [values, low, high, *divisor[:3]]
        found = stats.ratio(*(one.to_numpy(float) for one in ends))
        values, low, high = (pd.Series(one, values.index) for one in found)
    if "named_by" in asked:
        names = [str(name) for name in rows[asked["named_by"]].head(len(values))]
    else:
        names = [asked.get("label", "")] * len(values)
    replicated = interval in ("accuracy", "prediction", "student")
    # A table gives no interval where there is one replicate.
    few = (replicated and number < LEAST_REPLICATES) or bool(low.isna().any())
    return Quantity(values, low, high, names, rows, few, right, interval == "prediction")


def _difference(
    one: Quantity, other: Quantity, replicates: int | None = None
) -> tuple[float, float, float]:
    """Give a difference with its interval; of accuracies, on the same images."""
    if one.right is not None and other.right is not None:
        return stats.crossed([one.right, other.right], (1, -1), replicates)
    value = one.single[0] - other.single[0]
    return value, *stats.difference(one.single, other.single)


def _clear(quantities: list[Quantity], comparisons: list[Comparison]) -> str:
    """Say how many replicates would make an order clear, at the differences that were seen."""
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
            return f" {MOST_REPLICATES} replicates would not make that clear."
    return f" About {needed} replicates would make that clear." if needed else ""


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


def _require_single(claim: Claim, quantity: Quantity) -> None:
    if len(quantity.value) > 1:
        raise _mistake(
            claim,
            f"test.values has a quantity of {len(quantity.value)} rows, but an ordering is of"
            " single numbers; add reduce, for example reduce: mean",
        )


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
    of = "one more training: " if quantity.another else ""
    for name, value, low, high in zip(
        quantity.names, quantity.value, quantity.low, quantity.high, strict=True
    ):
        exact = low == high or pd.isna(low)
        interval = "" if exact else f" ({of}{_number(low, unit)} to {_number(high, unit)})"
        written.append(f"{name} {_number(value, unit)}{interval}".strip())
    return ", ".join(written)


def _number(value: float, unit: str) -> str:
    """Write a number for the evidence."""
    if unit == "points":
        return f"{100 * value:.2f} %"
    if unit == "difference":
        return f"{100 * value:.2f} points".replace("-", "\N{MINUS SIGN}")
    short = ".1e" if abs(value) < 1e-3 else ",.4g"
    text = format(value, ",.0f" if float(value).is_integer() else short)
    return text.replace("-", "\N{MINUS SIGN}")


def _bounds(above: float, below: float, unit: str) -> str:
    """Write the region of an interval's test."""
    words = [("above", above)] * (above > -inf) + [("below", below)] * (below < inf)
    return "the claim holds " + " and ".join(
        f"{word} {_number(bound, unit)}" for word, bound in words
    )
