"""The best module for every weight of the penalty on parameters, computed exactly.

The objective is the test error plus weight times parameters / unit. For each module it is a
straight line over the weight; the best module at a weight is on the lower envelope of all lines.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from convstudy.article import facts
from convstudy.layers.networks import positions_in
from convstudy.results import accuracies

# Decades around the study's own weight, and weights per decade, for which chances are computed.
DECADES = (-3, 2)
WEIGHTS_A_DECADE = 20


def envelope(error: np.ndarray, size: np.ndarray) -> list[tuple[int, float]]:
    """Find the lower envelope of the lines error + weight * size, for weights from 0.

    Returns:
        The lines on it, each with the weight from which it is the lowest. Of equal lines, only
        the first is listed.
    """
    winner = int(np.lexsort((size, error))[0])
    steps = [(winner, 0.0)]
    while True:
        smaller = np.flatnonzero(size < size[winner])
        if not len(smaller):
            return steps
        crossing = (error[smaller] - error[winner]) / (size[winner] - size[smaller])
        # Of lines that cross at the same weight, the flattest is the lowest beyond it.
        first = np.lexsort((size[smaller], crossing))[0]
        winner = int(smaller[first])
        steps.append((winner, float(crossing[first])))


def winners(table: pd.DataFrame, penalty: Mapping[str, float]) -> pd.DataFrame:
    """Tabulate the modules that win at some weight, with the weights at which the winner changes.

    The interval of a change to a module is that of the weight above which no module with more
    parameters wins. So it exists even if another module with few parameters might win instead.

    Args:
        table: ``table.csv`` of the module table.
        penalty: The study's ``weight`` and ``unit``.

    Returns:
        One row per winner, by weight: ``module``, its layers, ``parameters``, ``mean`` accuracy,
        ``from_weight`` and ``to_weight`` (infinite for the last), each with its 95 % interval,
        ``from_low``, ``from_high``, ``to_low`` and ``to_high``, and the chance that it is
        beyond the article's weight, ``from_beyond`` and ``to_beyond``; all empty if no module has
        replicates.
    """
    found = changes_of(*accuracies.means(table), penalty["unit"])
    for end in ("weight", "low", "high", "beyond"):
        found[f"to_{end}"] = found[f"from_{end}"].shift(-1)
    found.loc[len(found) - 1, "to_weight"] = np.inf
    return found


def changes_of(
    means: pd.DataFrame, dof: int, unit: float, draws: int = accuracies.DRAWS
) -> pd.DataFrame:
    """Return the first columns of `winners`, up to ``from_beyond``.

    Args:
        means, dof: The result of `accuracies.means`.
        unit: Number of parameters that the weight is for.
        draws: See `accuracies.draw_means`.
    """
    size = (means["parameters"] / unit).to_numpy()
    steps = envelope(1 - means["mean"].to_numpy(), size)
    places = [place for place, _ in steps]
    found = means.iloc[places][[*positions_in(means), "parameters", "mean"]].reset_index(
        names="module"
    )
    found["from_weight"] = [weight for _, weight in steps]
    found[["from_low", "from_high", "from_beyond"]] = np.nan
    if dof:
        drawn = 1 - accuracies.draw_means(means, dof, draws)
        changes = np.array(
            [weights_from(envelope(error, size), size, size[places]) for error in drawn]
        )
        found["from_low"], found["from_high"] = np.quantile(changes, [0.025, 0.975], axis=0)
        found["from_beyond"] = beyond(drawn, size, size[places])
    return found


def beyond(drawn: np.ndarray, size: np.ndarray, limits: np.ndarray) -> np.ndarray:
    """Return in what share of draws a larger module than each limit wins at the article's weight.

    Args:
        drawn: (draws, modules). Test errors.
        size: (modules,). Parameters per unit.
        limits: (limits,). Sizes.

    Returns:
        (limits,). Never 0 or 1, which a number of draws cannot show.
    """
    weight = facts.figure("studies.penalised.penalty.weight")
    larger = size[(drawn + weight * size).argmin(axis=1), None] > limits
    return np.asarray((larger.sum(axis=0) + 1) / (len(drawn) + 2))


def weights_from(
    steps: list[tuple[int, float]], size: np.ndarray, limits: np.ndarray
) -> list[float]:
    """Return the weights from which no line steeper than each limit is on an envelope."""
    return [next(weight for line, weight in steps if size[line] <= limit) for limit in limits]


def probabilities(table: pd.DataFrame, penalty: Mapping[str, float]) -> pd.DataFrame:
    """Compute each module's objective by weight, and whether it may be the best one.

    Args:
        table, penalty: As for `winners`.

    Returns:
        ``weight``, ``module``, ``objective``, ``told_apart`` (whether it is not the best one, see
        `accuracies.resolution`) and ``probability`` (that it is, estimated from the replicates).
        The last two are empty if no module has replicates.
    """
    means, dof = accuracies.means(table)
    size = means["parameters"] / penalty["unit"]
    low, high = DECADES
    exponents = np.arange(low * WEIGHTS_A_DECADE, high * WEIGHTS_A_DECADE + 1) / WEIGHTS_A_DECADE
    error = 1 - accuracies.draw_means(means, dof) if dof else None
    parts = []
    for weight in penalty["weight"] * 10**exponents:
        objective = 1 - means["mean"] + weight * size
        told = objective - objective.min() > accuracies.resolution(means, objective.idxmin())
        probability, apart = np.full((2, len(means)), np.nan)
        if error is not None:
            best = (error + weight * size.to_numpy()).argmin(axis=1)
            probability = np.bincount(best, minlength=len(means)) / len(best)
            apart = told.to_numpy(float)
        parts.append(
            pd.DataFrame(
                {
                    "weight": weight,
                    "module": means.index,
                    "objective": objective.to_numpy(),
                    "told_apart": apart,
                    "probability": probability,
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def points_of_median(penalty: Mapping[str, float], parameters: pd.Series) -> float:
    """Return how many points of test error a weight of 1 adds to the median module.

    Args:
        penalty: With ``unit``, the number of parameters for which the weight is added once.
        parameters: The parameters of all modules.
    """
    return float(100 * parameters.median() / penalty["unit"])
