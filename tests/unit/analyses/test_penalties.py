import numpy as np
import pandas as pd
import pytest
from convstudy.analyses.penalties import numbers as penalties
from convstudy.analyses.penalties.numbers import envelope
from convstudy.config import settings
from convstudy.results import accuracies
from helpers.tables import made_up
from hypothesis import given
from hypothesis import strategies as st

PENALTY = {"weight": 0.05, "unit": 15625}


def lowest(error, size, weights):
    return (np.asarray(error) + np.multiply.outer(weights, size)).min(axis=1)


@pytest.mark.parametrize(
    ("error", "size", "steps"),
    [
        # 0.1 + 3w, 0.2 + w and 0.5 + 0w: the second is lowest from 0.05 on, the third from 0.3.
        ([0.5, 0.1, 0.2], [0.0, 3.0, 1.0], [(1, 0), (2, 0.05), (0, 0.3)]),
        # The middle line passes above the point where the outer two cross.
        ([0.1, 0.4, 0.5], [4.0, 2.0, 0.0], [(0, 0), (2, 0.1)]),
        # Of three lines through a point, the flattest follows.
        ([0.0, 1.0, 2.0], [2.0, 1.0, 0.0], [(0, 0), (2, 1)]),
        # Equal lines have one name, and one line wins alone.
        ([0.3, 0.3], [1.0, 1.0], [(0, 0)]),
        ([0.3], [1.0], [(0, 0)]),
        # Of the same size, the better one; of the same error, the smaller one.
        ([0.3, 0.2], [1.0, 1.0], [(1, 0)]),
        ([0.2, 0.2], [2.0, 1.0], [(1, 0)]),
    ],
)
def test_an_envelope_by_hand(error, size, steps):
    found = envelope(np.array(error), np.array(size))
    assert found == [(line, pytest.approx(weight)) for line, weight in steps]


numbers = st.integers(0, 20).map(lambda number: number / 20)


@given(st.lists(st.tuples(numbers, numbers), min_size=1, max_size=12))
def test_the_envelope_is_the_minimum_everywhere(lines):
    error, size = map(np.array, zip(*lines, strict=True))
    steps = envelope(error, size)
    changes = [weight for _, weight in steps]
    assert changes == sorted(changes)
    assert len({line for line, _ in steps}) == len(steps)
    weights = np.concatenate([np.linspace(0, 25, 501), changes])
    on = np.searchsorted(changes, weights, side="right") - 1
    chosen = np.array([line for line, _ in steps])[on]
    np.testing.assert_allclose(
        error[chosen] + weights * size[chosen], lowest(error, size, weights), atol=1e-12
    )


def test_winners_agree_with_the_table_and_their_intervals_hold_them():
    table, _ = made_up(noise=0.01)
    found = penalties.winners(table, PENALTY)
    means, _ = accuracies.means(table)
    assert found["module"].iloc[0] == means["mean"].idxmax()
    assert found["parameters"].is_monotonic_decreasing
    assert found["parameters"].iloc[-1] == table["parameters"].min()
    # Modules of the same layer kinds have the same size: one of them wins, or none.
    kinds = found["module"].map(lambda module: tuple(sorted(module.split("-"))))
    assert kinds.is_unique
    assert (found["from_low"] <= found["from_weight"]).all()
    assert (found["from_weight"] <= found["from_high"]).all()
    assert found["to_weight"].iloc[:-1].tolist() == found["from_weight"].iloc[1:].tolist()
    assert found["to_weight"].iloc[-1] == np.inf
    assert found["to_high"].iloc[:-1].tolist() == found["from_high"].iloc[1:].tolist()


def test_intervals_become_narrow_with_the_noise():
    widths = []
    for noise in (0.02, 0.002):
        found = penalties.winners(made_up(noise=noise)[0], PENALTY)
        widths.append((found["from_high"] - found["from_low"]).iloc[-1])
    assert widths[1] < widths[0] / 4


def test_chances_add_up_and_follow_the_envelope():
    table, _ = made_up(noise=0.002)
    chances = penalties.probabilities(table, PENALTY)
    totals = chances.groupby("weight")["probability"].sum()
    assert totals.tolist() == pytest.approx([1.0] * len(totals))
    assert (totals.index - PENALTY["weight"]).to_series().abs().min() < 1e-12
    for row in penalties.winners(table, PENALTY).itertuples():
        ends = [row.from_high, row.to_low if row.to_low == row.to_low else np.inf]
        sure = chances[chances["weight"].between(*ends) & (chances["module"] == row.module)]
        assert (sure["probability"] > 0.5).all()


def test_one_replicate_gives_the_envelope_without_chances():
    table, _ = made_up(replicates=1)
    found = penalties.winners(table, PENALTY)
    assert len(found) > 1
    assert found[["from_low", "from_high"]].isna().all(axis=None)
    assert penalties.probabilities(table, PENALTY)["probability"].isna().all()


def test_one_module_alone():
    table, _ = made_up(noise=0.001)
    alone = table[table["module"] == "conv-conv-conv"]
    found = penalties.winners(alone, PENALTY)
    assert found["module"].tolist() == ["conv-conv-conv"]
    assert (found["from_weight"].item(), found["to_weight"].item()) == (0, np.inf)
    assert (penalties.probabilities(alone, PENALTY)["probability"] == 1).all()


def test_the_penalty_is_that_of_the_first_study_that_has_one():
    config = settings.validate({})
    assert settings.penalty(config) == {"weight": 0.05, "unit": 15625}
    studies = {
        "a": {},
        "b": {"penalty": {"weight": 0.2, "unit": 7}},
        "c": {"penalty": {"weight": 1}},
    }
    other = settings.validate({"search": {"studies": studies}})
    assert settings.penalty(other) == {"weight": 0.2, "unit": 7}
    # With none, the article's, at this width.
    none = settings.validate({"search": {"studies": {"a": {}}}, "model": {"width": 0.5}})
    assert settings.penalty(none) == {"weight": 0.05, "unit": 62500}


def test_the_data_frames_index_does_not_matter():
    table, _ = made_up(noise=0.01)
    shuffled = table.sample(frac=1, random_state=1)
    both = (penalties.winners(one, PENALTY)["module"].tolist() for one in (table, shuffled))
    assert next(both) == next(both)
    assert isinstance(penalties.probabilities(shuffled, PENALTY), pd.DataFrame)
