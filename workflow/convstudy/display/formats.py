"""Number formats for figures, tables and sentences, and data for scripts."""

import json
import math
from typing import Any

import pandas as pd

from convstudy.display import style

# A thin space before units, as in the figures, and a true minus sign.
THIN, MINUS, DASH = "\u202f", style.MINUS, "\u2013"
# A form is a template or a Python format, with `%` for per cent, `pp` for points (hundredths), `d`
# for whole numbers and `×` for factors.
PERCENT, POINTS, DISTANCE = ".2%", "+.2pp", ".2pp"
# No more digits than an interval of a point or two justifies.
ACCURACY, CHANGE_POINTS, WHOLE_PERCENT = ".1%", "+.1pp", ".0%"
WHOLE, CHANGE, THREE = ",d", "+,.0f", "#,.3g"


def write(value: Any, form: str) -> str:
    """Format a number; text is returned unchanged."""
    if isinstance(value, str):
        return value
    if value == math.inf:
        return "∞"
    if "{" in form:
        text = form.format(value)
    elif form.endswith("%"):
        text = f"{format(100 * value, form[:-1] + 'f')}{THIN}%"
    elif form.endswith("pp"):
        text = format(100 * value, form[:-2] + "f")
    elif form.endswith("×"):
        text = f"{format(value, form[:-1])}×"
    elif form.endswith("d"):
        text = format(int(value), form)
    elif form == THREE:
        text = f"{value:,.0f}" if value >= 1000 else f"{value:#.3g}".rstrip(".")
    elif form == ".0e":
        # An error: zero, or one digit and a power of ten.
        return "0" if value == 0 else f"{value:.0e}"
    else:
        text = format(value, form)
    # What is rounded to zero has no sign.
    return text.replace("-", MINUS if any(digit in text for digit in "123456789") else "")


def span(low: float, high: float, form: str) -> str:
    """Format two numbers as a range, or a dash if there is none."""
    if pd.isna(low):
        return DASH
    between = " to " if form.startswith("+") else DASH
    return write(low, form).removesuffix(f"{THIN}%") + between + write(high, form)


def script_json(data: Any) -> str:
    """Write data as JSON within a page, where they cannot end their script.

    Raises:
        ValueError: If they contain NaN or infinity, which JSON has not.
    """
    return json.dumps(data, allow_nan=False, ensure_ascii=False).replace("<", "\\u003c")
