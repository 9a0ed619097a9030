"""What the article's Optuna chose in 2018, by replay with that release's sampler and pruner.

The article's reporting was written by hand and is lost. The release never prunes at step 0, so it
matters whether the first epoch was step 0 or 1: both are replayed.
"""

from collections.abc import Mapping

import pandas as pd

from convstudy.analyses.replay.studies import Design
from convstudy.article import facts
from convstudy.search.settings import STARTUP_TRIALS
from convstudy.stats import intervals

SAMPLER = "tpe_optuna_0_5"
# Where the release's pruner counts the first epoch as step 0, and as step 1.
PRUNERS = ("median", "median_from_1")
OBJECTIVES = ("accuracy", "penalised")


def designs() -> dict[tuple[str, str], Design]:
    """Return the designs by objective and pruner."""
    return {
        (objective, pruner): Design(objective, SAMPLER, pruner, "article")
        for objective in OBJECTIVES
        for pruner in PRUNERS
    }


def completed(trials: Mapping[Design, pd.DataFrame]) -> pd.DataFrame:
    """Count completed trials.

    Args:
        trials: Results of `studies.replay`, by design.

    Returns:
        One row per objective, pruner and number of ``completed`` trials: ``share`` of the studies.
    """
    parts = []
    for (objective, pruner), design in designs().items():
        shares = _completed(trials[design]).value_counts(normalize=True).sort_index()
        parts.append(
            shares.rename_axis("completed")
            .rename("share")
            .reset_index()
            .assign(objective=objective, pruner=pruner)
        )
    return pd.concat(parts, ignore_index=True)[["objective", "pruner", "completed", "share"]]


def _completed(trials: pd.DataFrame) -> pd.Series:
    return (trials["state"] == "COMPLETE").groupby(trials["study"]).sum()


def measure(
    trials: Mapping[Design, pd.DataFrame], regrets: Mapping[Design, pd.Series]
) -> pd.DataFrame:
    """Measure how likely the article's studies were.

    Args:
        trials: Results of `studies.replay`, by design.
        regrets: Each study's regret at its end, by design.

    Returns:
        One row per objective and pruner: ``studies``, ``trials``; ``completed_median``, and
        ``article_completed``; means of ``tpe_trials`` and ``tpe_completed``, the trials that TPE
        drew and those of them that completed; the share of studies with at most as many completed
        trials as in the article (``few``), that never draw the module that the article's never
        drew (``never``), and whose best module is the article's (``top``), each with a 95 %
        interval, ``_low`` and ``_high`` (Wilson); ``regret``, its mean, ``regret_random``, that of
        random search with the usual pruner, and ``regret_difference`` (first minus second, in pairs
        of studies with equal seeds) with its interval (Student's t).
    """
    rows = []
    for (objective, pruner), design in designs().items():
        one = trials[design]
        study, done = one["study"], one["state"] == "COMPLETE"
        article, _ = facts.completed(objective == "penalised")
        before = done.groupby(study).cumsum() - done
        by_tpe = before >= STARTUP_TRIALS
        number = _completed(one)
        best = one.loc[one.groupby("study")["objective"].idxmin().dropna()].set_index("study")
        top = facts.best(objective == "penalised")[0]["module"]
        drawn = (
            (one["module"] == facts.figure("studies.penalised.never_tried")).groupby(study).any()
        )
        random = regrets[Design(objective, "random", "median", "article")]
        low, high = intervals.mean_interval(regrets[design] - random)
        shares = {
            "few": number <= article,
            "never": ~drawn,
            "top": best["module"].reindex(number.index) == top,
        }
        row = {
            "objective": objective,
            "pruner": pruner,
            "studies": len(number),
            "trials": int(one["trial"].max()),
            "completed_median": number.median(),
            "article_completed": article,
            "tpe_trials": by_tpe.groupby(study).sum().mean(),
            "tpe_completed": (by_tpe & done).groupby(study).sum().mean(),
        }
        for name, holds in shares.items():
            row[name] = holds.mean()
            row[f"{name}_low"], row[f"{name}_high"] = intervals.wilson(row[name], len(holds))
        row |= {
            "regret": regrets[design].mean(),
            "regret_random": random.mean(),
            "regret_difference": (regrets[design] - random).mean(),
            "regret_low": low,
            "regret_high": high,
        }
        rows.append(row)
    return pd.DataFrame(rows)
