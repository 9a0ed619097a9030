"""The tables that compare recorded runs with the article."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from convstudy.analyses.epoch_selection.numbers import HALVES, right_images
from convstudy.core.files import read_json, write_csv
from convstudy.results import reference_runs
from convstudy.results.accuracies import against_article, one_more_training
from convstudy.results.reference_runs import CURVES
from convstudy.results.run import Results
from convstudy.training.record import load_description, machines

COLUMNS = (
    "run images precision kind label article replicates mean low high difference difference_low"
    " difference_high mean_last flattery device seconds"
)


def write_tables(results: Results, folder: Path) -> None:
    """Write ``runs.csv`` and ``article_scale.csv``, if the run's networks are the article's."""
    if results.networks.is_article:
        runs = reference_runs.tabulate(results, reference_runs.runs(results.folder))
        write_csv(folder / "runs.csv", runs)
        scale = article_scale(reference_runs.at_article_scale(results.folder))
        write_csv(folder / "article_scale.csv", scale)


def article_scale(recorded: Sequence[Results]) -> pd.DataFrame:
    """Compare each recorded run with the article, kind by kind.

    Args:
        recorded: See `reference_runs.at_article_scale`.

    Returns:
        One row per run and kind, in the article's order of accuracy: ``run``, ``images`` (how
        they are stored), ``precision``, columns of `against_article`, ``difference_low`` and
        ``difference_high`` (where one more training would lie, minus the article's, see
        `one_more_training`),
        ``flattery`` (mean over trainings, see `flattery`), ``device``, ``seconds`` (mean of a
        training).
    """
    rows = [row for run in recorded for row in _compared(run)]
    return pd.DataFrame(rows, columns=COLUMNS.split())


def _compared(run: Results) -> list[dict[str, Any]]:
    name = read_json(run.folder / "reference.json")["name"]
    half = one_more_training(run.training)["half"]
    found = []
    for kind, trainings in run.training.groupby("kind"):
        compared = against_article(str(kind), run.networks, trainings)
        curves = [
            load_description(str(run.folder / CURVES / f"{kind}_{replicate}.json"))
            for replicate in trainings["replicate"]
        ]
        epochs = [epoch for curve in curves for epoch in curve["records"]]
        found.append(
            {
                **compared,
                "run": name,
                "images": run.data["encoding"].upper(),
                "precision": ", ".join(sorted({epoch["matmul_precision"] for epoch in epochs})),
                "difference_low": compared["difference"] - half[kind],
                "difference_high": compared["difference"] + half[kind],
                "flattery": np.mean([flattery(right_images(curve)) for curve in curves]),
                "device": machines(epochs),
                "seconds": trainings["seconds"].mean(),
            }
        )
    return sorted(found, key=lambda row: -row["article"])


def flattery(right: np.ndarray) -> float:
    """Return what choosing the epoch on half of the images adds there, compared with the others.

    It is that of `epoch_selection.numbers.halves`, for all images and without its error.

    Args:
        right: (epochs, images) of bool. Which images were right after each epoch.
    """
    rng, images = np.random.default_rng(0), right.shape[1]
    first = np.zeros((images, HALVES), np.float32)
    for half in range(HALVES):
        first[rng.permutation(images)[: images // 2], half] = 1
    # Counts, which float32 represents exactly.
    chosen_on = right.astype(np.float32) @ first
    judged_on = right.sum(axis=1, keepdims=True) - chosen_on
    best = chosen_on.argmax(axis=0), np.arange(HALVES)
    size = images // 2
    return float((chosen_on[best] / size - judged_on[best] / (images - size)).mean())
