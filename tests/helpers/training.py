"""A curve that is quick to train; run as a program, it can send itself a signal at a given step.

python -m helpers.training STORE EPOCHS [SIGNAL EPOCH STEP]

An epoch has ten steps; step 11 is the test after them. The variable PRECISION can set a precision
other than float32.
"""

import os
import signal
import sys
from pathlib import Path

import numpy as np
from convstudy.core import signals
from convstudy.data.dataset import Dataset
from convstudy.training.curve import Curve
from convstudy.training.engine.engine import Engine
from convstudy.training.settings import RECIPE
from convstudy.training.trainer import Trainer

MODEL = {
    "width": 0.125,
    "batch_normalization_momentum": 0.9,
    "stages": [
        {"channels": 64, "layers": 2, "pooling": 2},
        {"channels": 128, "layers": 2, "pooling": 2},
    ],
}
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
    "label_smoothing": 0.1,
    "backend": "tensorflow",
    "device": "cpu",
    "recipe": RECIPE,
    "jit_compile": "auto",
    "precision": os.environ.get("PRECISION", "float32"),
    "threads": 1,
}
KINDS = ("conv", "depthwise", "separable")


def dataset(train: int = 160, test: int = 60, validation: int = 40) -> Dataset:
    """Make noise images whose class is the position of a bright band."""
    rng = np.random.default_rng(0)
    ends = train, train + test, train + test + validation
    images = rng.integers(0, 120, (ends[-1], 32, 32, 3), dtype=np.uint8)
    labels = np.arange(ends[-1], dtype=np.uint8) % 10
    for image, label in zip(images, labels, strict=True):
        image[3 * label : 3 * label + 4] += 100
    splits = np.split(images, ends[:-1]), np.split(labels, ends[:-1])
    arrays = {
        f"{split}_{what}": array
        for what, parts in zip(("images", "labels"), splits, strict=True)
        for split, array in zip(("train", "test", "validation"), parts, strict=True)
    }
    return Dataset(**arrays, digest="test")


DATASET = dataset()


def curve(store: Path, replicate: int = 0, **changes: object) -> Curve:
    """Create the example curve, with changes to the training settings."""
    settings = {**TRAINING, **changes}
    return Curve(store, KINDS, replicate, MODEL, settings, settings["epochs"], DATASET)


def _signal_at(number: signal.Signals, epoch: int, step: int) -> None:
    """Make this process send itself a signal after a given step of an epoch."""
    usual, train, test = Trainer.train_epoch, Engine.train, Engine.test
    under_way = 0

    def train_epoch(self):
        nonlocal under_way
        under_way = self.epoch + 1
        return usual(self)

    def watched_train(self, order, moves):
        for done, totals in enumerate(train(self, order, moves), start=1):
            if (under_way, done) == (epoch, step):
                os.kill(os.getpid(), number)
            yield totals

    def watched_test(self, split):
        for totals in test(self, split):
            if (under_way, 11) == (epoch, step):
                os.kill(os.getpid(), number)
            yield totals

    Trainer.train_epoch, Engine.train, Engine.test = train_epoch, watched_train, watched_test


if __name__ == "__main__":
    signals.install()
    if len(sys.argv) > 3:
        _signal_at(signal.Signals[sys.argv[3]], int(sys.argv[4]), int(sys.argv[5]))
    try:
        curve(Path(sys.argv[1])).train(int(sys.argv[2]))
    except signals.Interrupted as reason:
        sys.exit(str(reason))
