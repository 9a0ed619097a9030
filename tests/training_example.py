"""A curve that is quick to train; run as a program, it dies where it is told to.

python training_example.py STORE EPOCHS [DIE_IN_EPOCH]
"""

import os
import signal
import sys
from pathlib import Path

import numpy as np
from convstudy import training
from convstudy.curves import Curve
from convstudy.data import Dataset

MODEL = {"width": 0.125, "batch_normalization_momentum": 0.9}
TRAINING = {
    "epochs": 4,
    "replicates": 1,
    "seed": 3,
    "batch_size": 16,
    "optimizer": {
        "name": "adam",
        "learning_rate": 0.003,
        "schedule": "constant",
        "warmup_epochs": 0,
        "weight_decay": 0.0,
        "momentum": 0.0,
    },
    "augmentation": "flip_and_shift",
    "backend": "tensorflow",
    "device": "cpu",
    "precision": "float32",
    "threads": 1,
}
KINDS = ("conv", "depthwise", "separable")


def dataset(train: int = 160, test: int = 60) -> Dataset:
    """Make images whose class is the position of a bright band in noise."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 120, (train + test, 32, 32, 3), dtype=np.uint8)
    labels = np.arange(train + test, dtype=np.uint8) % 10
    for image, label in zip(images, labels, strict=True):
        image[3 * label : 3 * label + 4] += 100
    return Dataset(images[:train], labels[:train], images[train:], labels[train:], "test")


def curve(store: Path, replicate: int = 0, **changes: object) -> Curve:
    """Make the example's curve, with changes to the training settings."""
    settings = {**TRAINING, **changes}
    return Curve(store, KINDS, replicate, MODEL, settings, settings["epochs"], dataset())


def _die_in(epoch: int) -> None:
    """Let this process kill itself at the fifth step of an epoch."""
    import keras

    def callback(images: int, batch_size: int) -> keras.callbacks.Callback:
        class Deadly(keras.callbacks.Callback):
            def on_epoch_begin(self, number: int, logs: object = None) -> None:
                self.number = number + 1

            def on_train_batch_end(self, batch: int, logs: object = None) -> None:
                if self.number == epoch and batch == 4:
                    os.kill(os.getpid(), signal.SIGKILL)

        return Deadly()

    training._lines_within_an_epoch = callback


if __name__ == "__main__":
    if len(sys.argv) > 3:
        _die_in(int(sys.argv[3]))
    curve(Path(sys.argv[1])).train(int(sys.argv[2]))
