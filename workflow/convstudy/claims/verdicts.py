"""The claims of config/claims.yaml, judged by a run's tables.

Each test compares numbers with the region where the claim holds. With its 95 % interval inside, a
claim is reproduced; outside, it is not; across the border, it is undecided. Arithmetic is decided
by any run; what depends on trained networks by one of the article's scale (see `results.scale`)
on the real images. What a run of another scale shows of it stands beside the verdict and is never
counted. This project's own statements, which are of the run itself, hold or do not.
"""

from math import inf
from typing import Any, NamedTuple

import pandas as pd

from convstudy.claims.ledger import OWN, Claim, Json
from convstudy.claims.measures import Comparison, NoMatchingRowsError, compared
from convstudy.config import analyses
from convstudy.results import scale
from convstudy.results.run import Results
from convstudy.results.scale import LOSSY, OTHER, SMALLER, Difference

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
        return Seen(None, NOT_MADE, f"Not made yet: {_fix(claim.file)}")
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


def _fix(file: str) -> str:
    """Say what makes a file that is not there."""
    folder = file.partition("/")[0]
    if folder in analyses.names():
        return f"add {folder} to analyses in the config"
    return f"snakemake --cores all results/{file}"


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
        comparisons, evidence, few = compared(claim, test, results)
    except NoMatchingRowsError as error:
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
        evidence = f"{once.evidence} How often a study gives that: {_fix(DRAWS)}"
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
