"""The claims of config/claims.yaml, judged on a run's tables.

Each test compares numbers with the region where the claim holds. A claim is reproduced if its 95 %
interval lies inside, not reproduced if outside, and undecided if it crosses the border, or if it is
not clear beside the other claims of its family (see `families`). Any run decides arithmetic; claims
about trained networks need a run at the article's scale (see `results.scale`) on the real images.
What a smaller run shows is reported beside the verdict and never counted. This project's own
statements, which are about the run itself, hold or do not.
"""

from math import inf
from typing import Any, NamedTuple

import pandas as pd

from convstudy.claims import families
from convstudy.claims.families import ERROR, Sides
from convstudy.claims.ledger import MADE_FROM, OWN, Claim, Json
from convstudy.claims.measures import Comparison, NoMatchingRowsError, compared
from convstudy.config import analyses
from convstudy.core.progress import counted
from convstudy.results import scale
from convstudy.results.run import Results
from convstudy.results.scale import LOSSY, OTHER, SMALLER, Difference
from convstudy.stats import intervals

REPRODUCED, NOT_REPRODUCED, UNDECIDED = "reproduced", "not reproduced", "undecided"
# The verdict by whether the results agree, where they may decide.
VERDICTS = {True: REPRODUCED, False: NOT_REPRODUCED, None: UNDECIDED}
# The same for this project's own statements, which reproduce nothing.
OWN_VERDICTS = {True: "holds", False: "does not hold", None: "unclear"}
# What a run shows at its own scale.
HERE = {True: "agrees", False: "disagrees", None: "unclear"}
NOT_COMPARABLE, NOT_SEEN = "not comparable", "not seen"
# Reasons why a claim is undecided.
NOT_MADE, SYNTHETIC, NOTHING = "not run", "synthetic data", "nothing to compare"
ONE_DRAW = "one draw"
DRAWS = "replay/draws.csv"
COLUMNS = (
    "id topic statement source basis verdict reason here evidence effect low high p unit file"
    " refuted_by"
)


def check(results: Results, claims: list[Claim], overlay: Json) -> pd.DataFrame:
    """Judge claims.

    Args:
        overlay: config/article.yaml, the article's scale.

    Returns:
        ``id``, ``topic``, ``statement``, ``source``, ``basis``, ``verdict`` (`VERDICTS` for the
        article's statements, `OWN_VERDICTS` for this project's own), ``reason`` (why it is
        undecided, or on which reading of the article it is decided), ``here`` (`HERE`: what this
        run shows about a claim on trained networks, at its own scale), ``evidence`` (the numbers),
        ``effect`` with ``low`` and ``high`` (its 95 % interval, empty if exact) in ``unit``,
        ``p`` (one-sided, adjusted for the claim's family; empty if no interval decides),
        ``file``, ``refuted_by``.
    """
    differing = scale.differences(results.run["config"], overlay, results.data)
    together = in_families(claims, {claim.id: look(claim, results) for claim in claims})
    rows = [_judged(claim, together[claim.id], differing) for claim in claims]
    return pd.DataFrame(rows, columns=COLUMNS.split())


class Seen(NamedTuple):
    """What a run's tables show about a claim, whatever the run's scale.

    Attributes:
        agrees: Whether they agree; None if that is unclear, for the reason `why`.
        evidence: What they show, in words.
        effect: The number that decides, if any.
        sides: The p-values of both sides, if an interval decides.
        p: The smaller one, adjusted for the claim's family.
    """

    agrees: bool | None
    why: str
    evidence: str
    effect: Comparison | None = None
    sides: Sides | None = None
    p: float | None = None


def in_families(claims: list[Claim], seen: dict[str, Seen]) -> dict[str, Seen]:
    """Adjust what is seen of each claim for the others of its family.

    A claim agrees or disagrees if its own interval does, and still does beside all others.
    """
    numbers, found = families.sizes(claims), dict(seen)
    for name in filter(None, numbers):
        members = [claim.id for claim in claims if families.family(claim) == name]
        known = {one: sides for one in members if (sides := seen[one].sides) is not None}
        for one, p in families.adjusted(known, numbers[name]).items():
            found[one] = seen[one]._replace(p=p)
            if seen[one].agrees is not None and p > ERROR:
                why = f"not clear beside {counted(numbers[name] - 1, 'other claim')}"
                found[one] = found[one]._replace(agrees=None, why=why)
    return found


def _judged(claim: Claim, seen: Seen, differing: list[Difference]) -> Json:
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
        **{name: None if value is None else value * hundredths for name, value in numbers.items()},
        "p": seen.p,
        "unit": unit,
        "file": claim.file,
        "refuted_by": claim.refuted_by,
    }


def files(claim: Claim) -> list[str]:
    """List the tables that a claim's verdict is based on."""
    return [claim.file, *([DRAWS] if claim.draws else [])]


def touching(claim: Claim, differing: list[Difference]) -> list[Difference]:
    """Keep the differences from the article that matter to a claim (none for arithmetic)."""
    if claim.basis != "training":
        return []
    made_of = [MADE_FROM.get(file, file) for file in files(claim)]
    parts = {part for file in made_of for part in scale.depends(file)}
    return [one for one in differing if one.of in parts]


def _gate(claim: Claim, seen: Seen, touched: list[Difference]) -> tuple[bool | None, str | None]:
    """Decide a claim, unless something prevents it; return the decision and the reason."""
    if seen.why in (NOT_MADE, SYNTHETIC, NOTHING):
        return None, seen.why
    for sort, why in ((SMALLER, "reduced scale"), (OTHER, "other settings")):
        lines = [one.line for one in touched if one.sort == sort]
        if lines:
            # The report header lists what is smaller; other settings are named here.
            return None, why if sort == SMALLER else f"{why}: {' '.join(lines)}"
    if _absolute(claim) and any(one.sort == LOSSY for one in touched):
        return None, "lossy images"
    if seen.agrees is None:
        return None, seen.why
    # Decided, with our readings of what the article leaves open as the reason.
    return seen.agrees, " ".join(one.line for one in touched) or None


def _absolute(claim: Claim) -> bool:
    """Check whether a claim on trained networks states a number rather than an order or bound."""
    return claim.basis == "training" and claim.test["type"] in ("equality", "tolerance")


def _here(claim: Claim, seen: Seen, touched: list[Difference]) -> str | None:
    """Return what this run shows about a claim at its own scale."""
    if seen.why in (NOT_MADE, SYNTHETIC):
        return None
    if seen.why == NOTHING:
        return NOT_SEEN
    if _absolute(claim) and any(one.sort in (SMALLER, OTHER) for one in touched):
        return NOT_COMPARABLE
    return HERE[seen.agrees]


def look(claim: Claim, results: Results) -> Seen:
    """Run a claim's test on a run's tables."""
    for file in (claim.file, MADE_FROM.get(claim.file, claim.file)):
        if not results.has(file):
            return Seen(None, NOT_MADE, f"Not run yet: {_fix(file)}")
    if claim.basis in ("training", "run") and results.synthetic:
        evidence = "The images are synthetic, so this says nothing about CIFAR-10."
        return Seen(None, SYNTHETIC, evidence)
    first, *others = [_look_once(claim, test, results) for test in _readings(claim)]
    if claim.draws:
        return drawn(claim, first, results)
    for other in others:
        evidence = f"{first.evidence} After the last epoch: {other.evidence}"
        agrees, why = first.agrees, first.why
        if first.agrees is not other.agrees:
            agrees, why = None, "best and last epoch differ"
        first = Seen(agrees, why, evidence, first.effect, _both(first.sides, other.sides))
    return first


def _fix(file: str) -> str:
    """Describe how to make a missing file."""
    folder = file.partition("/")[0]
    if folder in analyses.names():
        return f"add {folder} to analyses in the config"
    return f"snakemake --cores all results/{file}"


def _readings(claim: Claim) -> list[Json]:
    """Return a claim's test, once for each column that may be what the article shows."""
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
    answers = [comparison.agrees for comparison in comparisons]
    enough = test.get("any", False)
    agrees = next((one for one in (enough, None) if one in answers), not enough)
    # The comparison that decides: of those with this answer, the one farthest out, or in.
    effect = (max if enough else min)(
        (comparison for comparison in comparisons if comparison.agrees is agrees),
        key=lambda one: one.margin,
    )
    if few:
        return Seen(None, "too few replicates", evidence, effect, Sides(1.0, 1.0))
    sides = families.combined([Sides(one.p(True), one.p(False)) for one in comparisons], enough)
    why = "interval crosses the boundary" if agrees is None else ""
    return Seen(agrees, why, evidence, effect, sides)


def _both(one: Sides | None, other: Sides | None) -> Sides | None:
    """Return the p-values of what both readings of a claim show."""
    if one is None or other is None:
        return None
    return Sides(max(one.inside, other.inside), max(one.outside, other.outside))


def drawn(claim: Claim, once: Seen, results: Results) -> Seen:
    """Judge what one study returned by how often replayed studies return it.

    It is decided if that share is above (or below) the claim's, with its 95 % interval, on the
    module table and with each replicate left out in turn. A single outcome decides nothing.
    """
    table = results.table(DRAWS) if results.has(DRAWS) else pd.DataFrame(columns=["claim"])
    table = table[table["claim"] == claim.id]
    if table.empty:
        # Studies that were replayed for an earlier version did not count every claim.
        how = "make derive" if results.has(DRAWS) else _fix(DRAWS)
        evidence = f"{once.evidence} To see how often studies agree: {how}"
        return Seen(None, NOTHING if once.why == NOTHING else ONE_DRAW, evidence)
    table = table.sort_values("left_out", na_position="first")
    # First the whole table, then the tables with one replicate left out.
    whole, *others = (_share(claim, row.share, row.studies) for row in table.itertuples())
    share, low, high = (f"{100 * part:.1f} %" for part in whole[:3])
    evidence = f"{once.evidence} Of {table['studies'].iloc[0]} replayed studies, {share} agree"
    evidence += f" ({low} to {high}"
    if others:
        shares = [one.effect for one in others]
        least, most = (f"{100 * one:.1f} %" for one in (min(shares), max(shares)))
        evidence += f"; with one replicate left out, {least} to {most}"
    evidence += ")."
    same = all(one.agrees is whole.agrees for one in others)
    sides = [Sides(one.p(True), one.p(False)) for one in (whole, *others)]
    # The rule asks for the same answer of each table.
    both = Sides(*(max(column) for column in zip(*sides, strict=True)))
    if claim.draws == "once" or not others or not same or whole.agrees is None:
        return Seen(None, ONE_DRAW, evidence, whole, both)
    return Seen(whole.agrees, "", evidence, whole, both)


def _share(claim: Claim, share: float, studies: int) -> Comparison:
    """Compare a share of studies with that of a claim."""

    def at(number: float) -> tuple[float, float]:
        return intervals.wilson(share, studies, number)

    return Comparison(share, *at(1), claim.share, inf, ends=False, at=at)
