"""What the report shows about the measured times."""

from dataclasses import replace
from html import escape
from typing import Any

import pandas as pd

from convstudy.display.columns import Column, table
from convstudy.display.formats import DASH, THREE, WHOLE, write
from convstudy.layers.networks import Networks
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


def _with_between(frame: pd.DataFrame, results: Results) -> pd.DataFrame:
    # The caption names the only one.
    if len(results.networks.replacements) == 1:
        frame = frame.drop(columns="kind")
    return frame.assign(between=[between(row) for _, row in frame.iterrows()])


def _kind(value: Any, networks: Networks) -> str:
    return escape(networks.label(value))


TABLES = {
    "timing/crossover": replace(
        table(
            "Number of channels above which a {other} is faster than a {first}",
            "kind size pass outcome channels between last_channels* last_speedup*",
            kind=Column("Layer", html=_kind),
        ),
        prepare=_with_between,
    )
}
