"""Two ways of searching, compared on the same tables with resampled replicates.

The interval of a mean over replayed studies shrinks to nothing with more studies, although the
table is chance, too. So both ways also search tables whose replicates are drawn anew, with
replacement; the spread of their difference over tables tells how much it owes to the trainings that
happen to be in the table (B. Efron, Ann. Stat. 7, 1, 1979).
"""

from collections.abc import Mapping, Sequence
from math import nan, sqrt

import numpy as np
import pandas as pd

from convstudy.analyses.replay.numbers import score
from convstudy.analyses.replay.studies import CurveTable
from convstudy.stats import intervals

# For each contrast, the two designs: the first minus the second.
CONTRASTS = {
    "penalty_in_pruning": (
        "penalised-tpe_optuna_0_5-median-article",
        "penalised-tpe_optuna_0_5-median-objective",
    ),
    "multivariate": (
        "accuracy-tpe_multivariate-median-article",
        "accuracy-tpe_optuna_0_5-median-article",
    ),
}


def designs() -> list[str]:
    """List the designs that are compared."""
    return sorted({design for pair in CONTRASTS.values() for design in pair})


def tabulate(
    whole: Mapping[str, pd.DataFrame],
    resampled: Mapping[str, pd.DataFrame],
    recorded: CurveTable,
    penalty: Mapping[str, float],
) -> pd.DataFrame:
    """Compare two ways of searching at the end of their studies, in pairs with equal seeds.

    Args:
        whole, resampled: Results of `studies.replay` and `studies.replay_resampled`, by design.
        recorded: The table's curves.
        penalty: ``weight`` and ``unit``.

    Returns:
        One row per contrast and measure (``regret``, ``epochs``, ``combinations``): ``id``,
        ``measure``, ``studies``, ``tables``, ``value`` (mean of the first way minus that of the
        second), its 95 % interval ``low``, ``high`` over new trainings, standard ``error`` and
        degrees of freedom ``dof``; without replicates, ends and error are empty.
    """
    replicates = min(map(len, recorded.accuracies.values()))
    rows = []
    for name, pair in CONTRASTS.items():
        weight = penalty["weight"] if pair[0].startswith("penalised") else 0.0
        costs = {
            "-".join(kinds): weight * number / penalty["unit"]
            for kinds, number in recorded.parameters.items()
        }
        here = _differences([whole[design] for design in pair], recorded, costs)
        tables = [
            _differences(parts, recorded.resampled(table), costs)
            for table, parts in enumerate(
                zip(*(_by_table(resampled[one]) for one in pair), strict=True)
            )
        ]
        for measure in here:
            means = [float(one[measure].mean()) for one in tables]
            error, dof = resampling_error(means, replicates)
            value = here[measure].mean()
            ends = intervals.t_interval(value, error, dof)
            rows.append((name, measure, len(here), len(tables), value, *ends, error, dof))
    columns = ["id", "measure", "studies", "tables", "value", "low", "high", "error", "dof"]
    return pd.DataFrame(rows, columns=columns)


def resampling_error(tables: Sequence[float], replicates: int) -> tuple[float, int]:
    """Return the standard error of a mean difference over new trainings, and its dof.

    It includes the chance that is left in a table's few studies, so it is slightly too large.

    Args:
        tables: The mean difference on each resampled table.
        replicates: Trainings of each module; with a single one, the error is nan, and so it is
            if all tables agree.
    """
    if replicates < 2 or np.ptp(tables) == 0:
        return nan, len(tables) - 1
    # Resampling n values shows (n - 1) / n of their variance.
    return float(np.std(tables, ddof=1)) * sqrt(replicates / (replicates - 1)), len(tables) - 1


def _by_table(trials: pd.DataFrame) -> list[pd.DataFrame]:
    return [part for _, part in trials.groupby("table")]


def _differences(
    pair: Sequence[pd.DataFrame], recorded: CurveTable, costs: Mapping[str, float]
) -> pd.DataFrame:
    """Return what each study of the first way reaches minus what that of the second does."""
    first, second = (_reached(trials, recorded, costs) for trials in pair)
    return first - second


def _reached(
    trials: pd.DataFrame, recorded: CurveTable, costs: Mapping[str, float]
) -> pd.DataFrame:
    """Return what each study reaches, one column per measure."""
    objective = pd.Series({name: error + costs[name] for name, error in recorded.errors().items()})
    known = (objective - objective.min()).to_frame("regret")
    # What the replicates estimate besides is not asked.
    known[["expected_regret", "probability_best", "told_apart"]] = nan
    return score(trials, known).groupby("study").last()[["regret", "epochs", "combinations"]]
