"""Made-up curves in a store, as networks take seconds each to be built and trained."""

import math

import numpy as np
from convstudy.core import environment
from convstudy.core.files import write_sealed
from convstudy.training.curve import Curve
from convstudy.training.record import pack


def lay(curve: Curve, epochs: int, trained_for: str) -> None:
    """Store a curve as if it had been trained on a CPU and its checkpoint pruned.

    Images are right by chance, more of them after each epoch; the same curve is always made up
    alike. There must be validation images, and as many test images of each class.
    """
    rng = np.random.default_rng(int(curve.key, 16))
    best, records = rng.uniform(0.3, 0.9), []
    for epoch in range(1, epochs + 1):
        accuracy = best * (1 - 0.5**epoch)
        right, right_there = (
            rng.random(len(labels)) < accuracy
            for labels in (curve.dataset.test_labels, curve.dataset.validation_labels)
        )
        records.append(
            {
                "epoch": epoch,
                "loss": -math.log(accuracy),
                "train_accuracy": accuracy,
                "test_loss": -math.log(accuracy),
                "test_accuracy": float(right.mean()),
                "validation_loss": -math.log(accuracy),
                "validation_accuracy": float(right_there.mean()),
                "test_right": pack(right),
                "learning_rate": 0.001,
                "seconds": 1.0,
                "images_per_second": 200.0,
                "trained_for": trained_for,
                "device": "cpu",
                "backend": "made up",
                "processor": environment.processor(),
                "matmul_precision": "float32",
            }
        )
    state = {"identity": curve.identity, "records": records, "ended": None, "checkpoint": None}
    made = {"device": "cpu", **environment.of_training(curve.training)}
    write_sealed(curve.folder / "curve.json", {**state, "environment": made})
