"""Claims judged together: Holm's procedure on both sides of each claim."""

import numpy as np
import pytest
from convstudy.claims import families, ledger, verdicts
from convstudy.claims.families import Sides
from convstudy.claims.measures import Comparison
from convstudy.claims.verdicts import Seen
from convstudy.stats import intervals
from helpers.paths import ROOT
from hypothesis import given
from hypothesis import strategies as st

LISTED = ledger.load(ROOT / "config/claims.yaml")
ARTICLES = "the article's on trained networks"
MEMBERS = [claim for claim in LISTED if families.family(claim) == ARTICLES]
PROBABILITY = st.floats(0, 1)
SIDES = st.lists(st.builds(Sides, PROBABILITY, PROBABILITY), min_size=1, max_size=12)


@given(SIDES, st.integers(0, 5))
def test_adjusted_p_values_are_those_of_holm(sides: list[Sides], unmade: int):
    number = len(sides) + unmade
    found = families.adjusted({str(place): one for place, one in enumerate(sides)}, number)
    raw = np.array([min(one) for one in sides])
    adjusted = np.array([found[str(place)] for place in range(len(sides))])
    assert (adjusted >= raw).all()
    assert (adjusted <= 1).all()
    order = raw.argsort(kind="stable")
    assert (np.diff(adjusted[order]) >= 0).all()
    # By its definition, as a sequence of decisions: stop at the first that is not rejected. Claims
    # without data have p-values of 1.
    for error in (0.01, 0.05, 0.2):
        rejected = np.zeros(len(raw), bool)
        for step, place in enumerate(order):
            if raw[place] * (number - step) > error:
                break
            rejected[place] = True
        assert ((adjusted <= error) == rejected).all()


@given(SIDES)
def test_a_claim_of_several_comparisons_holds_if_all_do(sides: list[Sides]):
    all_of, any_of = families.combined(sides), families.combined(sides, enough=True)
    assert all_of.inside == max(one.inside for one in sides)
    assert all_of.outside >= min(one.outside for one in sides)
    turned = families.combined([Sides(one.outside, one.inside) for one in sides])
    assert any_of == (turned.outside, turned.inside)


def test_claims_that_were_not_made_count():
    claims = MEMBERS[:2]
    clear = Seen(True, "", "", None, Sides(0.03, 1.0))
    absent = Seen(None, verdicts.NOT_MADE, "")
    alone = verdicts.in_families(claims[:1], {claims[0].id: clear})[claims[0].id]
    assert (alone.agrees, alone.p) == (True, 0.03)
    beside = verdicts.in_families(claims, {claims[0].id: clear, claims[1].id: absent})
    assert beside[claims[0].id].agrees is None
    assert beside[claims[0].id].why == "not clear beside 1 other claim"
    assert beside[claims[0].id].p == pytest.approx(0.06)
    assert beside[claims[1].id] == absent


def test_families_are_apart():
    seen = {claim.id: Seen(True, "", "", None, Sides(0.004, 1.0)) for claim in LISTED}
    assert {one.agrees for one in verdicts.in_families(LISTED, seen).values()} == {True, None}
    found = verdicts.in_families(LISTED, seen)
    sizes = families.sizes(LISTED)
    for claim in LISTED:
        name = families.family(claim)
        if name is None:
            assert found[claim.id].p is None
        else:
            assert found[claim.id].p == pytest.approx(min(1, 0.004 * sizes[name]))
    assert set(filter(None, sizes)) == {ARTICLES, "the article's on times", "this project's"}


@given(st.floats(-5, 5), st.floats(0.5, 100))
def test_the_p_value_is_where_the_interval_reaches_the_border(value: float, dof: float):
    from scipy import stats

    def at(number: float) -> tuple[float, float]:
        half = float(intervals.t_half_width(1.0, dof, number))
        return value - half, value + half

    one = Comparison(value, *at(1), 0.0, np.inf, ends=False, at=at)
    tail = float(stats.t.sf(abs(value), max(dof, 1)))
    for inside in (True, False):
        expected = tail if (value > 0) is inside else 1.0
        assert one.p(inside) == pytest.approx(max(expected, 1e-9), rel=0.01)
