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
