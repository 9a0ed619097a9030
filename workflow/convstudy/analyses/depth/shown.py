"""What the report shows about stacks of layers."""

from html import escape
from typing import Any

import pandas as pd

from convstudy.display.columns import Column, interval_of, table
from convstudy.display.formats import CHANGE_POINTS, THREE, WHOLE_PERCENT, span, write
from convstudy.layers.networks import Networks
from convstudy.results.run import Results

OUTCOMES = {
    "always above": "is more accurate with a single layer",
    "always below": "does not reach it with any number of layers",
}


def _kind(value: Any, networks: Networks) -> str:
    return escape(networks.label(value))


TABLES = {
    "depth/crossings": table(
        "Layers per stage that are as accurate as one {first}",
        "kind outcome layers between parameters MACs time",
        kind=Column("Layer", html=_kind),
        layers=Column("Layers", THREE),
        between=interval_of("layers", THREE),
        parameters=Column("Parameters there", WHOLE_PERCENT),
        MACs=Column("MACs", WHOLE_PERCENT),
        time=Column("Time", WHOLE_PERCENT),
    )
}


def findings(results: Results) -> list[str]:
    """Say which stacks beat one layer of the reference at no more cost."""
    networks = results.networks
    one = f"one {networks.label(networks.reference)} per stage"
    return [
        f"{row.layers} layers of {networks.label(row.kind)}, the most with no more {row.cost} than"
        f" {one}, are {_word(row)}: {write(row.value, CHANGE_POINTS)} points (95 % interval"
        f" {span(row.low, row.high, CHANGE_POINTS)})."
        for row in results.table("depth/contrasts.csv").itertuples()
    ]


def _word(row: Any) -> str:
    if pd.isna(row.low) or row.low <= 0 <= row.high:
        return "not clearly different"
    return "clearly more accurate" if row.low > 0 else "clearly less accurate"
