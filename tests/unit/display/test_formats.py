import pytest
from convstudy.display.formats import CHANGE_POINTS, PERCENT, write


@pytest.mark.parametrize(
    ("value", "form", "written"),
    [
        (-0.0004, CHANGE_POINTS, "0.0"),
        (-0.0006, CHANGE_POINTS, "−0.1"),
        (0.0004, CHANGE_POINTS, "+0.0"),
        (-0.04, ".1f", "0.0"),
        (-1e-6, PERCENT, "0.00\u202f%"),
    ],
)
def test_what_rounds_to_zero_is_not_negative(value, form, written):
    assert write(value, form) == written
