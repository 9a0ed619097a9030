"""TPE as released in Optuna 0.5.0, the newest release when the article appeared.

Line numbers refer to that release's sources. tests/record_optuna_0_5.py compares it with the
original, draw by draw.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial, TrialState

# samplers/tpe/sampler.py:48; Optuna's default to this day
CANDIDATES = 24
# samplers/tpe/sampler.py:20-36
GOOD_SHARE, MOST_GOOD, FULL_WEIGHTS = 0.25, 25, 25
# samplers/tpe/sampler.py:45
PRIOR_WEIGHT = 1.0


class TPESampler(BaseSampler):
    """Draws each categorical parameter by itself, from the completed trials alone.

    The original sorts unstably, so its draws after ties depend on the processor; here the earlier
    of two equally good trials comes first.

    Args:
        startup_trials: Completed trials before which it draws at random; 10 by default in the
            release (samplers/tpe/sampler.py:47).
        seed: Seed of one trial. As in the original, both random streams begin with it.
    """

    def __init__(self, startup_trials: int, seed: int) -> None:
        self.startup_trials = startup_trials
        self.seed = seed
        self.reseed_rng()

    def reseed_rng(self) -> None:
        """Begin both streams anew; they depend on seed and trial, not on the process."""
        # samplers/tpe/sampler.py:64-65
        self._candidates = np.random.RandomState(self.seed)
        self._random = np.random.RandomState(self.seed)

    def infer_relative_search_space(self, study: Any, trial: FrozenTrial) -> dict[str, Any]:
        """Return nothing: parameters are not modelled jointly."""
        return {}

    def sample_relative(self, study: Any, trial: FrozenTrial, search_space: Any) -> dict[str, Any]:
        """Return nothing: parameters are not modelled jointly."""
        return {}

    def sample_independent(
        self, study: Any, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """Draw one parameter.

        Raises:
            NotImplementedError: If it is not categorical.
        """
        if not isinstance(param_distribution, CategoricalDistribution):
            raise NotImplementedError(f"{param_name} is not categorical")
        choices = param_distribution.choices
        # storages/base.py:189-202
        done = [
            (choices.index(past.params[param_name]), past.value)
            for past in study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
            if param_name in past.params
        ]
        if len(done) < self.startup_trials:
            # samplers/random.py:53
            return choices[self._random.randint(len(choices))]
        # samplers/tpe/sampler.py:98-131, with a stable sort
        order = np.argsort([value for _, value in done], kind="stable")
        good = set(order[: number_of_good(len(done))].tolist())
        below = [choice for place, (choice, _) in enumerate(done) if place in good]
        above = [choice for place, (choice, _) in enumerate(done) if place not in good]
        # samplers/tpe/sampler.py:222-242
        likely, unlikely = (_shares(part, len(choices)) for part in (below, above))
        drawn = self._candidates.multinomial(1, likely, size=CANDIDATES).argmax(axis=1)
        scores = np.log(likely[drawn]) - np.log(unlikely[drawn])
        return choices[drawn[np.argmax(scores)]]


def number_of_good(completed: int) -> int:
    """Return how many completed trials count as good (samplers/tpe/sampler.py:20-23)."""
    return min(math.ceil(GOOD_SHARE * math.sqrt(completed)), MOST_GOOD)


def _shares(drawn: Sequence[int], choices: int) -> np.ndarray:
    """Return the probability of each choice: its weighted count and a prior, normalised."""
    counts = np.bincount(drawn, weights=weights(len(drawn)), minlength=choices) + PRIOR_WEIGHT
    return counts / counts.sum()


def weights(number: int) -> np.ndarray:
    """Return the weights of a group's trials, oldest first (samplers/tpe/sampler.py:26-36).

    The 25 newest weigh 1; older ones weigh less, from ``1 / number`` upwards.
    """
    older = max(0, number - FULL_WEIGHTS)
    ramp = np.linspace(1 / max(1, number), 1, num=older)
    return np.concatenate([ramp, np.ones(number - older)])
