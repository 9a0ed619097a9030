"""Which analyses there are, and their settings.

They are the folders of `convstudy.analyses`, found without importing them.
"""

from collections.abc import Iterator, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from convstudy.config.mistakes import suggestion
from convstudy.core.section import (
    UNIQUE,
    Config,
    Mistake,
    Name,
    Number,
    Section,
    Seed,
    changes,
    merged,
)
from convstudy.training.settings import BatchSize, Epochs, Replicates, Training, warmup_mistakes

# The article's own study, which is always made.
ARTICLE = "article_study"
# Of which other analyses an analysis is made.
NEEDS = {
    "epoch_selection": ("module_table",),
    "replay": ("module_table",),
    "penalties": ("module_table",),
    "pareto": ("module_table", "timing"),
}

# What a recipe may change of how networks are trained.
Recipe: Any = changes(Training, "batch_size", "augmentation", "label_smoothing", "optimizer")
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
    """List the analyses that a config may ask for."""
    folders = [Path(str(one)) for one in files("convstudy.analyses").iterdir()]
    found = sorted(path.parent.name for one in folders for path in one.glob("__init__.py"))
    return [name for name in found if name != ARTICLE]


def captions(made: Sequence[str]) -> dict[str, Path]:
    """Give each figure's caption by the figure's name.

    Args:
        made: Names of the analyses, besides the article's own study.
    """
    folders = (files("convstudy.analyses") / name / "captions" for name in (ARTICLE, *made))
    found = [path for folder in folders for path in sorted(Path(str(folder)).glob("*.rst"))]
    return {path.stem: path for path in found}


class ModuleTable(Section):
    """The table of all 27 modules.

    A change trains the added epochs or replicates.
    """

    epochs: Epochs = 5
    """Epochs of each training; as many as a trial has, so that table and studies share curves."""

    replicates: Replicates = 3
    """Trainings of each module, each with another seed."""


class Recipes(Section):
    """Ways of training, which are compared with the article's figures."""

    epochs: Epochs = 8
    """Epochs of each training."""

    replicates: Replicates = 1
    """Trainings of each kind by each recipe, each with another seed."""

    compared: Annotated[dict[Name, Recipe], Field(min_length=1)] = {
        name: Recipe.model_validate(given) for name, given in COMPARED.items()
    }
    """The recipes by name; each says what it changes of training; `NAME: null` removes one.

    These are `batch_size`, `augmentation`, `label_smoothing` and `optimizer`. `adam` changes
    nothing; `sgd` and `rmsprop` are what tutorials of the time took instead; `modern` is what the
    same parameters can do.
    """


class Replay(Section):
    """Studies replayed on the table of all modules, without training.

    Some seconds for each of the 32 ways to search. The penalty is that of the first study that has
    one, here and in `penalties`.
    """

    studies: Annotated[int, Field(ge=2, le=10_000)] = 200
    """Replayed studies of each way to search."""

    trials: Annotated[int, Field(ge=1, le=10_000)] = 50
    """Trials of each study; a grid ends after one of each module."""

    seed: Seed = 0
    """Seed of all replayed studies."""


class Layers(Section):
    """Single layers, as many channels out as in."""

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
    """Feature maps a call."""

    most_macs: Annotated[int, Field(ge=1)] = 2_500_000_000
    """Multiply-accumulates of a forward call; a point with more is skipped, as table and log say.

    Bounds memory, too: a layer's tensors have at most a ninth as many numbers.
    """


class Timing(Section):
    """The measured times of modules and layers; a change measures them anew.

    Some twelve minutes on two idle CPU cores. Leave the machine alone meanwhile.
    """

    processes: Annotated[int, Field(ge=1, le=100)] = 3
    """Processes that measure, one after another; intervals are those over them, so one has none."""

    repeats: Annotated[int, Field(ge=3, le=10_000)] = 7
    """Repeats of every measurement in a process, whose median counts."""

    batch_size: BatchSize = 256
    """Images of a call from which images a second come; latency is that of one image."""

    training_steps: Annotated[int, Field(ge=1, le=100_000)] = 4
    """Steps of training in a measurement, of training.batch_size images each."""

    layers: Layers = Layers()


class Pareto(Section):
    """Other quantities in place of parameters, and several objectives at once.

    They are computed from the table of modules and the measured times.
    """

    weights: Annotated[
        list[Annotated[Number, Field(gt=0, le=1000)]], Field(min_length=1), UNIQUE
    ] = [0.01, 0.05, 0.2]
    """Weights of the penalties on parameters, MACs, latency and training time.

    A weight is added to the test error for as much of the quantity as the median module has.
    """

    studies: Annotated[int, Field(ge=1, le=100_000)] = 50
    """Studies of error, parameters and latency that are replayed on the table by every sampler."""

    trials: Annotated[int, Field(ge=1, le=10_000)] = 50
    """Trials of each."""


def mistakes(config: Config) -> Iterator[Mistake]:
    """Find analyses that there are not or that lack what they are made of, and endless warmups."""
    asked = config["analyses"]
    for place, name in enumerate(asked):
        missing = [one for one in NEEDS.get(name, ()) if one not in asked]
        if name not in names():
            fix = suggestion(name, names())
            what = f"{name} is none; allowed are {', '.join(names())}; {fix}"
            yield Mistake(("analyses", place), what)
        elif missing:
            what = f"{name} is made of {' and '.join(NEEDS[name])}; add {', '.join(missing)}"
            yield Mistake(("analyses", place), what)
    recipes = config["recipes"]
    for name, recipe in recipes["compared"].items():
        optimizer = merged(config["training"], recipe)["optimizer"]
        path = ("recipes", "compared", name)
        yield from warmup_mistakes(path, recipes["epochs"], "recipes.epochs", optimizer)
