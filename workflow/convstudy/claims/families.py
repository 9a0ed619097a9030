"""Verdicts of a family of claims at once.

Of a claim, exactly one of two hypotheses is true: that it does not hold, which a number inside its
region refutes, and that it holds, which one outside refutes. So of the 2 m hypotheses of m claims
exactly m are true, and Holm's procedure starts at 5 % / m (S. Holm, Scand. J. Stat. 6, 65, 1979;
J. P. Shaffer, J. Am. Stat. Assoc. 81, 826, 1986).
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from convstudy.claims.ledger import OWN, Claim

# How often at most any verdict of a family may be wrong.
ERROR = 0.05


class Sides(NamedTuple):
    """One-sided p-values of a claim: that its numbers lie inside its region, and outside."""

    inside: float
    outside: float


def combined(each: Sequence[Sides], enough: bool = False) -> Sides:
    """Return the p-values of a claim that holds if all of its comparisons hold.

    All must lie inside (R. L. Berger, Technometrics 24, 295, 1982), but one outside refutes it
    (Bonferroni). The reverse holds if one inside is `enough`.
    """
    if enough:
        sides = combined([Sides(one.outside, one.inside) for one in each])
        return Sides(sides.outside, sides.inside)
    return Sides(
        max(one.inside for one in each), min(1.0, len(each) * min(one.outside for one in each))
    )


def adjusted(claims: Mapping[str, Sides], number: int) -> dict[str, float]:
    """Adjust the smaller p-value of each claim for the others of its family.

    Args:
        claims: By id, the claims that have data.
        number: Of all claims of the family, also of those without data, whose p-values are 1.

    Returns:
        By id: the smallest error of the whole family with which this claim is decided.
    """
    smaller = {name: min(sides) for name, sides in claims.items()}
    found, most = {}, 0.0
    for place, name in enumerate(sorted(smaller, key=lambda one: smaller[one])):
        most = max(most, min(1.0, (number - place) * smaller[name]))
        found[name] = most
    return found


def family(claim: Claim) -> str | None:
    """Name the family of a claim; None if no interval can decide it."""
    if not claim.by_interval:
        return None
    if claim.yours:
        return "yours"
    if claim.source == OWN:
        return "this project's"
    return (
        "the article's on trained networks"
        if claim.basis == "training"
        else "the article's on times"
    )


def sizes(claims: Iterable[Claim]) -> Counter[str | None]:
    """Count the claims of each family, made or not."""
    return Counter(map(family, claims))
