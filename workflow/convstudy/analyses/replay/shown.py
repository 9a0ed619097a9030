"""What the report shows about the replayed studies."""

from dataclasses import replace
from typing import Any

import pandas as pd

from convstudy.analyses.replay import numbers as replay
from convstudy.analyses.replay.numbers import LABELS
from convstudy.display.columns import Column, interval_of, table
from convstudy.display.formats import (
    CHANGE,
    CHANGE_POINTS,
    POINTS,
    THREE,
    WHOLE,
    WHOLE_PERCENT,
    span,
    write,
)
from convstudy.results.run import Results


def findings(results: Results) -> list[str]:
    """Describe how well the article's search method does, and what its pruning cost."""
    summary = results.table("replay/summary.csv")
    here = {"sampler": "tpe_optuna_0_5", "pruner": "median", "penalty_pruning": "article"}
    mine = summary[(summary[list(here)] == pd.Series(here)).all(axis=1)]
    lines = [f"{replay.written(row)}: {_reached(row)}." for row in mine.itertuples()]
    same = (summary["sampler"] == "grid") & (summary["pruner"] == "median")
    lines += [
        f"{replay.written(row)}, for comparison: {_reached(row)}."
        for row in summary[same & (summary["weight"] == 0)].itertuples()
    ]
    pruning = results.table("replay/pruning.csv")
    for row in pruning[pruning["sampler"] == "tpe_optuna_0_5"].itertuples():
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


def _steps(frame: pd.DataFrame, _results: Results) -> pd.DataFrame:
    """Name the rows, and convert regrets to points."""
    return frame.assign(
        study=frame["objective"].map(LABELS).str.capitalize(), steps=frame["pruner"].map(STEPS_FROM)
    )


STEPS_FROM = {"median": "0", "median_from_1": "1"}
TABLES = {
    "replay/optuna_2018": replace(
        table(
            "Replayed studies with the sampler and the pruner of Optuna 0.5.0",
            "study steps completed_median article_completed few tpe_trials tpe_completed never top"
            " regret_difference* regret_interval*",
            steps=Column("Steps from"),
            completed_median=Column("Completed, median", "g"),
            article_completed=Column("the article’s", WHOLE),
            few=Column("Completed as few or fewer", WHOLE_PERCENT),
            tpe_trials=Column("Trials drawn by TPE", ".1f"),
            tpe_completed=Column("of them completed", ".1f"),
            never=Column("Depthwise ×3 never drawn", WHOLE_PERCENT),
            top=Column("The article’s best module wins", WHOLE_PERCENT),
            regret_difference=Column("Regret minus random search’s, points", CHANGE_POINTS),
            regret_interval=interval_of("regret", POINTS),
        ),
        prepare=_steps,
    )
}


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
