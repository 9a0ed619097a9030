"""A study on curves that cost nothing; run as a program, it can kill itself after some epochs.

python -m helpers.search FOLDER STORAGE TRIALS [--worker N] [--workers N] [--die-after EPOCHS]
                         [--seconds-an-epoch S] [--sampler NAME]
"""

import argparse
import hashlib
import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from convstudy.core import signals
from convstudy.core.files import write_text
from convstudy.layers.networks import ARTICLE
from convstudy.search.study import Search
from convstudy.training.curve import Curve

from helpers import training as training_example

SETTINGS: dict[str, Any] = {
    "trials": 14,
    "seed": 5,
    "sampler": {"name": "tpe", "startup_trials": 4, "multivariate": True, "constant_liar": True},
    "pruner": {"name": "median", "startup_trials": 3, "warmup_steps": 0},
    "penalty": {"weight": 0.05, "unit": 250000, "pruning": "article"},
}
SAMPLERS = {name: {**SETTINGS["sampler"], "name": name} for name in ("tpe", "tpe_optuna_0_5")}
# No penalty: the objective is accuracy alone.
PENALTY = {"weight": 0.0, "unit": 1, "pruning": "article"}
EPOCHS = 6


class PaperCurve(Curve):
    """A curve in the real store, with accuracies derived from a hash of its name.

    Every trained epoch is logged in ``trained.log`` beside the store.
    """

    epochs_trained = 0
    die_after: int | None = None
    seconds_an_epoch = 0.0

    def __init__(self, store: Path, kinds: Sequence[str], replicate: int) -> None:
        super().__init__(
            store,
            kinds,
            replicate,
            training_example.MODEL,
            training_example.TRAINING,
            EPOCHS,
            training_example.DATASET,
        )
        self.store = store

    def _continue(self, state: dict[str, Any]) -> Any:
        self._device = "paper"
        self._tidy(state)
        return PaperTrainer(self, len(state["records"]))


class PaperTrainer:
    """Stands in for a network in training."""

    def __init__(self, curve: PaperCurve, epoch: int) -> None:
        self.curve = curve
        self.epoch = epoch

    def train_epoch(self) -> dict[str, Any]:
        if PaperCurve.epochs_trained == PaperCurve.die_after:
            os.kill(os.getpid(), signal.SIGKILL)
        PaperCurve.epochs_trained += 1
        time.sleep(PaperCurve.seconds_an_epoch)
        self.epoch += 1
        signals.stop_if_asked(f"in epoch {self.epoch}")
        with (self.curve.store.parent / "trained.log").open("a") as log:
            log.write(f"{self.curve.name} {self.epoch}\n")
        accuracy = self.accuracy(self.curve.network.split("-"), self.curve.replicate, self.epoch)
        return {
            "epoch": self.epoch,
            "loss": 1 - accuracy,
            "train_accuracy": accuracy,
            "test_loss": 1 - accuracy,
            "test_accuracy": accuracy,
            "learning_rate": 0.1,
            "seconds": 1.0,
            "images_per_second": 1.0,
        }

    @staticmethod
    def accuracy(kinds: Sequence[str], replicate: int, epoch: int) -> float:
        """Compute a rising curve from a hash of the network's name."""
        hashed = hashlib.sha256("-".join(kinds).encode()).digest()
        final = 0.3 + 0.5 * hashed[0] / 255
        return final * epoch / (epoch + 1) + hashed[replicate + epoch] / 255 / 50

    def save(self, path: Path) -> None:
        write_text(path, f"{self.epoch}")


def search(
    folder: Path,
    store: Path | None = None,
    *,
    name: str = "penalised",
    storage: str = "journal",
    workers: int = 1,
    **changes: Any,
) -> Search:
    """Create the example study, with changes to its settings."""
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
        ARTICLE.space,
        make_curve,
        ARTICLE.parameters,
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("storage")
    parser.add_argument("trials", type=int)
    parser.add_argument("--worker", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--die-after", type=int)
    parser.add_argument("--seconds-an-epoch", type=float, default=0.0)
    parser.add_argument("--sampler", choices=SAMPLERS, default="tpe")
    given = parser.parse_args()
    PaperCurve.die_after = given.die_after
    PaperCurve.seconds_an_epoch = given.seconds_an_epoch
    signals.install()
    search(
        given.folder,
        storage=given.storage,
        workers=given.workers,
        trials=given.trials,
        sampler=SAMPLERS[given.sampler],
    ).run_worker(given.worker)
