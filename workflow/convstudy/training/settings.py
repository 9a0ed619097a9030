"""The settings of training, and what they need of the data and of the machine."""

import importlib.util
import os
import sys
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Field

from convstudy.core import environment, gpus
from convstudy.core.section import Config, Mistake, Number, Section, changes, merged
from convstudy.data.settings import train_images

# Units of a processor that multiply bfloat16 (see `environment.UNITS`).
BFLOAT16_UNITS = ("AMX", "AVX512-BF16")

Epochs = Annotated[int, Field(ge=1, le=10_000)]
Replicates = Annotated[int, Field(ge=1, le=1000)]
BatchSize = Annotated[int, Field(ge=1, le=65_536)]
BelowOne = Annotated[Number, Field(ge=0, lt=1)]


class Optimizer(Section):
    """The Keras optimizer."""

    name: Literal["adam", "adamw", "sgd", "rmsprop"] = "adam"
    """Name in Keras."""

    learning_rate: Annotated[Number, Field(gt=0, le=100)] = 0.001
    """Learning rate, the highest where it is scheduled."""

    schedule: Literal["constant", "cosine"] = "constant"
    """Whether the learning rate stays, or falls to zero as a cosine over all epochs.

    A curve with a cosine schedule cannot be extended.
    """

    warmup_epochs: Annotated[int, Field(ge=0)] = 0
    """Epochs of linear warmup before the cosine."""

    weight_decay: Annotated[Number, Field(ge=0, le=1)] = 0.0
    """Decoupled weight decay."""

    momentum: BelowOne = 0.0
    """Momentum of sgd and rmsprop; the other optimizers ignore it."""


# If the trainer, the engine or `layers.networks` changes what the same settings result in, then
# this needs another version; `Training.recipe` keeps the earlier ones.
RECIPE: Literal[3] = 3
# Of configs recorded before the setting existed.
FIRST_RECIPE = 2


class Training(Section):
    """How every network is trained, in studies too.

    Increasing `epochs` or `replicates` trains only what is missing (or all epochs again, if the
    learning rate is scheduled). `device`, `jit_compile` and `threads` do not affect stored curves.
    Changing any other key means new curves.
    """

    epochs: Epochs = 8
    """Epochs of the three single-kind networks."""

    replicates: Replicates = 3
    """Trainings of each single-kind network, with different seeds.

    With three or more, differences between kinds get intervals.
    """

    seed: Annotated[int, Field(ge=0)] = 0
    """Seed of the first replicate; the others count up from it."""

    batch_size: BatchSize = 64
    """Images per step."""

    optimizer: Optimizer = Optimizer()

    augmentation: Literal["none", "flip", "flip_and_shift"] = "none"
    """Random left-right flips, and shifts by up to four pixels."""

    label_smoothing: BelowOne = 0.0
    """Share of each training label that is spread over all classes.

    The test loss is never smoothed.
    """

    backend: Literal["tensorflow", "jax"] = "tensorflow"
    """The Keras backend; jax needs make setup EXTRA=jax."""

    recipe: Literal[2, 3] = RECIPE
    """Version of the training's arithmetic; the versions differ by rounding alone.

    Only the last is trained. A config with an earlier one reads the curves that were made with it.
    In version 3, biases before BatchNormalization, which subtracts them, stay at zero.
    """

    device: Literal["auto", "cpu", "gpu"] = "auto"
    """What to train on: auto uses a GPU if there is one, gpu requires one."""

    precision: Literal["float32", "float64", "mixed_bfloat16"] = "float32"
    """Keras dtype policy; mixed_bfloat16 needs a GPU, or a processor with AMX or AVX512-BF16.

    Products are computed in bfloat16; weights, sums, normalisation, the sums of biases' gradients
    and the loss are float32 ([details](../docs/evidence.md#what-is-computed-in-bfloat16)). On a
    processor it needs TensorFlow.
    """

    jit_compile: Literal["auto"] | bool = "auto"
    """Whether XLA compiles TensorFlow's steps; auto means on a GPU.

    JAX always compiles. Results differ only by rounding.
    """

    threads: Annotated[int, Field(ge=1, le=1024)] = 1
    """CPU threads per training; as many trainings run in parallel as cores allow.

    Two trainings in parallel with one thread each are faster than one after the other with two.
    """


# Changes to the recipe: to how a network is trained, whatever the machine.
RecipeChanges: Any = changes(Training, "batch_size", "augmentation", "label_smoothing", "optimizer")


def of_modules(config: Config) -> dict[str, Any]:
    """Return how modules are trained: ``training`` with the changes of ``search.training``."""
    return merged(config["training"], config["search"]["training"])


def mistakes(config: Config) -> Iterator[Mistake]:
    """Find a batch larger than the data, and a warmup without a schedule."""
    yield from recipe_mistakes(config, ("training",), config["training"])


def recipe_mistakes(config: Config, path: tuple[str, ...], given: Config) -> Iterator[Mistake]:
    """Find a batch larger than the data, and a warmup without a schedule, in a recipe.

    Args:
        config: The config.
        path: Of the section with the recipe.
        given: The section: ``training``, or changes to it.
    """
    batch, images = given.get("batch_size", 0), train_images(config["data"])
    if batch > images:
        yield Mistake(
            (*path, "batch_size"),
            f"{batch}, but there are {images:,} training images; write batch_size: {images}, or"
            " raise data.train_images",
        )
    warmup = given.get("optimizer", {}).get("warmup_epochs", 0)
    schedule = merged(config["training"], given)["optimizer"]["schedule"]
    if schedule == "constant" and warmup:
        yield Mistake(
            (*path, "optimizer", "warmup_epochs"),
            f"{warmup}, but a constant schedule has none; write warmup_epochs: 0, or schedule:"
            " cosine",
        )


def warmup_mistakes(
    path: tuple[str, ...], epochs: int, key: str, optimizer: Config
) -> Iterator[Mistake]:
    """Find a warmup that a cosine does not outlast.

    Args:
        path: Of the section with the optimizer.
        epochs: Of the shortest training.
        key: Where these epochs stand.
    """
    warmup = optimizer["warmup_epochs"]
    if optimizer["schedule"] == "cosine" and warmup >= epochs:
        yield Mistake(
            (*path, "optimizer", "warmup_epochs"),
            f"{warmup}, but {key} is {epochs}; write warmup_epochs: {epochs - 1}, or raise {key}",
        )


def machine_mistakes(config: Config) -> Iterator[Mistake]:
    """Find what this machine lacks."""
    training = config["training"]
    backend, precision, threads = (training[key] for key in ("backend", "precision", "threads"))
    if importlib.util.find_spec(backend) is None:
        remedy = {
            "tensorflow": "make setup && source .venv/bin/activate",
            "jax": "make setup EXTRA=jax && source .venv-jax/bin/activate, or write backend:"
            " tensorflow",
        }[backend]
        what = f"{backend}, but this Python ({sys.executable}) does not have it; run {remedy}"
        yield Mistake(("training", "backend"), what)
    no_gpu = training["device"] == "cpu" or not gpus.names()
    if no_gpu and precision == "mixed_bfloat16":
        if backend != "tensorflow":
            yield Mistake(
                ("training", "precision"),
                f"mixed_bfloat16, but {backend} computes it in another precision on a CPU; write"
                " backend: tensorflow, or precision: float32",
            )
        elif environment.unit() not in BFLOAT16_UNITS:
            yield Mistake(
                ("training", "precision"),
                f"mixed_bfloat16, but this processor ({environment.processor()}) does not multiply"
                f" it; allowed are GPUs and processors with {' or '.join(BFLOAT16_UNITS)}; write"
                " precision: float32",
            )
    if no_gpu and training["device"] == "gpu":
        yield Mistake(
            ("training", "device"),
            "gpu, but this machine shows none (nvidia-smi -L); write device: auto to train on the"
            " CPU",
        )
    cores = os.cpu_count() or 1
    if threads > cores:
        yield Mistake(
            ("training", "threads"),
            f"{threads}, but this machine has {cores} cores; write threads: {cores}",
        )
