"""What the report shows about the penalties."""

import pandas as pd

from convstudy.analyses.penalties import numbers as penalties
from convstudy.config import settings
from convstudy.display.formats import THREE, WHOLE_PERCENT, write
from convstudy.results.run import Results


def findings(results: Results) -> list[str]:
    """Describe which module wins at the study's weight, and how certain that is."""
    penalty = settings.penalty(results.run["config"])
    weight = penalty["weight"]
    envelope = results.table("penalties/envelope.csv")
    on = (envelope["from_weight"] <= weight) & (weight < envelope["to_weight"])
    best = envelope[on].iloc[0]
    chances = results.table("penalties/probabilities.csv")
    nearest = chances["weight"].iloc[(chances["weight"] - weight).abs().argmin()]
    here = chances[chances["weight"] == nearest].sort_values("objective", ignore_index=True)
    summary = results.table("module_table/summary.csv")
    points = weight * penalties.points_of_median(penalty, summary["parameters"])
    text = (
        f"The study adds {weight:g} for every {penalty['unit']:,.0f} parameters, which is"
        f" {write(points, THREE)} points of test error for the median module"
        f" ({summary['parameters'].median():,.0f} parameters). At this weight,"
        f" {best['module']} has the lowest mean objective,"
        f" {write(here['objective'][0], '.5f')}{_tied(here)}. {_likeliest(here)}"
        f"Across all weights, {len(envelope)} of {len(summary)} modules win at some weight."
    )
    return [text]


def _likeliest(ranked: pd.DataFrame) -> str:
    """Name the module most likely to be the best, if it is not the first one."""
    if ranked["probability"].isna().all():
        return ""
    row = ranked.loc[ranked["probability"].idxmax()]
    if row["module"] == ranked["module"][0]:
        return ""
    return (
        f"The module most likely to be the best is {row['module']}, with a chance of"
        f" {write(row['probability'], WHOLE_PERCENT)}. "
    )


def _tied(ranked: pd.DataFrame) -> str:
    """Describe which modules cannot be told apart from the first one, if known."""
    others = ranked[ranked["told_apart"] == 0].iloc[1:]
    if ranked["told_apart"].isna().all():
        return ""
    if others.empty:
        return ", and all other modules are worse with 95 % confidence"
    first = others.iloc[0]
    return (
        f"; {len(others)} others cannot be told apart from it at 95 % confidence, the nearest being"
        f" {first['module']} with {write(first['objective'], '.5f')}"
    )
