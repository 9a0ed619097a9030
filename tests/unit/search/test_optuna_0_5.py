"""The sampler and the pruner of the article's Optuna, against what the release itself does."""

import json

import numpy as np
import optuna
import pytest
from convstudy.search.optuna_0_5 import TPESampler, number_of_good, weights
from convstudy.search.sampling import pruner
from helpers.optuna_0_5 import CHOICES, FIXTURE, NAMES, STEPS, history, study
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.trial import TrialState, create_trial

RECORDED = json.loads(FIXTURE.read_text())
DISTRIBUTIONS = {name: CategoricalDistribution(CHOICES) for name in NAMES}


class Past:
    """The completed trials of a study, which are all that the sampler asks for."""

    def __init__(self, past):
        self.trials = [
            create_trial(
                state=TrialState.COMPLETE if complete else TrialState.PRUNED,
                value=value,
                params={name: CHOICES[one] for name, one in zip(NAMES, choices, strict=True)},
                distributions=DISTRIBUTIONS,
            )
            for choices, value, complete in past
        ]

    def get_trials(self, deepcopy=True, states=None):
        return [trial for trial in self.trials if states is None or trial.state in states]


@pytest.fixture(autouse=True)
def _quiet():
    optuna.logging.set_verbosity(optuna.logging.WARNING)


def draw(number, startup_trials=10):
    seed, past = history(number)
    sampler = TPESampler(startup_trials, seed)
    drawn = (
        sampler.sample_independent(Past(past), None, name, DISTRIBUTIONS[name]) for name in NAMES
    )
    return "".join(str(CHOICES.index(one)) for one in drawn)


def test_draws_are_those_of_the_release():
    assert RECORDED["release"] == "0.5.0"
    drawn = [draw(number) for number in range(len(RECORDED["draws"]))]
    assert drawn == RECORDED["draws"]
    assert len(drawn) >= 1000


def test_the_histories_have_what_matters():
    completed = {
        number: [value for _, value, complete in history(number)[1] if complete]
        for number in range(len(RECORDED["draws"]))
    }
    few = [number for number, values in completed.items() if len(values) < 10]
    many = [number for number, values in completed.items() if len(values) > 60]
    tied = [
        number
        for number, values in completed.items()
        if len(values) >= 10 and len(set(values)) < len(values)
    ]
    assert min(map(len, (few, many, tied))) > 100
    # Without each of them, the draws differ.
    assert [draw(number, startup_trials=1000) for number in many] != [
        RECORDED["draws"][number] for number in many
    ]


def test_todays_median_pruner_decides_as_the_release():
    """Trials stop where they did, with steps counted from 0 and the first of them spared."""
    assert len(RECORDED["pruned"]) >= 400
    for number, expected in enumerate(RECORDED["pruned"]):
        settings = {"name": "median", "startup_trials": 5, "warmup_steps": 1}
        live = optuna.create_study(pruner=pruner(settings, STEPS))
        pruned = []
        for values in study(number):
            trial, at = live.ask(), None
            for step, value in enumerate(values):
                trial.report(value, step)
                if trial.should_prune():
                    at = step
                    break
            state = TrialState.COMPLETE if at is None else TrialState.PRUNED
            live.tell(trial, values[-1] if at is None else None, state=state)
            pruned.append(at)
        assert pruned == expected, number


def test_good_trials_and_weights():
    assert [number_of_good(n) for n in (1, 10, 16, 17, 50, 10_000, 20_000)] == [
        1, 1, 1, 2, 2, 25, 25,
    ]  # fmt: skip
    np.testing.assert_array_equal(weights(25), np.ones(25))
    np.testing.assert_allclose(weights(28), [1 / 28, (1 / 28 + 1) / 2, 1] + [1] * 25)
    assert weights(0).size == 0


def test_a_number_is_not_drawn():
    sampler = TPESampler(10, 0)
    with pytest.raises(NotImplementedError, match="rate is not categorical"):
        sampler.sample_independent(Past([]), None, "rate", FloatDistribution(0, 1))


def test_both_streams_begin_anew():
    sampler = TPESampler(10, 3)
    one = CategoricalDistribution(tuple(range(1000)))
    first = [sampler.sample_independent(Past([]), None, "x", one) for _ in range(5)]
    sampler.reseed_rng()
    assert [sampler.sample_independent(Past([]), None, "x", one) for _ in range(5)] == first
