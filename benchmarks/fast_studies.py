"""Replayed studies by the thousand: NumPy copies of the samplers and of the median pruner.

All studies advance together, a trial at a time. benchmarks/test_fast_studies.py holds the copies
equal to what a real study uses, on fixed histories.
"""

from typing import NamedTuple

import numpy as np
from convstudy.analyses.replay.studies import PRUNERS
from convstudy.search.optuna_0_5 import (
    CANDIDATES,
    FULL_WEIGHTS,
    GOOD_SHARE,
    MOST_GOOD,
    PRIOR_WEIGHT,
)
from convstudy.search.settings import STARTUP_TRIALS

MEDIAN = PRUNERS["median"]


class Studies(NamedTuple):
    """What studies did: (studies, trials) each.

    Attributes:
        modules: Drawn modules, by number.
        objective: Infinite unless the trial completed.
        epochs: Of each trial.
    """

    modules: np.ndarray
    objective: np.ndarray
    epochs: np.ndarray


def search(
    curves: np.ndarray,
    costs: np.ndarray,
    table: np.ndarray,
    rng: np.random.Generator,
    *,
    penalty_in_pruning: bool = False,
    multivariate: bool = False,
    trials: int = 50,
) -> Studies:
    """Run studies.

    Args:
        curves: (tables, modules, replicates, epochs). Test accuracies; the modules are those of
            `choices`, in the same order.
        costs: (modules,). Penalties.
        table: (studies,). Which table each study searches.
        rng: Source of random numbers.
        penalty_in_pruning: Whether pruning includes the penalty.
        multivariate: Whether TPE models all positions at once, as today's multivariate TPE does.
        trials: Trials of each study.
    """
    studies, (_, modules, replicates, epochs) = len(table), curves.shape
    kinds = choices(modules)
    order = rng.permuted(np.tile(np.arange(replicates), (studies, modules, 1)), axis=2)
    times = np.zeros((studies, modules), int)
    drawn = np.zeros((studies, trials), int)
    objective = np.full((studies, trials), np.inf)
    ended = np.zeros((studies, trials), int)
    reported = np.full((studies, trials, epochs), np.inf)
    each = np.arange(studies)
    for trial in range(trials):
        past = drawn[:, :trial], objective[:, :trial]
        if multivariate:
            last = np.take_along_axis(
                reported[:, :trial], np.maximum(ended[:, :trial] - 1, 0)[..., None], axis=2
            )[..., 0]
            chances = multivariate_chances(kinds, *past, ended[:, :trial], last)
            module = pick(chances, rng)
        else:
            module = np.zeros(studies, int)
            for position in kinds.T:
                number = position.max() + 1
                chances = independent_chances(position[past[0]], past[1], number)
                module = module * number + pick(chances, rng)
        drawn[:, trial] = module
        curve = curves[table, module, order[each, module, times[each, module] % replicates]]
        times[each, module] += 1
        values = 1 - curve + (costs[module, None] if penalty_in_pruning else 0.0)
        stop = pruned_after(values, reported[:, :trial], np.isfinite(past[1]))
        complete = stop == epochs
        ended[:, trial] = stop
        reported[:, trial] = values
        best = 1 - curve.max(axis=1) + costs[module]
        objective[:, trial] = np.where(complete, best, np.inf)
    return Studies(drawn, objective, ended)


def choices(modules: int) -> np.ndarray:
    """Return the kinds of each module of three kinds, by number: (modules, positions)."""
    positions = round(np.log(modules) / np.log(3))
    return np.stack(np.unravel_index(np.arange(modules), (3,) * positions), axis=1)


def pick(chances: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw one outcome of each row."""
    totals = chances.cumsum(axis=1)
    return (rng.random((len(chances), 1)) * totals[:, -1:] >= totals).sum(axis=1)


def independent_chances(drawn: np.ndarray, objective: np.ndarray, number: int) -> np.ndarray:
    """Return with what chance TPE of Optuna 0.5.0 draws each choice of a position next.

    Args:
        drawn: (studies, trials). The choices of all trials before.
        objective: (studies, trials). Infinite unless completed.
        number: Choices.
    """
    done = np.isfinite(objective)
    completed = done.sum(axis=1)
    rank = objective.argsort(axis=1, kind="stable").argsort(axis=1, kind="stable")
    good = np.minimum(np.ceil(GOOD_SHARE * np.sqrt(completed)), MOST_GOOD)
    below = done & (rank < good[:, None])
    likely, unlikely = (_shares(drawn, group, number) for group in (below, done & ~below))
    chances = best_of_candidates(likely, np.log(likely) - np.log(unlikely))
    return np.where((completed < STARTUP_TRIALS)[:, None], 1 / number, chances)


def multivariate_chances(
    kinds: np.ndarray,
    drawn: np.ndarray,
    objective: np.ndarray,
    epochs: np.ndarray,
    last: np.ndarray,
) -> np.ndarray:
    """Return with what chance today's multivariate TPE draws each module next.

    Args:
        kinds: (modules, positions). See `choices`.
        drawn, objective, epochs: (studies, trials). As in `Studies`.
        last: (studies, trials). What each trial reported last.
    """
    modules, positions = kinds.shape
    trials = drawn.shape[1]
    if trials < STARTUP_TRIALS:
        return np.full((len(drawn), modules), 1 / modules)
    # Completed trials come first, then the longest of the pruned ones.
    key = np.where(np.isfinite(objective), objective, 1000 - 10 * epochs + last)
    rank = key.argsort(axis=1, kind="stable").argsort(axis=1, kind="stable")
    below = rank < min(np.ceil(0.1 * trials), 25)
    alike = (kinds[:, None] == kinds[None]).sum(axis=2)
    likely, unlikely = (_mixture(drawn, group, alike, positions) for group in (below, ~below))
    return best_of_candidates(likely, np.log(likely) - np.log(unlikely))


def _mixture(drawn: np.ndarray, group: np.ndarray, alike: np.ndarray, positions: int) -> np.ndarray:
    """Return the density of a group's trials at each module.

    Args:
        drawn, group: (studies, trials).
        alike: (modules, modules). In how many positions two modules are alike.
        positions: Positions of a module.
    """
    modules, kernels = len(alike), group.sum(axis=1, keepdims=True) + 1.0
    weight = _weights(group)
    whole = weight.sum(axis=1, keepdims=True) + PRIOR_WEIGHT
    counts = np.stack([(weight * (drawn == one)).sum(axis=1) for one in range(modules)], axis=1)
    prior = PRIOR_WEIGHT / kernels
    same, other = (1 + prior) / (1 + 3 * prior), prior / (1 + 3 * prior)
    density = np.full((len(drawn), modules), PRIOR_WEIGHT / modules)
    for number in range(positions + 1):
        density += counts @ (alike == number) * same**number * other ** (positions - number)
    return density / whole


def _shares(drawn: np.ndarray, group: np.ndarray, number: int) -> np.ndarray:
    """Return weighted shares of the choices of a group's trials, with a prior."""
    weight = _weights(group)
    counts = [(weight * (drawn == choice)).sum(axis=1) for choice in range(number)]
    shares = np.stack(counts, axis=1) + PRIOR_WEIGHT
    return shares / shares.sum(axis=1, keepdims=True)


def _weights(group: np.ndarray) -> np.ndarray:
    """Return the weights of a group's trials: the newest count most."""
    size = group.sum(axis=1, keepdims=True)
    older = np.maximum(size - FULL_WEIGHTS, 0)
    # From the oldest of the group
    place = group.cumsum(axis=1) - 1
    least = 1 / np.maximum(size, 1)
    ramp = least + (1 - least) * place / np.maximum(older - 1, 1)
    return np.where(place < older, ramp, 1.0) * group


def best_of_candidates(likely: np.ndarray, score: np.ndarray) -> np.ndarray:
    """Return the chance of each outcome to have the best score of all candidates drawn.

    Args:
        likely: (studies, outcomes). With what chance each is a candidate.
        score: (studies, outcomes). Of equal scores, the first candidate is taken.
    """
    better = score[:, None, :] > score[:, :, None] + 1e-9
    equal = np.abs(score[:, None, :] - score[:, :, None]) <= 1e-9
    above = (likely[:, None, :] * better).sum(axis=2)
    same = (likely[:, None, :] * equal).sum(axis=2)
    none_above, none_same = (
        np.maximum(1 - one, 0.0) ** CANDIDATES for one in (above, above + same)
    )
    return (none_above - none_same) * likely / same


def pruned_after(values: np.ndarray, reported: np.ndarray, done: np.ndarray) -> np.ndarray:
    """Return after how many epochs the median pruner ends a trial, or all.

    Args:
        values: (studies, epochs). What the trial reports.
        reported: (studies, trials, epochs). What those before reported.
        done: (studies, trials). Which of them completed.
    """
    epochs = values.shape[1]
    number = done.sum(axis=1)
    if not done.shape[1]:
        return np.full(len(values), epochs)
    ranked = np.sort(np.where(done[..., None], reported, np.inf), axis=1)
    each = np.arange(len(values))
    low, high = (
        ranked[each, np.clip(place, 0, done.shape[1] - 1)]
        for place in ((number - 1) // 2, number // 2)
    )
    best = np.minimum.accumulate(values, axis=1)
    stops = best > (low + high) / 2
    stops[:, : MEDIAN["warmup_steps"]] = False
    stops[number < MEDIAN["startup_trials"]] = False
    # The last epoch ends a trial anyway.
    stops[:, -1] = True
    return stops.argmax(axis=1) + 1
