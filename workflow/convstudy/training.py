"""Train a network one epoch after another, so that it can be stopped and continued anywhere.

All that is random comes from the seed and the epoch's number: the first weights from the seed,
the order and augmentation of the images from both. A checkpoint therefore needs no state of a
random generator, and a continued training gives the results of an uninterrupted one.
"""

import contextlib
import logging
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from convstudy import gpus, interruption, models
from convstudy.data import Dataset
from convstudy.errors import UserError
from convstudy.files import replacing
from convstudy.layers import Layer

logger = logging.getLogger(__name__)

# Raise this when a change here or in `models` gives other numbers from the same settings:
# stored curves of the old recipe are then trained anew.
RECIPE = 1

# A line now and then inside a long epoch; short epochs have their own line at the end.
SECONDS_BETWEEN_LINES = 30.0


@dataclass(frozen=True)
class Recipe:
    """All that decides a training's numbers, save the network, the seed and the data.

    Attributes
    ----------
    batch_size : int
        Images a step.
    optimizer : mapping
        ``name``, ``learning_rate`` and ``weight_decay``; ``momentum``, ``schedule`` and
        ``warmup_epochs`` where they count.
    augmentation : str
        ``none``, ``flip`` (left-right) or ``flip_and_shift`` (and by up to four pixels).
    precision : str
        Keras dtype policy.
    backend : str
        Keras backend.
    schedule_epochs : int or None
        Length of the learning rate schedule; None where the rate is constant, so that a curve
        can be made longer.
    """

    batch_size: int
    optimizer: Mapping[str, Any]
    augmentation: str
    precision: str
    backend: str
    schedule_epochs: int | None

    @classmethod
    def from_settings(cls, training: Mapping[str, Any], epochs: int) -> "Recipe":
        """Take the recipe from the config's ``training`` section, for `epochs` epochs at most.

        Settings that this optimizer and schedule do not use are left out, so that changing them
        makes no new curve.
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
            training["precision"],
            training["backend"],
            epochs if scheduled else None,
        )


def use_backend(name: str, device: str = "auto", threads: int = 1, float64: bool = False) -> str:
    """Import Keras on a backend, bound to a number of CPU threads.

    Parameters
    ----------
    name : str
        ``tensorflow``, ``jax`` or ``torch``.
    device : str
        ``cpu`` hides GPUs, ``gpu`` requires one, ``auto`` takes one if there is one.
    threads : int
        CPU threads. Their number is fixed by the settings and not by the machine, because sums
        that are split otherwise round otherwise.
    float64 : bool
        Whether double precision is needed, which JAX has only on demand.

    Returns
    -------
    str
        What trains: a GPU's name, ``cpu``, or `gpus.NO_GPU`.

    Raises
    ------
    UserError
        If `device` is ``gpu`` and the backend sees none.
    RuntimeError
        If Keras already runs on another backend in this process.
    """
    os.environ["KERAS_BACKEND"] = name
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    if device == "cpu" and "tensorflow" not in sys.modules:
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
    if name == "jax" and device == "cpu":
        os.environ["JAX_PLATFORMS"] = "cpu"
    if name == "jax" and float64:
        os.environ["JAX_ENABLE_X64"] = "1"
    with _native_messages_to_log():
        import keras

        if keras.backend.backend() != name:
            raise RuntimeError(f"Keras already runs on {keras.backend.backend()}, not on {name}")
        found = _bind_backend(name, threads)
    if device == "gpu" and not found:
        raise UserError(
            f"training.device: gpu, but {name} sees no GPU on this machine;"
            " allowed are auto, cpu and gpu; set training.device: auto or install the gpu extra"
        )
    if found:
        return found[0]
    return gpus.NO_GPU if gpus.wanted() and device != "cpu" else "cpu"


@contextlib.contextmanager
def _native_messages_to_log() -> Iterator[None]:
    """Keep what native code writes to the terminal while it is loaded; it goes to debug lines."""
    sys.stderr.flush()
    terminal = os.dup(2)
    with tempfile.TemporaryFile() as kept:
        os.dup2(kept.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(terminal, 2)
            os.close(terminal)
            kept.seek(0)
            for line in kept.read().decode(errors="replace").splitlines():
                logger.debug("%s", line)


def _bind_backend(name: str, threads: int) -> list[str]:
    """Set a backend's threads and memory growth, and list its GPUs."""
    if name == "tensorflow":
        import tensorflow as tf

        cards = tf.config.list_physical_devices("GPU")
        try:
            tf.config.threading.set_intra_op_parallelism_threads(threads)
            tf.config.threading.set_inter_op_parallelism_threads(threads)
            for card in cards:
                # Else TensorFlow takes all of the card's memory at its start.
                tf.config.experimental.set_memory_growth(card, True)
            tf.config.list_logical_devices()
        except RuntimeError:
            # TensorFlow has begun to compute in this process and keeps what it was given then.
            logger.warning(
                "TensorFlow runs already and keeps its threads, so results may differ by rounding"
            )
        return [tf.config.experimental.get_device_details(card)["device_name"] for card in cards]
    if name == "jax":
        import jax

        return [one.device_kind for one in jax.devices() if one.platform == "gpu"]
    import torch

    torch.set_num_threads(threads)
    return [torch.cuda.get_device_name(one) for one in range(torch.cuda.device_count())]


def augment(images: np.ndarray, how: str, rng: np.random.Generator) -> np.ndarray:
    """Flip images left-right by chance, and shift them by up to four pixels, zeros moving in.

    Parameters
    ----------
    images : ndarray of uint8, (images, Y, X, channels)
        Left as they are.
    how : str
        ``none``, ``flip`` or ``flip_and_shift``.
    rng : numpy.random.Generator
        Where the choices come from.
    """
    if how == "none":
        return images
    count, height, width, _ = images.shape
    flipped = rng.integers(0, 2, count).astype(bool)
    images = np.where(flipped[:, None, None, None], images[:, :, ::-1], images)
    if how == "flip":
        return images
    reach = 4
    padded = np.pad(images, ((0, 0), (reach, reach), (reach, reach), (0, 0)))
    down, right = rng.integers(0, 2 * reach + 1, (2, count))
    rows = down[:, None] + np.arange(height)
    columns = right[:, None] + np.arange(width)
    return padded[np.arange(count)[:, None, None], rows[:, :, None], columns[:, None, :]]


@dataclass
class PartOfEpoch:
    """What an interrupted epoch has behind it.

    Attributes
    ----------
    steps : int
        Steps done.
    seconds : float
        Time spent on them.
    metrics : list of float
        Totals and counts of the loss and the accuracy, in Keras's order.
    loss, accuracy : float
        What they amount to.
    """

    steps: int
    seconds: float
    metrics: list[float]
    loss: float
    accuracy: float


class Trainer:
    """A network in training.

    Parameters
    ----------
    layers : list of Layer
        The network.
    recipe : Recipe
        How it is trained.
    seed : int
        Of the first weights, the images' order and their augmentation.
    dataset : Dataset
        What it is trained and tested on.
    checkpoint : Path, optional
        Where to continue; without it, the network is new.
    epoch : int
        Whole epochs that the checkpoint has behind it.
    part : PartOfEpoch, optional
        What it has behind it of the next epoch.
    """

    def __init__(
        self,
        layers: list[Layer],
        recipe: Recipe,
        seed: int,
        dataset: Dataset,
        checkpoint: Path | None = None,
        epoch: int = 0,
        part: PartOfEpoch | None = None,
    ) -> None:
        import keras

        self.recipe = recipe
        self.seed = seed
        self.dataset = dataset
        self.epoch = epoch
        self.part = part
        # Frees the networks that this process trained before.
        keras.backend.clear_session()
        keras.config.set_dtype_policy(recipe.precision)
        if checkpoint is not None:
            self.model = keras.saving.load_model(checkpoint)
            if part is not None:
                # Makes the metrics' variables, into which `part` puts what they had gathered.
                self.model.test_on_batch(
                    np.asarray(dataset.test_images[:1]), np.asarray(dataset.test_labels[:1])
                )
            return
        keras.utils.set_random_seed(seed)
        self.model = models.build(layers)
        self.model.compile(
            optimizer=_optimizer(recipe, len(dataset.train_images)),
            loss="sparse_categorical_crossentropy",
            metrics=["accuracy"],
            # XLA on a CPU makes depthwise layers several times slower.
            jit_compile=recipe.backend == "jax",
        )

    def train_epoch(self) -> dict[str, float | int]:
        """Train one epoch, or what is left of it, and test after it.

        Returns
        -------
        dict
            ``epoch`` (from 1), ``loss`` and ``train_accuracy`` (means over the epoch, while the
            weights change), ``test_loss``, ``test_accuracy``, ``learning_rate`` (at the epoch's
            end), ``seconds`` (training and test) and ``images_per_second`` (training alone).
            Accuracies are fractions.

        Raises
        ------
        Interrupted
            If a stop is asked for: after the step under way, and `part` then says what is done.
        """
        began = time.perf_counter()
        before = self.part.seconds if self.part else 0.0
        part = self._train_steps()
        tested = self._test()
        images = len(self.dataset.train_images)
        self.epoch += 1
        self.part = None
        return {
            "epoch": self.epoch,
            "loss": part.loss,
            "train_accuracy": _fraction(part.accuracy, images),
            "test_loss": float(tested["loss"]),
            "test_accuracy": _fraction(tested["accuracy"], len(self.dataset.test_images)),
            "learning_rate": float(self.model.optimizer.learning_rate),
            "seconds": round(time.perf_counter() - began + before, 3),
            "images_per_second": round(images / part.seconds, 1),
        }

    def _train_steps(self) -> PartOfEpoch:
        """Do the epoch's steps that are not done yet, and give what all amount to."""
        began = time.perf_counter()
        rng = np.random.default_rng([self.seed, self.epoch])
        order = rng.permutation(len(self.dataset.train_images))
        images = augment(self.dataset.train_images[order], self.recipe.augmentation, rng)
        labels = np.asarray(self.dataset.train_labels[order])
        batch = self.recipe.batch_size
        steps = -(-len(images) // batch)
        part = self.part or PartOfEpoch(0, 0.0, [], 0.0, 0.0)
        if part.steps < steps:
            watch = _watch(self.model, part, steps)
            history = self.model.fit(
                images[part.steps * batch :],
                labels[part.steps * batch :],
                batch_size=batch,
                epochs=self.epoch + 1,
                initial_epoch=self.epoch,
                shuffle=False,
                verbose=0,
                callbacks=[watch],
            ).history
            part = PartOfEpoch(
                watch.steps_done,
                part.seconds + time.perf_counter() - began,
                [float(one.numpy()) for one in self.model.metrics_variables],
                float(history["loss"][0]),
                float(history["accuracy"][0]),
            )
        self.part = part
        interruption.stop_if_asked(f"after step {part.steps} of {steps} in epoch {self.epoch + 1}")
        return part

    def _test(self) -> dict[str, float]:
        """Test the network; a test that is interrupted is done again from its start."""
        tested = self.model.evaluate(
            np.asarray(self.dataset.test_images),
            np.asarray(self.dataset.test_labels),
            batch_size=max(self.recipe.batch_size, 250),
            verbose=0,
            return_dict=True,
            callbacks=[_watch_test(self.model)],
        )
        interruption.stop_if_asked(f"in the test after epoch {self.epoch + 1}")
        return tested

    def save(self, path: Path) -> None:
        """Write weights, optimizer and network to a ``.keras`` file, whole or not at all."""
        with replacing(path) as temporary:
            self.model.save(temporary)


def _fraction(accuracy: float, images: int) -> float:
    """Undo the rounding to float32: an accuracy is a number of images over their number."""
    return round(float(accuracy) * images) / images


def _optimizer(recipe: Recipe, images: int) -> Any:
    """Make the Keras optimizer, with its learning rate schedule in steps."""
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


def _watch(model: Any, part: PartOfEpoch, steps: int) -> Any:
    """Make a callback that counts steps, says how far a long epoch is, and stops it if asked.

    Parameters
    ----------
    model : keras.Model
        What is trained.
    part : PartOfEpoch
        What was done of the epoch before.
    steps : int
        Steps of the whole epoch.
    """
    import keras

    class Watch(keras.callbacks.Callback):
        def __init__(self) -> None:
            super().__init__()
            self.steps_done = part.steps
            self.said = time.perf_counter()

        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            if part.steps:
                # Keras has just set them to zero.
                for variable, value in zip(model.metrics_variables, part.metrics, strict=True):
                    variable.assign(value)

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            self.steps_done += 1
            if time.perf_counter() - self.said > SECONDS_BETWEEN_LINES:
                self.said = time.perf_counter()
                logger.info("  within the epoch: step %d of %d", self.steps_done, steps)
            if interruption.asked():
                model.stop_training = True

    return Watch()


def _watch_test(model: Any) -> Any:
    """Make a callback that ends a test if a stop is asked for."""
    import keras

    class Watch(keras.callbacks.Callback):
        def on_test_batch_end(self, batch: int, logs: Any = None) -> None:
            if interruption.asked():
                model.stop_evaluating = True

    return Watch()
