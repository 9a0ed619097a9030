"""A made-up table of modules, in the format of the real one, with a known best module."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from convstudy.layers.networks import ARTICLE
from convstudy.training.record import pack

BEST = "conv-separable-conv"
SKILL = {"conv": 0.70, "depthwise": 0.50, "separable": 0.66}
WIDTH = 0.25
IMAGES = 1000
# `BEST` is better than all others by at least 0.02.
ACCURACIES = {
    module: 0.75 if module == BEST else float(np.mean([SKILL[kind] for kind in kinds]))
    for module, kinds in ARTICLE.modules().items()
}


def made_up(
    replicates: int = 3,
    epochs: int = 4,
    noise: float = 0.0,
    seed: int = 0,
    accuracies: Mapping[str, float | Sequence[float]] = ACCURACIES,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return ``table.csv`` and ``curves.csv``.

    Args:
        noise: Standard deviation between replicates; it shifts whole curves.
        accuracies: Accuracy after the last epoch, which is also the best: one for all replicates
            of a module, or one for each.
    """
    rng = np.random.default_rng(seed)
    rows, curves = [], []
    for module, accuracy in accuracies.items():
        kinds = module.split("-")
        layers = dict(zip(ARTICLE.positions, kinds, strict=True))
        sizes = {"parameters": ARTICLE.parameters(kinds, WIDTH), "macs": 1}
        for replicate, last in enumerate(np.broadcast_to(accuracy, replicates)):
            values = last + noise * rng.normal() + 0.1 / epochs - 0.1 / np.arange(1, epochs + 1)
            which = {"module": module, **layers, "replicate": replicate, **sizes}
            ending = {"test_accuracy_best": values.max(), "test_accuracy_last": values[-1]}
            right = pack(np.arange(IMAGES) < round(IMAGES * values[-1]))
            right_images = {"right_best": right, "right_last": right, "test_images": IMAGES}
            rows.append({**which, **ending, "status": "finished", **right_images})
            curves += [
                {**which, "epoch": epoch, "test_accuracy": value}
                for epoch, value in enumerate(values, start=1)
            ]
    return pd.DataFrame(rows), pd.DataFrame(curves)
