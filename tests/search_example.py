"""A study on curves that cost nothing; run as a program, it dies where it is told to.

python search_example.py FOLDER STORAGE TRIALS [DIE_AFTER_EPOCHS]
"""

import hashlib
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from convstudy import models
from convstudy.curves import Ended
from convstudy.files import read_json, write_json
from convstudy.search import Search

SETTINGS: dict[str, Any] = {
    "trials": 14,
    "seed": 5,
    "sampler": {
        "name": "tpe",
        "startup_trials": 4,
        "candidates": 24,
        "multivariate": True,
        "constant_liar": True,
    },
    "pruner": {
        "name": "median",
        "startup_trials": 3,
        "warmup_steps": 0,
        "interval_steps": 1,
        "minimum_trials": 1,
    },
    "penalty": {"weight": 0.05, "unit": 250000, "pruning": "article"},
}
EPOCHS = 6


class PaperCurve:
    """A curve whose accuracies follow from a hash of its name; stored in one JSON file."""

    epochs_trained = 0
    die_after: int | None = None
    seconds_an_epoch = 0.0

    def __init__(self, store: Path, kinds: Sequence[str], replicate: int) -> None:
        self.kinds, self.replicate = tuple(kinds), replicate
        self.name = f"{'-'.join(kinds)}_{replicate}"
        self.identity = {"kinds": list(kinds)}
        self.path = store / f"{self.name}.json"
        self.ended: Ended | None = None

    def read(self) -> dict[str, Any]:
        return read_json(self.path) if self.path.is_file() else {"records": []}

    def required(self, last: int) -> list[dict[str, Any]]:
        return self.read()["records"][:last]

    def epochs(self, last: int, trained_for: str = ""):
        hashed = hashlib.sha256(self.name.encode()).digest()
        final = 0.3 + 0.5 * hashed[0] / 255
        for epoch in range(1, last + 1):
            state = self.read()
            if len(state["records"]) < epoch:
                if PaperCurve.epochs_trained == PaperCurve.die_after:
                    os.kill(os.getpid(), signal.SIGKILL)
                PaperCurve.epochs_trained += 1
                time.sleep(PaperCurve.seconds_an_epoch)
                accuracy = final * epoch / (epoch + 1) + hashed[epoch] / 255 / 50
                state["records"].append(
                    {
                        "epoch": epoch,
                        "loss": 1 - accuracy,
                        "train_accuracy": accuracy,
                        "test_loss": 1 - accuracy,
                        "test_accuracy": accuracy,
                        "seconds": 1.0,
                        "images_per_second": 1.0,
                        "trained_for": trained_for,
                        "device": "cpu",
                    }
                )
                write_json(self.path, state)
            yield state["records"][epoch - 1]


def search(
    folder: Path,
    store: Path | None = None,
    *,
    name: str = "penalised",
    storage: str = "journal",
    workers: int = 1,
    **changes: Any,
) -> Search:
    """Make the example's study, with changes to its settings."""
    curves = store or folder / "curves"

    def make_curve(kinds: Sequence[str], replicate: int) -> PaperCurve:
        return PaperCurve(curves, kinds, replicate)

    return Search(
        name,
        {**SETTINGS, **changes},
        EPOCHS,
        workers,
        storage,
        folder / "studies",
        make_curve,
        models.parameters,
    )


if __name__ == "__main__":
    folder, storage, trials = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    if len(sys.argv) > 4:
        PaperCurve.die_after = int(sys.argv[4])
    search(folder, storage=storage, trials=trials).work()
