"""The store of learning curves: a folder with one subfolder per curve."""

import logging
import shutil
import time
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any

from convstudy.core.files import read_sealed
from convstudy.core.locks import waiting_for
from convstudy.layers.networks import Networks
from convstudy.training.curve import Curve
from convstudy.training.record import summarise

logger = logging.getLogger(__name__)


def single_kind_curves(
    config: Mapping[str, Any], store: Path, dataset: Any
) -> Generator[Curve, None, None]:
    """Yield the curves of a config's single-kind networks, with all replicates of each in turn.

    Args:
        config: The config.
        store: Folder of all curves.
        dataset: Images and labels; the ``digest`` is enough to get the curves' names.
    """
    training = config["training"]
    for kinds in Networks.of(config["model"]).single_kind().values():
        for replicate in range(training["replicates"]):
            epochs = training["epochs"]
            yield Curve(store, kinds, replicate, config["model"], training, epochs, dataset)


def stored(store: Path) -> list[dict[str, Any]]:
    """List the stored curves, oldest first: name, epochs, best accuracy, bytes, age in days."""
    rows = []
    for path in sorted(store.glob("*/curve.json"), key=lambda path: path.stat().st_mtime):
        try:
            records = read_sealed(path)["records"]
        except ValueError as error:
            logger.warning("%s is damaged (%s)", path, error)
            records = []
        summary = summarise(records)
        rows.append(
            {
                "name": path.parent.name,
                "epochs": summary["epochs"],
                "test_accuracy_best": summary["test_accuracy_best"],
                "seconds": summary["seconds"],
                "bytes": sum(file.stat().st_size for file in path.parent.iterdir()),
                "days": (time.time() - path.stat().st_mtime) / 86400,
            }
        )
    return rows


def prune(store: Path, days: float, checkpoints_only: bool) -> int:
    """Remove curves that have not been extended for some days, and return the bytes freed.

    Args:
        store: Folder of all curves.
        days: Minimum age of the curves to remove.
        checkpoints_only: Keep the records; a curve is then trained again only if more epochs are
            requested.
    """
    freed = 0
    for row in stored(store):
        folder = store / row["name"]
        if row["days"] < days:
            continue
        with waiting_for(folder, f"the curve {folder.name}"):
            paths = list(folder.glob("*.keras")) if checkpoints_only else list(folder.iterdir())
            freed += sum(path.stat().st_size for path in paths)
            for path in paths:
                path.unlink()
            if not checkpoints_only:
                shutil.rmtree(folder)
    return freed
