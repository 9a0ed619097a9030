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

from convstudy import models
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
        What trains: a GPU's name, or ``cpu``.

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
        gpus = _bind_backend(name, threads)
    if device == "gpu" and not gpus:
        raise UserError(
            f"training.device: gpu, but {name} sees no GPU on this machine;"
            " allowed are auto, cpu and gpu; set training.device: auto or install the gpu extra"
        )
    return gpus[0] if gpus else "cpu"


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

        gpus = tf.config.list_physical_devices("GPU")
        try:
            tf.config.threading.set_intra_op_parallelism_threads(threads)
            tf.config.threading.set_inter_op_parallelism_threads(threads)
            for gpu in gpus:
                tf.config.experimental.set_memory_growth(gpu, True)
            tf.config.list_logical_devices()
        except RuntimeError:
            # TensorFlow has begun to compute in this process and keeps what it was given then.
            logger.warning(
                "TensorFlow runs already and keeps its threads, so results may differ by rounding"
            )
        return [tf.config.experimental.get_device_details(gpu)["device_name"] for gpu in gpus]
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
        Epochs that the checkpoint has behind it.
    """

    def __init__(
        self,
        layers: list[Layer],
        recipe: Recipe,
        seed: int,
        dataset: Dataset,
        checkpoint: Path | None = None,
        epoch: int = 0,
    ) -> None:
        import keras

        self.recipe = recipe
        self.seed = seed
        self.dataset = dataset
        self.epoch = epoch
        # Frees the networks that this process trained before.
        keras.backend.clear_session()
        keras.config.set_dtype_policy(recipe.precision)
        if checkpoint is not None:
            self.model = keras.saving.load_model(checkpoint)
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
        """Train one epoch and test after it.

        Returns
        -------
        dict
            ``epoch`` (from 1), ``loss`` and ``train_accuracy`` (means over the epoch, while the
            weights change), ``test_loss``, ``test_accuracy``, ``learning_rate`` (at the epoch's
            end), ``seconds`` (training and test) and ``images_per_second`` (training alone).
            Accuracies are fractions.
        """
        rng = np.random.default_rng([self.seed, self.epoch])
        order = rng.permutation(len(self.dataset.train_images))
        began = time.perf_counter()
        images = augment(self.dataset.train_images[order], self.recipe.augmentation, rng)
        history = self.model.fit(
            images,
            np.asarray(self.dataset.train_labels[order]),
            batch_size=self.recipe.batch_size,
            epochs=self.epoch + 1,
            initial_epoch=self.epoch,
            shuffle=False,
            verbose=0,
            callbacks=[_lines_within_an_epoch(len(order), self.recipe.batch_size)],
        ).history
        trained = time.perf_counter()
        tested = self.model.evaluate(
            np.asarray(self.dataset.test_images),
            np.asarray(self.dataset.test_labels),
            batch_size=max(self.recipe.batch_size, 250),
            verbose=0,
            return_dict=True,
        )
        self.epoch += 1
        return {
            "epoch": self.epoch,
            "loss": float(history["loss"][0]),
            "train_accuracy": _fraction(history["accuracy"][0], len(order)),
            "test_loss": float(tested["loss"]),
            "test_accuracy": _fraction(tested["accuracy"], len(self.dataset.test_images)),
            "learning_rate": float(self.model.optimizer.learning_rate),
            "seconds": round(time.perf_counter() - began, 3),
            "images_per_second": round(len(order) / (trained - began), 1),
        }

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


def _lines_within_an_epoch(images: int, batch_size: int) -> Any:
    """Make a callback that says how far a long epoch is."""
    import keras

    last = time.perf_counter()

    def say(batch: int, logs: Any) -> None:
        nonlocal last
        if time.perf_counter() - last > SECONDS_BETWEEN_LINES:
            last = time.perf_counter()
            done = min(images, (batch + 1) * batch_size)
            logger.info("  within the epoch: %d of %d images", done, images)

    return keras.callbacks.LambdaCallback(on_train_batch_end=say)
