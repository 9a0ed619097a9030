"""NumPy copies of the samplers and the pruner against what a real study uses."""

from types import SimpleNamespace

import fast_studies
import numpy as np
import optuna
import pytest
from convstudy.analyses.replay import studies
from convstudy.search.sampling import pruner, sampler
from optuna.distributions import CategoricalDistribution
from optuna.trial import TrialState, create_trial

KINDS = ("conv", "separable", "depthwise")
SPACE = {f"layer{place}": list(KINDS) for place in (1, 2, 3)}
EPOCHS = 6
DRAWS = 600


def history(seed: int, trials: int) -> tuple[optuna.Study, fast_studies.Studies, np.ndarray]:
    """Make up a study's trials, as Optuna stores them and as arrays for the copies."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    rng = np.random.default_rng(seed)
    study = optuna.create_study()
    modules = rng.integers(27, size=trials)
    # Rounded, so that some are equal.
    reported = rng.random((trials, EPOCHS)).round(1)
    epochs = np.where(rng.random(trials) < 0.4, rng.integers(1, EPOCHS, size=trials), EPOCHS)
    objective = np.where(epochs == EPOCHS, reported.min(axis=1), np.inf)
    kinds = fast_studies.choices(27)
    for module, values, number in zip(modules, reported, epochs, strict=True):
        complete = number == EPOCHS
        study.add_trial(
            create_trial(
                state=TrialState.COMPLETE if complete else TrialState.PRUNED,
                value=float(values[:number].min() if complete else values[number - 1]),
                params={name: KINDS[kind] for name, kind in zip(SPACE, kinds[module], strict=True)},
                distributions={name: CategoricalDistribution(KINDS) for name in SPACE},
                intermediate_values=dict(enumerate(values[:number].tolist())),
            )
        )
    made = fast_studies.Studies(modules[None], objective[None], epochs[None])
    return study, made, reported[None]


def shares(study: optuna.Study, name: str) -> np.ndarray:
    """Return how often a real sampler draws each module next: (modules,)."""
    counts = np.zeros(27)
    for seed in range(DRAWS):
        study.sampler = sampler(studies.SAMPLERS[name], seed, 0, SPACE)
        trial = study.ask({one: CategoricalDistribution(KINDS) for one in SPACE})
        counts[
            np.ravel_multi_index([KINDS.index(trial.params[one]) for one in SPACE], (3,) * 3)
        ] += 1
        study.tell(trial, state=TrialState.FAIL)
    return counts / DRAWS


def expect(observed: np.ndarray, chances: np.ndarray) -> None:
    """Check that observed shares are those of chances, within Monte Carlo error."""
    error = np.sqrt(chances * (1 - chances) / DRAWS)
    assert (np.abs(observed - chances) < 4.5 * error + 1e-9).all()


@pytest.mark.parametrize(("seed", "trials"), [(0, 5), (1, 30), (2, 60)])
def test_independent_tpe_draws_as_the_copy_says(seed: int, trials: int):
    study, made, _ = history(seed, trials)
    kinds = fast_studies.choices(27)
    parts = [
        fast_studies.independent_chances(position[made.modules], made.objective, 3)[0]
        for position in kinds.T
    ]
    chances = np.prod(
        [part[position] for part, position in zip(parts, kinds.T, strict=True)], axis=0
    )
    assert chances.sum() == pytest.approx(1)
    expect(shares(study, "tpe_optuna_0_5"), chances)


@pytest.mark.parametrize(("seed", "trials"), [(0, 5), (1, 30), (2, 60)])
def test_multivariate_tpe_draws_as_the_copy_says(seed: int, trials: int):
    study, made, reported = history(seed, trials)
    last = np.take_along_axis(reported, made.epochs[..., None] - 1, axis=2)[..., 0]
    [chances] = fast_studies.multivariate_chances(fast_studies.choices(27), *made, last)
    assert chances.sum() == pytest.approx(1)
    expect(shares(study, "tpe_multivariate"), chances)


@pytest.mark.parametrize("trials", [3, 6, 20, 40])
def test_the_median_pruner_ends_trials_where_the_copy_does(trials: int):
    study, made, reported = history(trials, trials)
    real = pruner(studies.PRUNERS["median"], EPOCHS)
    rng = np.random.default_rng(trials)
    for _ in range(100):
        values = rng.random(EPOCHS).round(1)
        stops = [
            real.prune(study, _running(values[:number]))  # type: ignore[arg-type]
            for number in range(1, EPOCHS)
        ]
        expected = stops.index(True) + 1 if True in stops else EPOCHS
        done = np.isfinite(made.objective)
        assert fast_studies.pruned_after(values[None], reported, done) == [expected]


def _running(values: np.ndarray) -> optuna.trial.FrozenTrial:
    """Return a trial that has reported values."""
    return SimpleNamespace(
        intermediate_values=dict(enumerate(values.tolist())), last_step=len(values) - 1
    )
