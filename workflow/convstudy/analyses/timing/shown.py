"""What the report shows about the measured times."""

from dataclasses import replace

import pandas as pd

from convstudy.display.columns import table
from convstudy.display.formats import DASH, THREE, WHOLE, write
from convstudy.results.run import Results


def between(row: pd.Series) -> str:
    """Format a crossover's interval in channels, bounded by the range that was measured."""
    if row["outcome"] != "crosses":
        return DASH
    known = pd.notna(row["channels_low"]) or pd.notna(row["channels_high"])
    if not known:
        return DASH
    low, high = (
        write(row[f"channels_{end}"], THREE)
        if pd.notna(row[f"channels_{end}"])
        else f"{word} {write(row[f'{place}_channels'], WHOLE)}"
        for end, word, place in (("low", "below", "first"), ("high", "above", "last"))
    )
    return f"{low} to {high}"


def _with_between(frame: pd.DataFrame, _results: Results) -> pd.DataFrame:
    return frame.assign(between=[between(row) for _, row in frame.iterrows()])


TABLES = {
    "timing/crossover": replace(
        table(
            "Number of channels above which a SeparableConv2D is faster than a Conv2D",
            "size pass outcome channels between last_channels* last_speedup*",
        ),
        prepare=_with_between,
    )
}
