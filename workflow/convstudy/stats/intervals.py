"""All intervals: two-sided, 95 %, one function per method, each with its source.

`number` is how many intervals are to hold at once: each is then one of 100 % - 5 % / number
(Bonferroni). Any positive number gives a level, so that a p-value can be found where an interval
just reaches a border.
"""

from collections.abc import Sequence
from functools import cache
from math import hypot, nan, sqrt
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

# Of a two-sided interval of 95 %, on each side.
TAIL = 0.025


def wilson(accuracy: float, images: int, number: float = 1) -> tuple[float, float]:
    """Return the interval of an accuracy measured on a number of images.

    Wilson's score interval (E. B. Wilson, J. Am. Stat. Assoc. 22, 1927). It covers the random
    choice of test images, but not the randomness of training.

    Args:
        accuracy: Fraction of images classified correctly, or its mean over replicates.
        images: Number of images.
        number: See above.
    """
    from scipy import special

    quantile = float(-special.ndtri(TAIL / number))
    square = quantile**2
    middle = (accuracy + square / (2 * images)) / (1 + square / images)
    spread = accuracy * (1 - accuracy) / images + square / (4 * images**2)
    half = quantile / (1 + square / images) * sqrt(spread)
    return middle - half, middle + half


def t_half_width(error: Any, dof: Any, number: float = 1) -> Any:
    """Return half the width of Student's t interval.

    Args:
        error: Standard errors.
        dof: Degrees of freedom.
        number: See above.
    """
    from scipy import special

    return error * -special.stdtrit(np.maximum(dof, 1), TAIL / number)


def t_interval(value: Any, error: Any, dof: Any, number: float = 1) -> tuple[Any, Any]:
    """Return the ends of Student's t interval around a value, see `t_half_width`."""
    half = t_half_width(error, dof, number)
    return value - half, value + half


def mean_interval(values: "pd.Series") -> tuple[float, float]:
    """Return Student's t interval of a mean over replicates; nan with a single value."""
    return t_interval(values.mean(), values.sem(), len(values) - 1)


def crossed(
    models: Sequence[np.ndarray],
    weights: Sequence[float] = (1.0,),
    replicates: int | None = None,
    number: float = 1,
) -> tuple[float, float, float]:
    """Return a weighted sum of models' means, with its interval over new trainings and images.

    Args:
        models, weights, replicates: See `crossed_error`.
        number: See above.

    Returns:
        value, low, high; the ends are nan if nothing varies.
    """
    value, error, dof = crossed_error(models, weights, replicates)
    return value, *t_interval(value, error, dof, number)


def crossed_error(
    models: Sequence[np.ndarray], weights: Sequence[float] = (1.0,), replicates: int | None = None
) -> tuple[float, float, float]:
    """Return a weighted sum of models' means, its standard error and degrees of freedom.

    Trainings and images are crossed: every training is tested on the same images. The variance is
    the sum of the variance between each model's trainings and the variance between images, less
    what the individual errors of trainings contribute to the latter (random effects of a two-way
    layout: S. R. Searle, G. Casella and C. E. McCulloch, Variance Components, 1992, chapter 4); the
    degrees of freedom are those of F. E. Satterthwaite, Biometrics Bulletin 2, 110, 1946. Trainings
    of different models are independent.

    Args:
        models: For each model, (replicates, images): which images were classified correctly, or
            any other values. With a single replicate, the variance of its training is unknown and
            left out.
        weights: (1,) for a mean, (1, -1) for a difference.
        replicates: Predict the error for this number of replicates instead of the actual one.

    Returns:
        value, error, dof; the last two are nan if nothing varies.
    """
    images = models[0].shape[1]
    over_images = np.zeros(images)
    residual, seeds, dof = 0.0, [], []
    for values, weight in zip(models, weights, strict=True):
        values = values.astype(float)
        trained = len(values)
        over_images += weight * values.mean(axis=0)
        if trained > 1:
            means = values.mean(axis=1, keepdims=True)
            apart = values - means - values.mean(axis=0) + means.mean()
            mean_square = (apart**2).sum() / (trained - 1) / (images - 1)
            residual += weight**2 * mean_square / trained
            seeds.append(weight**2 * means.var(ddof=1) / (replicates or trained))
            dof.append(trained - 1)
    parts = np.array([*seeds, max(0.0, over_images.var(ddof=1) - residual) / images])
    if np.allclose(parts, 0, atol=1e-15):
        # The trainings happen to be equally good, with errors as independent as possible.
        parts[-1] = over_images.var(ddof=1) / images
    value, variance = float(over_images.mean()), parts.sum()
    if not variance:
        return value, nan, nan
    return value, sqrt(variance), float(variance**2 / (parts**2 / [*dof, images - 1]).sum())


def accuracy_interval(right: np.ndarray, number: float = 1) -> tuple[float, float]:
    """Return the interval of a model's accuracy over new trainings and images, see `crossed`.

    A single training has the interval over images alone, see `wilson`; without any it is nan.

    Args:
        right: (replicates, images). Which images were classified correctly.
        number: See above.
    """
    if not len(right):
        return nan, nan
    if len(right) == 1:
        return wilson(right.mean(), right.shape[1], number)
    _, low, high = crossed([right], number=number)
    return max(low, 0.0), min(high, 1.0)


@cache
def dunnett_constant(one: int, others: tuple[int, ...], best: bool = False) -> float:
    """Return how many standard errors make a difference from a control significant.

    It holds for all comparisons simultaneously (C. W. Dunnett, J. Am. Stat. Assoc. 50, 1096, 1955).
    J. C. Hsu's comparison with the best (Multiple Comparisons, 1996, chapter 4) uses the one-sided
    constant.

    Args:
        one: Replicates of the control.
        others: Replicates of each of the other groups.
        best: Whether to return the one-sided constant, for how far the others may lie above it.
    """
    from scipy import stats

    # The constant depends on the sample sizes alone, so any values will do.
    control, *samples = (np.arange(number, dtype=float) for number in (one, *others))
    result = stats.dunnett(
        *samples,
        control=control,
        alternative="greater" if best else "two-sided",
        rng=np.random.default_rng(0),
    )
    squares = sum(number * (number**2 - 1) / 12 for number in (one, *others))
    variance = squares / (one + sum(others) - 1 - len(others))
    allowance = samples[0].mean() - control.mean() - result.confidence_interval(0.95).low[0]
    return float(allowance / sqrt(variance * (1 / one + 1 / others[0])))


def prediction_half_width(
    means: Any, variances: Any, replicates: Any, number: float = 1
) -> np.ndarray:
    """Return half the width of the prediction interval for one more training of a model.

    The interval is centred on the mean of the existing trainings; a single accuracy measured on the
    same test images differs from the model's if it lies outside (J. R. Spence and D. J. Stanley,
    PLoS ONE 11, e0162874, 2016). As all trainings are tested on the same images, only the variance
    between runs matters. It is about that of independent errors per image (K. Jordan, arXiv
    2304.01910), so its ratio to p (1 - p) is assumed to be the same for all models, and pooled.

    Args:
        means: Mean accuracies over replicates, (..., models).
        variances: Variances over replicates, (..., models); nan (ignored) with a single replicate.
        replicates: (models,).
        number: See above.

    Returns:
        (..., models). nan if no model has two trainings.
    """
    means, variances, replicates = map(np.asarray, (means, variances, replicates))
    dof = int((replicates - 1).sum())
    if not dof:
        return np.full(means.shape, np.nan)
    chance = means * (1 - means)
    share = np.nansum((replicates - 1) * variances / chance, axis=-1, keepdims=True) / dof
    return t_half_width(np.sqrt(share * chance * (1 + 1 / replicates)), dof, number)


def difference(
    one: tuple[float, float, float], other: tuple[float, float, float]
) -> tuple[float, float]:
    """Return the interval of a difference of two numbers, each given as value, low and high.

    The squares of the distances to the ends are added, as in method 10 of R. G. Newcombe,
    Statistics in Medicine 17, 873 (1998). This assumes independence; on the same test images the
    numbers are correlated, which makes the interval slightly too wide.
    """
    (value, low, high), (less, less_low, less_high) = one, other
    below, above = hypot(value - low, less_high - less), hypot(high - value, less - less_low)
    return value - less - below, value - less + above


def ratio(
    value: Any, low: Any, high: Any, divisor: Any, less: Any, more: Any
) -> tuple[Any, Any, Any]:
    """Return the ratio of two positive numbers with its interval: `difference` on a log scale.

    Args:
        value, low, high: The dividend and the ends of its interval, which are equal if it is exact.
        divisor, less, more: The same for the divisor.
    """
    quotient = value / divisor
    exact = (low == high) & (less == more)
    # A positive number has no interval below zero.
    low, less = np.maximum(low, 0), np.maximum(less, 0)
    with np.errstate(divide="ignore"):
        below = np.hypot(np.log(value / low), np.log(more / divisor))
        above = np.hypot(np.log(high / value), np.log(divisor / less))
    ends = (quotient * np.exp(-below), quotient * np.exp(above))
    return quotient, *(np.where(exact, quotient, end) for end in ends)
