"""Accuracies of a run's networks: a kind's beside the article's, modules with errors and ranks."""

from typing import Any

import numpy as np
import pandas as pd

from convstudy.article import facts
from convstudy.layers.kinds import KINDS
from convstudy.layers.models import POSITIONS
from convstudy.stats import intervals
from convstudy.training import record

# With which all modules are compared.
CONV = "conv-conv-conv"
# Tables drawn of what the true means may be.
DRAWS = 10_000


def means(table: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    """Give each module's mean accuracy, its 95 % interval, and its error on these images.

    Few replicates tell little about one module's spread, so for the error the spread is taken to be
    the same for all and is estimated from all of them together.

    Returns:
        means: By module: its layers, ``parameters``, ``macs``, ``replicates``, ``mean``, ``low``
            and ``high`` (see `intervals.accuracy_interval`), and ``error``: the standard error
            of the mean by which modules are compared, as all meet the same images. The last three
            are empty where all modules have one replicate, or no replicates differ.
        dof: Degrees of freedom of the error; 0 where it is empty.
    """
    done = table[table["status"] == "finished"]
    groups = done.groupby("module", sort=False)
    found = groups[[*POSITIONS, "parameters", "macs"]].first()
    best = groups["test_accuracy_best"]
    found["replicates"] = best.size()
    found["mean"] = best.mean()
    dof = len(done) - len(found)
    deviations = done["test_accuracy_best"] - best.transform("mean")
    if not dof or np.allclose(deviations, 0):
        return found.assign(low=np.nan, high=np.nan, error=np.nan), 0
    ends = [
        intervals.accuracy_interval(record.right(part, "test_accuracy_best")) for _, part in groups
    ]
    found["low"], found["high"] = np.transpose(ends)
    found["error"] = np.sqrt((deviations**2).sum() / dof / found["replicates"])
    return found, dof


def draw_means(found: pd.DataFrame, dof: int, draws: int = DRAWS) -> np.ndarray:
    """Draw what the true means may be on these images, as far as the replicates tell.

    A mean that stands out does so by luck, too, so each is drawn around a value nearer to the mean
    of all: the means are taken to come from a normal distribution, whose variance is what is left
    of theirs without the errors (C. N. Morris, J. Am. Stat. Assoc. 78, 47, 1983). Drawn around the
    observed means, the error would count twice.

    Args:
        found, dof: What `means` gives, with at least one degree of freedom.

    Returns:
        Of shape (draws, modules).
    """
    from scipy.stats import t

    observed, variances = found["mean"].to_numpy(), found["error"].to_numpy() ** 2
    between = max(0.0, observed.var(ddof=1) - variances.mean()) if len(found) > 1 else 0.0
    kept = between / (between + variances)
    around = observed.mean() + kept * (observed - observed.mean())
    rng = np.random.default_rng(0)
    drawn = t.rvs(dof, size=(draws, len(found)), random_state=rng)
    return around + drawn * np.sqrt(kept * variances)


def rank_sets(found: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Give the places that each module may have on these images, with 95 % confidence for each.

    Those above it are at most the modules that are not clearly worse, where it is compared with all
    others at once (M. Mogstad et al., Review of Economic Studies 91, 476, 2024, with normal errors
    of one variance, for which Dunnett's constant is theirs).

    Args:
        found: What `means` gives, with errors.

    Returns:
        low, high: (modules,) of int, from 1.
    """
    mean = found["mean"].to_numpy()
    most = np.array([resolution(found, one, best=False) for one in found.index])
    # Of each other one (columns) above each one (rows).
    above = mean - mean[:, None]
    return 1 + (above > most).sum(axis=1), len(mean) - (above < -most).sum(axis=1)


def resolution(found: pd.DataFrame, one: str, best: bool = True) -> pd.Series:
    """Give by how much each module must differ from one to be told apart from it.

    With 95 % confidence for all modules at once, see `intervals.dunnett_constant`.

    Args:
        found: What `means` gives.
        one: The module with which they are compared.
        best: Whether it is the one that looks best, by its mean or by an objective that adds a
            constant, and it is asked which others are worse.

    Returns:
        By module; empty without errors.
    """
    if len(found) == 1 or found["error"].isna().any():
        return pd.Series(np.nan, found.index)
    numbers = found["replicates"].astype(int)
    others = tuple(sorted(map(int, numbers.drop(one))))
    constant = intervals.dunnett_constant(int(numbers[one]), others, best)
    return constant * np.hypot(found["error"], found.loc[one, "error"])


def module_names(trials: pd.DataFrame) -> pd.Series:
    """Join the three layer columns to names such as ``conv-conv-depthwise``."""
    return trials[list(POSITIONS)].agg("-".join, axis=1)


def against_article(kind: str, trainings: pd.DataFrame) -> dict[str, Any]:
    """Compare the trainings of a single-kind network with the article's accuracy.

    Returns:
        ``kind``, ``label``, ``parameters``, ``replicates``, ``mean``, ``lowest``, ``highest`` (of
        the best test accuracy over epochs), ``low``, ``high`` (the mean's 95 % interval, see
        `intervals.accuracy_interval`), ``mean_last`` (after the last epoch), ``article``,
        ``difference``.
    """
    best = trainings["test_accuracy_best"]
    low, high = intervals.accuracy_interval(record.right(trainings, "test_accuracy_best"))
    printed = facts.accuracies()[kind]
    return {
        "kind": kind,
        "label": KINDS[kind].label,
        "parameters": int(trainings["parameters"].iloc[0]),
        "replicates": len(trainings),
        "mean": best.mean(),
        "lowest": best.min(),
        "highest": best.max(),
        "low": low,
        "high": high,
        "mean_last": trainings["test_accuracy_last"].mean(),
        "article": printed,
        "difference": best.mean() - printed,
    }
