"""Every interval, once: two-sided, 95 %, a function a method, each with its source."""

from collections.abc import Sequence
from math import hypot, sqrt
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

# Two-sided 95 % of a normal distribution.
NORMAL_95 = 1.959963984540054
RESAMPLES = 5000


def wilson(accuracy: float, images: int) -> tuple[float, float]:
    """Give the interval of an accuracy that was measured on a number of images.

    Wilson's score interval (E. B. Wilson, J. Am. Stat. Assoc. 22, 1927). It covers the chance in
    the choice of test images, not that in the training.

    Args:
        accuracy: Fraction of images that were classified rightly; a mean over replicates, too.
        images: Number of images.
    """
    square = NORMAL_95**2
    middle = (accuracy + square / (2 * images)) / (1 + square / images)
    spread = accuracy * (1 - accuracy) / images + square / (4 * images**2)
    half = NORMAL_95 / (1 + square / images) * sqrt(spread)
    return middle - half, middle + half


def t_half_width(error: Any, freedom: int) -> Any:
    """Give half the width of Student's interval from standard errors and degrees of freedom."""
    from scipy import stats

    return error * float(stats.t.ppf(0.975, max(freedom, 1)))


def mean_interval(values: "pd.Series") -> tuple[float, float]:
    """Give Student's interval of a mean over replicates; empty with one value."""
    half = t_half_width(values.sem(), len(values) - 1)
    return values.mean() - half, values.mean() + half


def trained_accuracy(values: "pd.Series", images: int) -> tuple[float, float]:
    """Give the interval of a mean accuracy over replicates: two chances, added up.

    That of the test images (see `wilson`) and, with several replicates, that of the trainings
    (see `mean_interval`): the squares of their distances from the mean are added.
    """
    return accuracy_interval(values.mean(), values.std(), len(values), images)


def accuracy_interval(
    mean: float, spread: float, replicates: int, images: int
) -> tuple[float, float]:
    """Give the interval of `trained_accuracy` from mean and standard deviation of replicates."""
    low, high = wilson(mean, images)
    half = t_half_width(spread / sqrt(replicates), replicates - 1) if replicates > 1 else 0.0
    return mean - hypot(mean - low, half), mean + hypot(high - mean, half)


def prediction_half_width(means: Any, variances: Any, replicates: Any) -> np.ndarray:
    """Give half the width of the interval in which one more training of a model would lie.

    It lies around the mean of the trainings there are; an accuracy that was measured once, on the
    same test images, differs from the model's if it is outside (J. R. Spence and D. J. Stanley,
    PLoS ONE 11, e0162874, 2016). As all trainings meet the same images, the spread between runs is
    chance enough; it is about that of independent errors in the images (K. Jordan, arXiv
    2304.01910), and in proportion to p (1 - p) it is taken as the same for all models.

    Args:
        means: Accuracies over replicates, (..., models).
        variances: Of the replicates, (..., models); nan where there is one, which adds nothing.
        replicates: (models,).

    Returns:
        (..., models). nan where no model has two trainings.
    """
    means, variances, replicates = map(np.asarray, (means, variances, replicates))
    freedom = int((replicates - 1).sum())
    if not freedom:
        return np.full(means.shape, np.nan)
    chance = means * (1 - means)
    share = np.nanmean(variances / chance, axis=-1, keepdims=True)
    return t_half_width(np.sqrt(share * chance * (1 + 1 / replicates)), freedom)


def median_interval(repeats: Sequence[float]) -> tuple[float, float]:
    """Give the interval of a median of six repeats or more, whatever their distribution.

    Its ends are order statistics (Conover, Practical Nonparametric Statistics, section 3.2).
    """
    from scipy import stats

    found = stats.quantile_test(repeats, q=0, p=0.5).confidence_interval()
    return float(found.low), float(found.high)


def widened(value: float, low: float, high: float, number: int) -> tuple[float, float]:
    """Widen the interval of a ratio that was picked out of several for being extreme.

    Bonferroni's correction, with the logarithm of the ratio taken as normal.
    """
    from scipy import stats

    factor = float(stats.norm.isf(0.025 / number)) / NORMAL_95
    return value * (low / value) ** factor, value * (high / value) ** factor


def difference(
    one: tuple[float, float, float], other: tuple[float, float, float]
) -> tuple[float, float]:
    """Give the interval of a difference of two numbers, each given as value, low and high.

    The squares of the distances to the ends are added, as in method 10 of R. G. Newcombe,
    Statistics in Medicine 17, 873 (1998). That takes the numbers as independent; on the same test
    images they are not quite, which makes the interval rather too wide.
    """
    (value, low, high), (less, less_low, less_high) = one, other
    below, above = hypot(value - low, less_high - less), hypot(high - value, less - less_low)
    return value - less - below, value - less + above


def bootstrap_mean(values: np.ndarray) -> tuple[float, float]:
    """Give the bootstrap percentile interval of a mean (Efron, Annals of Statistics 7, 1979)."""
    from scipy import stats

    found = stats.bootstrap(
        (values,),
        np.mean,
        n_resamples=RESAMPLES,
        method="percentile",
        rng=np.random.default_rng(0),
    )
    return found.confidence_interval


def bootstrap_paired(gain: np.ndarray) -> tuple[float, float]:
    """Give the bootstrap percentile interval of a mean over replicates and images.

    Images are drawn again, and replicates where there are several, the same ones for all. With one
    replicate it covers the chance in the images alone.

    Args:
        gain: (replicates, images) of int8. Differences of two models' hits.
    """
    rng = np.random.default_rng(0)
    replicates, images = gain.shape
    drawn = np.empty(RESAMPLES)
    for number in range(RESAMPLES):
        weights = np.bincount(rng.integers(0, images, images), minlength=images)
        seeds = rng.integers(0, replicates, replicates)
        drawn[number] = (gain[seeds] @ weights).mean() / images
    low, high = np.quantile(drawn, [0.025, 0.975])
    return low, high
