import numpy as np
import pytest
from convstudy.stats import intervals
from scipy.stats import t


def test_wilson_gives_the_textbook_interval():
    # Five out of ten: 0.2366 to 0.7634.
    assert intervals.wilson(0.5, 10) == pytest.approx((0.2366, 0.7634), abs=1e-4)


def test_a_difference_on_the_same_images_by_hand():
    one = np.array([[1, 1, 1, 0], [1, 1, 0, 0]], bool)
    other = np.array([[1, 0, 0, 0], [1, 0, 1, 0]], bool)
    value, low, high = intervals.crossed([one, other], (1, -1))
    assert value == 0.25
    # Accuracies 3/4 and 1/2; 1/4 and 1/2.
    seeds = [1 / 32 / 2, 1 / 32 / 2]
    # Each model has six residuals of 1/8 and two of 3/8; three degrees of freedom.
    residual = 2 * (6 * (1 / 8) ** 2 + 2 * (3 / 8) ** 2) / 3 / 2
    images = max(0, np.var([0, 1, 0, 0], ddof=1) - residual) / 4
    variance = sum(seeds) + images
    dof = variance**2 / (seeds[0] ** 2 + seeds[1] ** 2 + images**2 / 3)
    half = t.ppf(0.975, dof) * variance**0.5
    assert (low, high) == pytest.approx((0.25 - half, 0.25 + half))


def test_one_training_has_the_chance_of_the_images_alone():
    right = np.arange(1000)[None] < 900
    assert intervals.accuracy_interval(right) == intervals.wilson(0.9, 1000)
    worse = np.arange(1000)[None] < 880
    _, low, high = intervals.crossed([right, worse], (1, -1))
    assert high - low == pytest.approx(2 * 1.96 * (0.02 * 0.98 / 1000) ** 0.5, rel=0.01)


def test_constants_are_those_of_the_tables():
    # Dunnett's tables, 5 %, two-sided and one-sided: three groups of six and a control.
    assert intervals.dunnett_constant(6, (6, 6, 6)) == pytest.approx(2.54, abs=0.01)
    assert intervals.dunnett_constant(6, (6, 6, 6), best=True) == pytest.approx(2.19, abs=0.01)
    assert intervals.dunnett_constant(3, (3,) * 26, best=True) == pytest.approx(2.80, abs=0.01)


def test_one_more_training_by_hand():
    """Two models: 0.8 over three runs with a variance of 0.0004, 0.5 over two with 0.0005."""
    halves = intervals.prediction_half_width([0.8, 0.5], [0.0004, 0.0005], [3, 2])
    share = (2 * 0.0004 / 0.16 + 0.0005 / 0.25) / 3
    # Student's t with three degrees of freedom.
    expected = [3.1824 * (share * 0.16 * 4 / 3) ** 0.5, 3.1824 * (share * 0.25 * 3 / 2) ** 0.5]
    np.testing.assert_allclose(halves, expected, rtol=1e-4)
    alone = intervals.prediction_half_width([0.8, 0.5], [0.0004, np.nan], [3, 1])
    np.testing.assert_allclose(alone[0], 4.3027 * (0.0004 * 4 / 3) ** 0.5, rtol=1e-4)
    assert np.isnan(intervals.prediction_half_width([0.8], [np.nan], [1])).all()
