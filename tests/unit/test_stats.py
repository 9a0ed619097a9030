import numpy as np
import pytest
from convstudy import stats


def test_wilson_gives_the_textbook_interval():
    # Five of ten: 0.2366 to 0.7634.
    assert stats.wilson(0.5, 10) == pytest.approx((0.2366, 0.7634), abs=1e-4)


@pytest.mark.parametrize(("repeats", "outside"), [(6, 0), (8, 0), (9, 1), (15, 3), (17, 4)])
def test_the_interval_of_a_median_has_its_tabled_order_statistics(repeats: int, outside: int):
    ordered = np.arange(float(repeats))
    found = stats.median_interval(np.random.default_rng(0).permutation(ordered))
    assert found == (outside, repeats - 1 - outside)


def test_one_more_training_by_hand():
    """Of two models, 0.8 three times with a variance of 0.0004, and 0.5 twice with 0.0005."""
    halves = stats.prediction_half_width([0.8, 0.5], [0.0004, 0.0005], [3, 2])
    share = (0.0004 / 0.16 + 0.0005 / 0.25) / 2
    # Student's t with three degrees of freedom.
    expected = [3.1824 * (share * 0.16 * 4 / 3) ** 0.5, 3.1824 * (share * 0.25 * 3 / 2) ** 0.5]
    np.testing.assert_allclose(halves, expected, rtol=1e-4)
    alone = stats.prediction_half_width([0.8, 0.5], [0.0004, np.nan], [3, 1])
    np.testing.assert_allclose(alone[0], 4.3027 * (0.0004 * 4 / 3) ** 0.5, rtol=1e-4)
    assert np.isnan(stats.prediction_half_width([0.8], [np.nan], [1])).all()
