import numpy as np
import pytest
from convstudy import stats
from hypothesis import given
from hypothesis import strategies as st


def test_wilson_gives_the_textbook_interval():
    # Five of ten: 0.2366 to 0.7634.
    assert stats.wilson(0.5, 10) == pytest.approx((0.2366, 0.7634), abs=1e-4)


@given(st.floats(0, 1), st.integers(1, 10**6))
def test_wilson_holds_the_accuracy_and_stays_within_zero_and_one(accuracy: float, images: int):
    low, high = stats.wilson(accuracy, images)
    assert -1e-9 <= low <= accuracy + 1e-9
    assert accuracy - 1e-9 <= high <= 1 + 1e-9


def test_more_images_make_a_narrower_interval():
    few, many = (np.ptp(stats.wilson(0.88, images)) for images in (1_000, 10_000))
    assert many < few


@pytest.mark.parametrize(("repeats", "outside"), [(6, 0), (8, 0), (9, 1), (15, 3), (17, 4)])
def test_the_interval_of_a_median_has_its_tabled_order_statistics(repeats: int, outside: int):
    ordered = np.arange(float(repeats))
    found = stats.median_interval(np.random.default_rng(0).permutation(ordered))
    assert found == (outside, repeats - 1 - outside)
