"""What the report shows about stacks of layers."""

from html import escape
from typing import Any

import pandas as pd

from convstudy.display.columns import Column, interval_of, table
from convstudy.display.formats import ACCURACY, CHANGE_POINTS, THREE, WHOLE_PERCENT, span, write
from convstudy.layers.networks import Networks
from convstudy.results.run import Results

OUTCOMES = {
    "always above": "is more accurate with a single layer",
    "always below": "stays below with every number of layers",
}


def _kind(value: Any, networks: Networks) -> str:
    return escape(networks.label(value))


TABLES = {
    "depth/crossings": table(
        "Layers per stage that are as accurate as one {first}",
        "kind outcome layers between parameters* MACs* time",
        kind=Column("Layer", html=_kind),
        layers=Column("Layers", THREE),
        between=interval_of("layers", THREE),
        parameters=Column("Parameters there", WHOLE_PERCENT),
        MACs=Column("MACs", WHOLE_PERCENT),
        time=Column("Time", WHOLE_PERCENT),
    )
}


def findings(results: Results) -> list[str]:
    """Say with how many layers each kind is best, and which beat one layer of the reference."""
    networks, summary = results.networks, results.table("depth/summary.csv")
    best = summary.loc[summary.groupby("kind", sort=False)["mean"].idxmax()]
    listed = ", ".join(
        f"{networks.label(row.kind)} with {row.layers} ({write(row.mean, ACCURACY)})"
        for row in best.itertuples()
    )
    lines = [f"Layers per stage with the highest mean accuracy: {listed}."]
    compared = results.table("depth/contrasts.csv")
    # The same stack may be the largest by both costs.
    for _, same in compared.groupby(["kind", "layers"], sort=False):
        row = next(same.itertuples())
        lines.append(
            f"{row.layers} layers of {networks.label(row.kind)}, the most here with no more"
            f" {' and no more '.join(same['cost'])} than one {networks.label(networks.reference)}"
            f" per stage, are {_word(row)}: {write(row.value, CHANGE_POINTS)} points (95 % interval"
            f" {span(row.low, row.high, CHANGE_POINTS)})."
        )
    return lines


def _word(row: Any) -> str:
    if pd.isna(row.low) or row.low <= 0 <= row.high:
        return "not clearly different"
    return "clearly more accurate" if row.low > 0 else "clearly less accurate"
