"""A curve that is quick to train; run as a program, it sends itself a signal where it is told to.

python training_example.py STORE EPOCHS [SIGNAL EPOCH STEP]

An epoch has ten steps; step 11 is the test after them.
"""

import os
import signal
import sys
from pathlib import Path

import numpy as np
from convstudy import interruption, training
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


DATASET = dataset()


def curve(store: Path, replicate: int = 0, **changes: object) -> Curve:
    """Make the example's curve, with changes to the training settings."""
    settings = {**TRAINING, **changes}
    return Curve(store, KINDS, replicate, MODEL, settings, settings["epochs"], DATASET)


def _signal_at(number: signal.Signals, epoch: int, step: int) -> None:
    """Let this process send itself a signal in an epoch, when a step has been made."""
    usual, usual_test = training._watch, training._watch_test
    under_way = 0

    def watch(model, part, steps):
        callback = usual(model, part, steps)
        begin, end = callback.on_epoch_begin, callback.on_train_batch_end

        def on_epoch_begin(index, logs=None):
            nonlocal under_way
            under_way = index + 1
            begin(index, logs)

        def on_train_batch_end(batch, logs=None):
            if (under_way, callback.steps_done + 1) == (epoch, step):
                os.kill(os.getpid(), number)
            end(batch, logs)

        callback.on_epoch_begin, callback.on_train_batch_end = on_epoch_begin, on_train_batch_end
        return callback

    def watch_test(model):
        callback = usual_test(model)
        end = callback.on_test_batch_end

        def on_test_batch_end(batch, logs=None):
            if (under_way, 11) == (epoch, step):
                os.kill(os.getpid(), number)
            end(batch, logs)

        callback.on_test_batch_end = on_test_batch_end
        return callback

    training._watch, training._watch_test = watch, watch_test


if __name__ == "__main__":
    interruption.listen()
    if len(sys.argv) > 3:
        _signal_at(signal.Signals[sys.argv[3]], int(sys.argv[4]), int(sys.argv[5]))
    try:
        curve(Path(sys.argv[1])).train(int(sys.argv[2]))
    except interruption.Interrupted as reason:
        sys.exit(str(reason))
