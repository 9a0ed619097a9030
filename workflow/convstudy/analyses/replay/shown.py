"""What the report shows about the replayed studies."""

from collections.abc import Callable
from typing import Any

import pandas as pd

from convstudy.analyses.replay import numbers as replay
from convstudy.analyses.replay.numbers import LABELS
from convstudy.display.columns import Column, Table
from convstudy.display.formats import CHANGE, POINTS, THREE, WHOLE_PERCENT, span, write
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
    table = results.table("replay/contrasts.csv").set_index(["id", "measure"])
    regret, epochs = (table.loc[("penalty_in_pruning", one)] for one in ("regret", "epochs"))
    if pd.notna(regret["low"]):
        clear = regret["low"] > 0 or regret["high"] < 0
        lines.append(
            f"With {LABELS['tpe_optuna_0_5']} and {LABELS['median']}, leaving the penalty out of"
            f" pruning {'clearly changes' if clear else 'does not clearly change'} the regret:"
            f" {write(regret['value'], POINTS)} points (95 % interval over new trainings"
            f" {span(regret['low'], regret['high'], POINTS)}); the"
            f" number of epochs changes by {write(epochs['value'], CHANGE)}"
            f" ({span(epochs['low'], epochs['high'], CHANGE)})."
        )
    return lines


def _share(row: Any, name: str) -> str:
    """Format a share of the studies with its interval."""
    ends = span(getattr(row, f"{name}_low"), getattr(row, f"{name}_high"), WHOLE_PERCENT)
    return f"{write(getattr(row, name), WHOLE_PERCENT)} ({ends})"


MEASURES: dict[str, Callable[[Any], str]] = {
    "Completed trials, median": lambda row: f"{row.completed_median:g}",
    "Completed in the article": lambda row: str(row.article_completed),
    "As few or fewer complete": lambda row: _share(row, "few"),
    "Trials that TPE draws, mean": lambda row: f"{row.tpe_trials:.1f}",
    "Of these, completed": lambda row: f"{row.tpe_completed:.1f}",
    "Depthwise ×3 is never drawn": lambda row: _share(row, "never"),
    "The article’s best module wins": lambda row: _share(row, "top"),
    "Regret minus random search’s, points": lambda row: (
        f"{write(row.regret_difference, POINTS)} ({span(row.regret_low, row.regret_high, POINTS)})"
    ),
}


def _by_measure(frame: pd.DataFrame, _results: Results) -> pd.DataFrame:
    """Turn the table: one row per measure, one column per study and way of counting steps."""
    rows = list(frame.itertuples())
    return pd.DataFrame(
        {
            "item": list(MEASURES),
            **{
                f"{row.objective}_{row.pruner}": [show(row) for show in MEASURES.values()]
                for row in rows
            },
        }
    )


TABLES = {
    "replay/optuna_2018": Table(
        "Replayed studies with the sampler and the pruner of Optuna 0.5.0; the 95 % intervals are"
        " for other seeds on the same module table",
        {
            "item": Column("Of a study"),
            "accuracy_median": Column("Accuracy alone, steps from 0"),
            "accuracy_median_from_1": Column("from 1"),
            "penalised_median": Column("With the penalty, steps from 0"),
            "penalised_median_from_1": Column("from 1"),
        },
        prepare=_by_measure,
    )
}


def _reached(row: Any) -> str:
    """Describe what replayed studies of a design reach, with ties first if known."""
    best = write(row.probability_best, WHOLE_PERCENT)
    if pd.notna(row.alike):
        ends = span(row.alike_low, row.alike_high, WHOLE_PERCENT)
        picked = (
            f"in {write(row.alike, WHOLE_PERCENT)} of {row.studies} studies ({ends} with"
            f" other seeds), {row.trials} trials end on a module that cannot be told apart from the"
            f" best, and in {best} on the best module itself"
        )
    else:
        ends = span(row.probability_low, row.probability_high, WHOLE_PERCENT)
        picked = (
            f"in {best} of {row.studies} studies ({ends} with other seeds),"
            f" {row.trials} trials end on the best module"
        )
    return f"{picked}; a study uses {write(row.epochs_mean, THREE)} epochs on average"
