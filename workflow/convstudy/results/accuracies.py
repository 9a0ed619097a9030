"""Compare a run's accuracies: kinds with the article, modules with errors and ranks."""

import math
from typing import Any

import numpy as np
import pandas as pd

from convstudy.article import facts
from convstudy.layers.networks import Networks, positions_in
from convstudy.results.scale import LEAST_REPLICATES
from convstudy.stats import intervals
from convstudy.training import record

# Number of random draws of the true means.
DRAWS = 10_000


def means(table: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    """Return each module's mean accuracy, its 95 % interval, and its error on these images.

    Few replicates say little about one module's spread, so the error assumes the same spread for
    all modules and pools their replicates.

    Returns:
        means: By module: its layers, ``parameters``, ``macs``, ``replicates``, ``mean``, ``low``
            and ``high`` (see `intervals.accuracy_interval`), and ``error``: the standard error
            of the mean for comparing modules, which were all tested on the same images. The last
            three are empty if all modules have one replicate, or no replicates differ.
        dof: Degrees of freedom of the error; 0 if it is empty.
    """
    done = table[table["status"] == "finished"]
    groups = done.groupby("module", sort=False)
    found = groups[[*positions_in(table), "parameters", "macs"]].first()
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
    """Draw plausible true means on these images, given the replicates.

    Extreme means are partly luck, so each is drawn around a value shrunk towards the mean of all:
    the means are assumed to come from a normal distribution whose variance is theirs minus that of
    the errors (C. N. Morris, J. Am. Stat. Assoc. 78, 47, 1983). Drawing around the observed means
    would count the error twice.

    Args:
        found, dof: What `means` returns, with at least one degree of freedom.
        draws: Number of draws.

    Returns:
        An array of shape (draws, modules).
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
    """Return the range of ranks of each module on these images, with 95 % confidence for each.

    At least the clearly better modules rank above it, and at most those that are not clearly worse,
    when it is compared with all others at once (M. Mogstad et al., Review of Economic Studies 91,
    476, 2024; with normal errors of equal variance, their constant is Dunnett's).

    Args:
        found: What `means` returns, with errors.

    Returns:
        low, high: Arrays of int of shape (modules,), counted from 1.
    """
    mean = found["mean"].to_numpy()
    most = np.array([resolution(found, module, best=False) for module in found.index])
    # How far each other module (columns) is above each module (rows).
    above = mean - mean[:, None]
    return 1 + (above > most).sum(axis=1), len(mean) - (above < -most).sum(axis=1)


def resolution(found: pd.DataFrame, one: str, best: bool = True) -> pd.Series:
    """Return how much each module must differ from a given one to be distinguishable from it.

    With 95 % confidence for all modules at once, see `intervals.dunnett_constant`.

    Args:
        found: What `means` returns.
        one: The module that they are compared with.
        best: Whether that module looks best, by its mean or by an objective that adds a constant,
            and the question is which others are worse.

    Returns:
        The differences by module; NaN without errors.
    """
    if len(found) == 1 or found["error"].isna().any():
        return pd.Series(np.nan, found.index)
    numbers = found["replicates"].astype(int)
    others = tuple(sorted(map(int, numbers.drop(one))))
    constant = intervals.dunnett_constant(int(numbers[one]), others, best)
    return constant * np.hypot(found["error"], found.loc[one, "error"])


def module_names(trials: pd.DataFrame) -> pd.Series:
    """Join the layer columns to names such as ``conv-conv-depthwise``."""
    return trials[positions_in(trials)].agg("-".join, axis=1)


def one_more_training(trainings: pd.DataFrame) -> pd.DataFrame:
    """Return where one more training of each network would lie, from trainings of several.

    Returns:
        By ``kind``: ``mean``, ``var`` and ``count`` of the best test accuracy, and ``half`` the
        width of the range (see `intervals.prediction_half_width`); nan with fewer trainings than
        `LEAST_REPLICATES`, which do not show whether they spread as those of the others.
    """
    groups = trainings.groupby("kind", sort=False)["test_accuracy_best"]
    found = groups.agg(["mean", "var", "count"])
    half = intervals.prediction_half_width(found["mean"], found["var"], found["count"])
    return found.assign(half=np.where(found["count"] >= LEAST_REPLICATES, half, np.nan))


def against_article(kind: str, networks: Networks, trainings: pd.DataFrame) -> dict[str, Any]:
    """Compare the trainings of a single-kind network with the article's accuracy.

    With other networks than the article's, ``article`` and ``difference`` are empty.

    Returns:
        ``kind``, ``label``, ``parameters``, ``replicates``, ``mean``, ``lowest``, ``highest`` (of
        the best test accuracy over epochs), ``low``, ``high`` (the mean's 95 % interval, see
        `intervals.accuracy_interval`) and its degrees of freedom ``dof``, ``balanced_accuracy``
        (there, if the classes have unequal numbers of test images), ``mean_last`` (after the last
        epoch), ``article``, ``difference``.
    """
    best = trainings["test_accuracy_best"]
    right = record.right(trainings, "test_accuracy_best")
    low, high = intervals.accuracy_interval(right)
    dof = intervals.crossed_error([right])[2] if len(right) > 1 else math.nan
    printed = facts.accuracies()[kind] if networks.is_article else math.nan
    return {
        "kind": kind,
        "label": networks.label(kind),
        "parameters": int(trainings["parameters"].iloc[0]),
        "replicates": len(trainings),
        "mean": best.mean(),
        "lowest": best.min(),
        "highest": best.max(),
        "low": low,
        "high": high,
        "dof": dof,
        **trainings.filter(["balanced_accuracy"]).mean().to_dict(),
        "mean_last": trainings["test_accuracy_last"].mean(),
        "article": printed,
        "difference": best.mean() - printed,
    }
