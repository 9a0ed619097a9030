"""Create Optuna's samplers and pruners from the settings."""

from collections.abc import Mapping, Sequence
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from convstudy.search import optuna_0_5

# Optuna's defaults: epochs between the median's pruning checks; trials that must have reached an
# epoch before it prunes there. So the median decides as in Optuna 0.5.0, in whose steps from 0 the
# first is never pruned (`warmup_steps` 1).
INTERVAL_STEPS, MINIMUM_TRIALS = 1, 1


def sampler(
    settings: Mapping[str, Any], seed: int, trial: int, space: Mapping[str, Sequence[str]]
) -> optuna.samplers.BaseSampler:
    """Create the sampler of one trial, with every argument that affects its draws set explicitly.

    A seeded sampler starts over in a new process, so each trial has its own seed: a resumed study
    then draws what it would have drawn anyway. The grid has one order for the whole study.
    """
    if settings["name"] == "grid":
        return _Grid(space, seed=seed)
    seed = seed * 10_000 + trial
    if settings["name"] == "random":
        return optuna.samplers.RandomSampler(seed=seed)
    if settings["name"] == "tpe_optuna_0_5":
        return optuna_0_5.TPESampler(settings["startup_trials"], seed)
    return optuna.samplers.TPESampler(
        n_startup_trials=settings["startup_trials"],
        n_ei_candidates=optuna_0_5.CANDIDATES,
        multivariate=settings["multivariate"],
        constant_liar=settings["constant_liar"],
        group=False,
        seed=seed,
    )


class _Grid(optuna.samplers.GridSampler):
    """A grid that does not end the study; once exhausted, it repeats points."""

    def after_trial(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        state: TrialState,
        values: Sequence[float] | None,
    ) -> None:
        """Do nothing: Optuna's own grid tells `optimize`, which is not used here, to stop."""


def pruner(settings: Mapping[str, Any], epochs: int) -> optuna.pruners.BasePruner:
    """Create the pruner, with all its arguments set explicitly."""
    if settings["name"] == "none":
        return optuna.pruners.NopPruner()
    if settings["name"] == "hyperband":
        return optuna.pruners.HyperbandPruner(
            min_resource=settings["warmup_steps"] + 1,
            max_resource=epochs,
            reduction_factor=3,
            bootstrap_count=0,
        )
    return optuna.pruners.MedianPruner(
        n_startup_trials=settings["startup_trials"],
        n_warmup_steps=settings["warmup_steps"],
        interval_steps=INTERVAL_STEPS,
        n_min_trials=MINIMUM_TRIALS,
    )
