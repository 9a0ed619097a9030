"""Optuna's samplers and pruners as the settings name them."""

from collections.abc import Mapping, Sequence
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

# Optuna's defaults, in 0.5 and now: modules that TPE compares for a choice; epochs from one look of
# the median to the next; trials that must have reached an epoch before it prunes there.
CANDIDATES, INTERVAL_STEPS, MINIMUM_TRIALS = 24, 1, 1


def sampler(
    settings: Mapping[str, Any], seed: int, trial: int, space: Mapping[str, Sequence[str]]
) -> optuna.samplers.BaseSampler:
    """Make the sampler of one trial; all arguments that change its choices are given.

    A seeded sampler repeats its start in a new process, so each trial has its own seed: a resumed
    study then draws what it would have drawn. The grid's order is one for the whole study.
    """
    if settings["name"] == "grid":
        return _Grid(space, seed=seed)
    seed = seed * 10_000 + trial
    if settings["name"] == "random":
        return optuna.samplers.RandomSampler(seed=seed)
    return optuna.samplers.TPESampler(
        n_startup_trials=settings["startup_trials"],
        n_ei_candidates=CANDIDATES,
        multivariate=settings["multivariate"],
        constant_liar=settings["constant_liar"],
        group=False,
        seed=seed,
    )


class _Grid(optuna.samplers.GridSampler):
    """A grid that leaves it to the budget when a study ends; beyond its points it repeats some."""

    def after_trial(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        state: TrialState,
        values: Sequence[float] | None,
    ) -> None:
        """Do nothing: Optuna's own grid asks `optimize` to stop, which is not used here."""


def pruner(settings: Mapping[str, Any], epochs: int) -> optuna.pruners.BasePruner:
    """Make the pruner; all its arguments are given."""
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
