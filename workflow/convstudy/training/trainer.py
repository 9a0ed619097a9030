"""Train a network epoch by epoch, so that training can stop and resume after any epoch.

All randomness depends only on the seed and the epoch number: the initial weights on the seed, the
order and augmentation of the images on both. A checkpoint therefore needs no random generator
state, and a resumed training gives the same results as an uninterrupted one.
"""

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from convstudy.core import signals
from convstudy.core.files import replacing
from convstudy.data.dataset import Dataset
from convstudy.layers.kinds import Layer
from convstudy.layers.networks import build
from convstudy.training.engine.engine import Engine
from convstudy.training.engine.steps import draw_augmentation
from convstudy.training.precision import require_bfloat16
from convstudy.training.record import pack

logger = logging.getLogger(__name__)

# Interval of progress lines within long epochs; short epochs have only their line at the end.
SECONDS_BETWEEN_LINES = 30.0


@dataclass(frozen=True)
class Recipe:
    """All that determines a training's numbers, except the network, the seed and the data.

    Attributes:
        batch_size: Images per step.
        optimizer: ``name``, ``learning_rate`` and ``weight_decay``, plus ``momentum``, ``schedule``
            and ``warmup_epochs`` if they are used.
        augmentation: ``none``, ``flip`` (left-right) or ``flip_and_shift`` (also by up to four
            pixels).
        label_smoothing: Share of each training label that is spread over all classes.
        precision: Keras dtype policy.
        backend: Keras backend.
        schedule_epochs: Length of the learning rate schedule; None for a constant rate, so that a
            curve can be extended.

    Example:
        >>> from convstudy.config import settings
        >>> training = settings.validate({}, this_machine=False)["training"]
        >>> Recipe.from_settings(training, epochs=8).batch_size
        64
    """

    batch_size: int
    optimizer: Mapping[str, Any]
    augmentation: str
    label_smoothing: float
    precision: str
    backend: str
    schedule_epochs: int | None

    @classmethod
    def from_settings(cls, training: Mapping[str, Any], epochs: int) -> "Recipe":
        """Create the recipe from the config's ``training`` section, for at most `epochs` epochs.

        Settings that the optimizer and schedule do not use are left out, so that changing them does
        not create a new curve.
        """
        settings = training["optimizer"]
        used = ["name", "learning_rate", "weight_decay"]
        if settings["name"] in ("sgd", "rmsprop"):
            used.append("momentum")
        scheduled = settings["schedule"] != "constant"
        if scheduled:
            used += ["schedule", "warmup_epochs"]
        return cls(
            training["batch_size"],
            {key: settings[key] for key in used},
            training["augmentation"],
            training["label_smoothing"],
            training["precision"],
            training["backend"],
            epochs if scheduled else None,
        )


class Trainer:
    """A network in training.

    Args:
        layers: The network.
        recipe: How it is trained.
        seed: Seed of the initial weights and of the images' order and augmentation.
        dataset: Images to train and test on.
        checkpoint: File to resume from; without it, the network is new.
        epoch: Number of epochs completed in the checkpoint.
        jit_compile: See `Engine`.
    """

    def __init__(
        self,
        layers: list[Layer],
        recipe: Recipe,
        seed: int,
        dataset: Dataset,
        checkpoint: Path | None = None,
        epoch: int = 0,
        jit_compile: bool | str = "auto",
    ) -> None:
        import keras

        self.recipe = recipe
        self.seed = seed
        self.dataset = dataset
        self.epoch = epoch
        # Frees networks trained earlier in this process.
        keras.backend.clear_session()
        keras.config.set_dtype_policy(recipe.precision)
        if recipe.precision == "mixed_bfloat16":
            require_bfloat16(layers)
        if checkpoint is not None:
            self.model = keras.saving.load_model(checkpoint)
        else:
            keras.utils.set_random_seed(seed)
            self.model = build(layers)
            self.model.compile(
                optimizer=_optimizer(recipe, len(dataset.train_images)),
                loss="sparse_categorical_crossentropy",
                metrics=["accuracy"],
            )
        self.engine = Engine(
            self.model,
            dataset,
            recipe.batch_size,
            recipe.augmentation,
            recipe.label_smoothing,
            jit_compile,
        )

    def train_epoch(self) -> dict[str, Any]:
        """Train one epoch, then test.

        Returns:
            ``epoch`` (from 1), ``loss`` and ``train_accuracy`` (means over the epoch, while the
            weights change; the loss uses smoothed labels, if any), ``test_loss``,
            ``test_accuracy``, ``test_right`` (which test images were right, see `pack`),
            ``balanced_accuracy`` (on the test images, the mean over classes) if the classes have
            unequal numbers of them,
            ``validation_loss`` and ``validation_accuracy`` if there are validation images,
            ``learning_rate`` (at the epoch's end), ``seconds`` (training and testing) and
            ``images_per_second`` (training alone). Accuracies are fractions.

        Raises:
            Interrupted: If a stop is requested; raised after the current step.
        """
        began = time.perf_counter()
        loss, correct = self._train_steps()
        trained = time.perf_counter() - began
        test_loss, right = self._test("test")
        tested = {"test_loss": test_loss, "test_accuracy": float(right.mean())}
        counts = np.bincount(self.dataset.test_labels)
        if len(set(counts)) > 1:
            shares = np.bincount(self.dataset.test_labels, right)[counts > 0] / counts[counts > 0]
            tested["balanced_accuracy"] = float(shares.mean())
        if len(self.dataset.validation_labels):
            validation_loss, right_there = self._test("validation")
            tested["validation_loss"] = validation_loss
            tested["validation_accuracy"] = float(right_there.mean())
        images = len(self.dataset.train_images)
        self.epoch += 1
        return {
            "epoch": self.epoch,
            "loss": loss / images,
            "train_accuracy": correct / images,
            **tested,
            "test_right": pack(right),
            "learning_rate": float(self.model.optimizer.learning_rate),
            "seconds": round(time.perf_counter() - began, 3),
            "images_per_second": round(images / trained, 1),
        }

    def _train_steps(self) -> tuple[float, int]:
        """Train an epoch's steps; return the summed loss and the number of correct images."""
        said = time.perf_counter()
        rng = np.random.default_rng([self.seed, self.epoch])
        images = len(self.dataset.train_images)
        order = rng.permutation(images)
        moves = draw_augmentation(self.recipe.augmentation, images, rng)
        steps = -(-images // self.recipe.batch_size)
        done, loss, correct = 0, 0.0, 0
        for more in self.engine.train(order, moves):
            done += more.steps
            loss += more.loss
            correct += more.correct
            self._stop_if_asked(f"after step {done} of {steps} in")
            now = time.perf_counter()
            if now - said > SECONDS_BETWEEN_LINES:
                said = now
                logger.info("  within the epoch: step %d of %d", done, steps)
        return loss, correct

    def _stop_if_asked(self, where: str) -> None:
        signals.stop_if_asked(f"{where} epoch {self.epoch + 1}", f"after epoch {self.epoch}")

    def _test(self, split: str) -> tuple[float, np.ndarray]:
        """Return the mean loss on a split's images, and which of them are right."""
        loss, right = 0.0, []
        for more in self.engine.test(split):
            self._stop_if_asked("in the test after")
            loss += more.loss
            right.append(more.right)
        joined = np.concatenate(right)
        return loss / len(joined), joined

    def save(self, path: Path) -> None:
        """Write weights, optimizer and network to a ``.keras`` file, atomically."""
        with replacing(path) as temporary:
            self.model.save(temporary)


def _optimizer(recipe: Recipe, images: int) -> Any:
    """Create the Keras optimizer, with its learning rate schedule in steps."""
    import keras

    settings = recipe.optimizer
    rate: Any = settings["learning_rate"]
    if recipe.schedule_epochs is not None:
        steps = -(-images // recipe.batch_size)
        warmup = settings["warmup_epochs"] * steps
        rate = keras.optimizers.schedules.CosineDecay(
            initial_learning_rate=0.0 if warmup else rate,
            decay_steps=recipe.schedule_epochs * steps - warmup,
            warmup_target=rate if warmup else None,
            warmup_steps=warmup,
        )
    extra = {"momentum": settings["momentum"]} if "momentum" in settings else {}
    if settings["weight_decay"]:
        extra["weight_decay"] = settings["weight_decay"]
    classes = {"adam": "Adam", "adamw": "AdamW", "sgd": "SGD", "rmsprop": "RMSprop"}
    return getattr(keras.optimizers, classes[settings["name"]])(learning_rate=rate, **extra)
