"""What the report shows about the replayed studies."""

from typing import Any

import pandas as pd

from convstudy.analyses.replay import numbers as replay
from convstudy.display.formats import CHANGE, POINTS, THREE, WHOLE_PERCENT, span, write
from convstudy.results.run import Results


def findings(results: Results) -> list[str]:
    """Describe how well the article's search method does, and what its pruning cost."""
    summary = results.table("replay/summary.csv")
    here = {"sampler": "tpe", "pruner": "median", "penalty_pruning": "article"}
    mine = summary[(summary[list(here)] == pd.Series(here)).all(axis=1)]
    lines = [f"{replay.written(row)}: {_reached(row)}." for row in mine.itertuples()]
    same = (summary["sampler"] == "grid") & (summary["pruner"] == "median")
    lines += [
        f"{replay.written(row)}, for comparison: {_reached(row)}."
        for row in summary[same & (summary["weight"] == 0)].itertuples()
    ]
    pruning = results.table("replay/pruning.csv")
    for row in pruning[pruning["sampler"] == "tpe"].itertuples():
        clear = row.regret_low > 0 or row.regret_high < 0
        lines.append(
            f"With {replay.searches(row)}, leaving the penalty out of pruning"
            f" {'clearly changes' if clear else 'does not clearly change'} the regret:"
            f" {write(row.regret_difference, POINTS)} points (95 % interval"
            f" {span(row.regret_low, row.regret_high, POINTS)}); the"
            f" number of epochs changes by {write(row.epochs_difference, CHANGE)}"
            f" ({span(row.epochs_low, row.epochs_high, CHANGE)})."
        )
    return lines


def _reached(row: Any) -> str:
    """Describe what replayed studies of a design reach, with ties first if known."""
    best = write(row.probability_best, WHOLE_PERCENT)
    if pd.notna(row.alike):
        ends = span(row.alike_low, row.alike_high, WHOLE_PERCENT)
        picked = (
            f"in {write(row.alike, WHOLE_PERCENT)} of {row.studies} studies (95 % interval {ends}),"
            f" {row.trials} trials end on a module that cannot be told apart from the best, and"
            f" in {best} on the best module itself"
        )
    else:
        ends = span(row.probability_low, row.probability_high, WHOLE_PERCENT)
        picked = (
            f"in {best} of {row.studies} studies (95 % interval {ends}), {row.trials} trials end on"
            " the best module"
        )
    return f"{picked}; a study uses {write(row.epochs_mean, THREE)} epochs on average"
