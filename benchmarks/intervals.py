"""How often intervals cover what they speak of, in worlds that are known, for docs/statistics.md.

python benchmarks/intervals.py

It writes docs/performance/coverage.csv and the table in docs/statistics.md, in seconds.
"""

from collections.abc import Iterator
from itertools import product
from math import sqrt

import numpy as np
import pandas as pd
from convstudy import stats
from convstudy.files import write_csv, write_text
from document import ROOT, markdown, with_parts

TABLE = ROOT / "docs/performance/coverage.csv"
DOCUMENT = ROOT / "docs/statistics.md"
RUNS = 4000
IMAGES = 10_000
# Accuracies of three models: as in the article, close to each other, and equal.
ACCURACIES = {
    "as in the article": (0.877, 0.774, 0.843),
    "close": (0.845, 0.84, 0.835),
    "equal": (0.84, 0.84, 0.84),
}
# The variance between runs, in that of independent errors in the images: as these make it, half of
# it, as recorded at the article's scale on a GPU (1.4 on the average), and apart between models.
SPREADS = {
    "independent": (1.0, 1.0, 1.0),
    "half": (0.5, 0.5, 0.5),
    "as recorded": (1.4, 1.4, 1.4),
    "apart": (1.7, 1.4, 1.1),
}
REPLICATES = (3, 5, 10)


def worlds() -> Iterator[tuple[str, str, int]]:
    """Name all worlds: accuracies, spreads, replicates."""
    yield from product(ACCURACIES, SPREADS, REPLICATES)


def runs(accuracies: str, spreads: str, replicates: int, number: int, seed: int) -> np.ndarray:
    """Draw accuracies of trainings, (runs, models, replicates and one more)."""
    rng = np.random.default_rng(seed)
    means, ratios = np.array(ACCURACIES[accuracies]), np.array(SPREADS[spreads])
    deviations = np.sqrt(ratios * means * (1 - means) / IMAGES)
    noise = rng.normal(size=(number, len(means), replicates + 1))
    return means[:, None] + deviations[:, None] * noise


def predicted(accuracies: str, spreads: str, replicates: int, number: int = RUNS) -> pd.DataFrame:
    """Say how often one more training lies where `stats.prediction_half_width` has it."""
    # Each world has draws of its own.
    seed = list(worlds()).index((accuracies, spreads, replicates))
    drawn = runs(accuracies, spreads, replicates, number, seed)
    trained, other = drawn[..., :-1], drawn[..., -1]
    means = trained.mean(axis=-1)
    halves = stats.prediction_half_width(
        means, trained.var(axis=-1, ddof=1), np.full(means.shape[-1], replicates)
    )
    covers = np.abs(means - other) <= halves
    return pd.DataFrame(
        {
            "interval": "one more training",
            "model": range(covers.shape[-1]),
            "coverage": covers.mean(axis=0),
            "half_width": halves.mean(axis=0),
            "runs": number,
        }
    )


def least(number: int) -> float:
    """Give the coverage that a method must show in these runs: 93 %, less two errors of it."""
    return 0.93 - 2 * sqrt(0.93 * 0.07 / number)


def measure() -> pd.DataFrame:
    """Measure all worlds."""
    parts = []
    for accuracies, spreads, replicates in worlds():
        which = {"accuracies": accuracies, "spread": spreads, "replicates": replicates}
        parts.append(predicted(accuracies, spreads, replicates).assign(**which))
        print(*which.values(), flush=True)
    return pd.concat(parts, ignore_index=True)


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Give coverage and width, a row an interval and number of replicates."""
    rows = []
    for (interval, replicates), part in table.groupby(["interval", "replicates"], sort=False):
        coverage = part["coverage"]
        rows.append(
            {
                "interval": interval,
                "replicates": replicates,
                "coverage, mean of worlds and models": f"{coverage.mean():.1%}",
                "least and greatest": f"{coverage.min():.1%} to {coverage.max():.1%}",
                "half-width, points": f"{100 * part['half_width'].mean():.2f}",
            }
        )
    return pd.DataFrame(rows)


def rendered() -> str:
    """Put the table into the document's text."""
    text = DOCUMENT.read_text(encoding="utf-8")
    return with_parts(text, {"coverage": markdown(summary(pd.read_csv(TABLE)))})


if __name__ == "__main__":
    write_csv(TABLE, measure().round(6))
    write_text(DOCUMENT, rendered())
