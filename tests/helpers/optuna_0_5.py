"""Scripted histories of studies, and what Optuna 0.5.0 draws and prunes after them.

python -m helpers.optuna_0_5 FOLDER records it with the release's sources in FOLDER, unpacked and
not installed (from tests/, with the project's own environment).
"""

import json
import random
import sys
from functools import partial
from pathlib import Path

FIXTURE = Path(__file__).parents[1] / "unit/search/optuna_0_5.json"
HISTORIES, STUDIES = 1200, 400
CHOICES = ("conv", "depthwise", "separable")
NAMES = ("first", "second", "third")
STEPS = 6


def history(number):
    """Script a study: a seed, and its trials' choices, values and states.

    Every third history has ties; every fourth has more completed trials than have full weight.
    """
    drawn = random.Random(number)
    completed_share = drawn.uniform(0.2, 1)
    trials = drawn.randrange(60, 200) if number % 4 == 0 else drawn.randrange(1, 50)
    digits = 1 if number % 3 == 0 else 12
    past = [
        (
            [drawn.randrange(len(CHOICES)) for _ in NAMES],
            round(drawn.random(), digits),
            drawn.random() < completed_share,
        )
        for _ in range(trials)
    ]
    return drawn.randrange(2**31), past


def study(number):
    """Script the values that each trial of a study reports, step by step."""
    drawn = random.Random(number)
    digits = 1 if number % 3 == 0 else 12
    return [
        [round(drawn.random(), digits) for _ in range(STEPS)] for _ in range(drawn.randrange(5, 25))
    ]


def draws(number):
    """Return the original's draws after a history, as positions of choices."""
    from optuna import distributions, samplers, storages, structs

    seed, past = history(number)
    storage = storages.InMemoryStorage()
    study_id = storage.create_new_study_id()
    distribution = distributions.CategoricalDistribution(choices=CHOICES)
    for choices, value, complete in past:
        trial = storage.create_new_trial_id(study_id)
        for name, choice in zip(NAMES, choices, strict=True):
            storage.set_trial_param(trial, name, choice, distribution)
        storage.set_trial_value(trial, value)
        state = structs.TrialState.COMPLETE if complete else structs.TrialState.PRUNED
        storage.set_trial_state(trial, state)
    sampler = samplers.TPESampler(seed=seed)
    return [int(sampler.sample(storage, study_id, name, distribution)) for name in NAMES]


def decisions(number):
    """Return at how many steps each trial of a study is pruned: the step, or None."""
    from optuna import pruners, storages, structs

    storage, pruner = storages.InMemoryStorage(), pruners.MedianPruner()
    study_id = storage.create_new_study_id()
    ended = []
    for values in study(number):
        trial = storage.create_new_trial_id(study_id)
        at = None
        for step, value in enumerate(values):
            storage.set_trial_intermediate_value(trial, step, value)
            if pruner.prune(storage, study_id, trial, step):
                at = step
                break
        storage.set_trial_value(trial, values[-1] if at is None else values[at])
        state = structs.TrialState.COMPLETE if at is None else structs.TrialState.PRUNED
        storage.set_trial_state(trial, state)
        ended.append(at)
    return ended


def record(release):
    """Ask the original, with the alias that it needs and a stable sort."""
    import numpy as np

    vars(np).update(float=float, argsort=partial(np.argsort, kind="stable"))
    sys.path.insert(0, release)
    import optuna

    assert optuna.__version__ == "0.5.0", optuna.__version__
    recorded = {
        "release": optuna.__version__,
        "draws": ["".join(map(str, draws(number))) for number in range(HISTORIES)],
        "pruned": [decisions(number) for number in range(STUDIES)],
    }
    lines = (f'"{key}": {json.dumps(value)}' for key, value in recorded.items())
    FIXTURE.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    record(sys.argv[1])
