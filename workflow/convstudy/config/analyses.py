"""The analyses and their settings.

The analyses are the folders of `convstudy.analyses`, found without importing them.
"""

from collections.abc import Iterator, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from convstudy.config.mistakes import suggestion
from convstudy.core.section import UNIQUE, Config, Mistake, Name, Number, Section, Seed, merged
from convstudy.training.settings import (
    BatchSize,
    Epochs,
    RecipeChanges,
    Replicates,
    recipe_mistakes,
    warmup_mistakes,
)

# The article's own study, which is always part of a run.
ARTICLE = "article_study"
# Figures that compare with the article.
COMPARING = ("completed_trials",)
# The analyses whose results an analysis needs.
NEEDS = {
    "epoch_selection": ("module_table",),
    "replay": ("module_table",),
    "penalties": ("module_table",),
    "pareto": ("module_table", "timing"),
}

COMPARED: dict[str, dict[str, Any]] = {
    "adam": {},
    "sgd": {"optimizer": {"name": "sgd", "learning_rate": 0.05, "momentum": 0.9}},
    "rmsprop": {"optimizer": {"name": "rmsprop"}},
    "modern": {
        "augmentation": "flip_and_shift",
        "label_smoothing": 0.1,
        "optimizer": {
            "name": "sgd",
            "learning_rate": 0.1,
            "momentum": 0.9,
            "schedule": "cosine",
            "warmup_epochs": 1,
            "weight_decay": 0.0005,
        },
    },
}


@cache
def names() -> list[str]:
    """List the analyses that a config may request."""
    folders = [Path(str(path)) for path in files("convstudy.analyses").iterdir()]
    found = sorted(path.parent.name for folder in folders for path in folder.glob("__init__.py"))
    return [name for name in found if name != ARTICLE]


def captions(made: Sequence[str], article: bool = True) -> dict[str, Path]:
    """Return the caption file of each figure, by the figure's name.

    Args:
        made: Names of the analyses, besides the article's own study.
        article: Whether the networks are the article's.
    """
    folders = (files("convstudy.analyses") / name / "captions" for name in (ARTICLE, *made))
    found = [path for folder in folders for path in sorted(Path(str(folder)).glob("*.rst"))]
    return {path.stem: path for path in found if article or path.stem not in COMPARING}


class ModuleTable(Section):
    """The table of all modules, trained as in the studies.

    Increasing a number trains only what is missing.
    """

    epochs: Epochs = 5
    """Epochs per training; with as many as a trial has, table and studies share curves."""

    replicates: Replicates = 3
    """Trainings of each module, with different seeds."""

    most_modules: Annotated[int, Field(ge=1)] = 128
    """Most modules to train, or to time; with more, a run stops before it starts."""


class Depth(Section):
    """Stacks: networks with one kind of layer, and more or fewer layers in each stage.

    They are trained like the single-kind networks, and share their curves where they are the same.
    """

    epochs: Epochs = 5
    """Epochs per training."""

    replicates: Replicates = 3
    """Trainings of each stack, with different seeds."""

    most_layers: Annotated[int, Field(ge=2, le=16)] = 6
    """Most layers per stage. Stacks have from one to this many."""


class Recipes(Section):
    """Ways of training, compared with the article's accuracies."""

    epochs: Epochs = 8
    """Epochs of each training."""

    replicates: Replicates = 1
    """Trainings of each kind with each recipe, with different seeds."""

    compared: Annotated[dict[Name, RecipeChanges], Field(min_length=1)] = {
        name: RecipeChanges.model_validate(given) for name, given in COMPARED.items()
    }
    """The recipes by name, each with its changes to training; `NAME: null` removes one.

    A recipe can change `batch_size`, `augmentation`, `label_smoothing` and `optimizer`. `adam`
    changes nothing, `sgd` and `rmsprop` were common alternatives at the time, and `modern` shows
    what the same parameters can reach.
    """


class Replay(Section):
    """Studies replayed on the table of all modules; nothing is trained.

    This takes a few seconds for each of the 32 search methods. The penalty is that of the first
    study that has one, here and in `penalties`.
    """

    studies: Annotated[int, Field(ge=2, le=10_000)] = 200
    """Replayed studies per search method."""

    trials: Annotated[int, Field(ge=1, le=10_000)] = 50
    """Trials per study; a grid search ends when every module has been tried."""

    tables: Annotated[int, Field(ge=3, le=1000)] = 20
    """Tables with resampled replicates on which two search methods are compared."""

    seed: Seed = 0
    """Seed for all replayed studies."""


class Layers(Section):
    """Single layers with as many output as input channels."""

    channels: Annotated[list[BatchSize], Field(min_length=2), UNIQUE] = [2**n for n in range(1, 11)]
    """Channel counts to measure."""

    sizes: Annotated[list[Annotated[int, Field(ge=1, le=4096)]], Field(min_length=1), UNIQUE] = [
        4,
        8,
        16,
        32,
    ]
    """Heights, and widths, of the feature maps."""

    batch_size: BatchSize = 16
    """Feature maps per call."""

    most_macs: Annotated[int, Field(ge=1)] = 2_500_000_000
    """Most multiply-accumulates of a forward call; larger layers are skipped and listed.

    This also limits memory: the tensors of a layer hold at most a ninth as many numbers.
    """


class Timing(Section):
    """Measured times of modules and layers; any change repeats the measurement.

    It takes about twelve minutes on two CPU cores. Leave the machine idle otherwise.
    """

    processes: Annotated[int, Field(ge=1, le=100)] = 3
    """Measuring processes, one after another; intervals need at least two."""

    repeats: Annotated[int, Field(ge=3, le=10_000)] = 7
    """Repeats of every measurement in a process; the median is used."""

    batch_size: BatchSize = 256
    """Images per call when measuring throughput; latency is that of one image."""

    training_steps: Annotated[int, Field(ge=1, le=100_000)] = 4
    """Training steps per measurement, of as many images each as a step of a study."""

    layers: Layers = Layers()


class Pareto(Section):
    """Penalties on other quantities than parameters, and several objectives at once.

    These are computed from the table of modules and the measured times.
    """

    weights: Annotated[
        list[Annotated[Number, Field(gt=0, le=1000)]], Field(min_length=1), UNIQUE
    ] = [0.01, 0.05, 0.2]
    """Weights of the penalties on parameters, MACs, latency and training time.

    A weight is what the amount of the median module adds to the test error.
    """

    studies: Annotated[int, Field(ge=1, le=100_000)] = 50
    """Replayed studies of error, parameters and latency, per sampler."""

    trials: Annotated[int, Field(ge=1, le=10_000)] = 50
    """Trials per study."""


def mistakes(config: Config) -> Iterator[Mistake]:
    """Find unknown analyses, analyses without those they need, and mistakes in recipes."""
    asked = config["analyses"]
    for index, name in enumerate(asked):
        missing = [needed for needed in NEEDS.get(name, ()) if needed not in asked]
        if name not in names():
            fix = suggestion(name, names())
            what = f"{name} is not an analysis; allowed are {', '.join(names())}; {fix}"
            yield Mistake(("analyses", index), what)
        elif missing:
            what = f"{name} needs {' and '.join(NEEDS[name])}; add {', '.join(missing)}"
            yield Mistake(("analyses", index), what)
    recipes = config["recipes"]
    for name, recipe in recipes["compared"].items():
        optimizer = merged(config["training"], recipe)["optimizer"]
        path = ("recipes", "compared", name)
        yield from recipe_mistakes(config, path, recipe)
        yield from warmup_mistakes(path, recipes["epochs"], "recipes.epochs", optimizer)
