"""A layer kind's accuracy beside the article's."""

from typing import Any

import pandas as pd

from convstudy.article import facts
from convstudy.layers.kinds import KINDS
from convstudy.stats import intervals
from convstudy.training import record


def against_article(kind: str, trainings: pd.DataFrame) -> dict[str, Any]:
    """Compare the trainings of a single-kind network with the article's accuracy.

    Returns:
        ``kind``, ``label``, ``parameters``, ``replicates``, ``mean``, ``lowest``, ``highest`` (of
        the best test accuracy over epochs), ``low``, ``high`` (the mean's 95 % interval, see
        `intervals.accuracy_interval`), ``mean_last`` (after the last epoch), ``article``,
        ``difference``.
    """
    best = trainings["test_accuracy_best"]
    low, high = intervals.accuracy_interval(record.right(trainings, "test_accuracy_best"))
    printed = facts.accuracies()[kind]
    return {
        "kind": kind,
        "label": KINDS[kind].label,
        "parameters": int(trainings["parameters"].iloc[0]),
        "replicates": len(trainings),
        "mean": best.mean(),
        "lowest": best.min(),
        "highest": best.max(),
        "low": low,
        "high": high,
        "mean_last": trainings["test_accuracy_last"].mean(),
        "article": printed,
        "difference": best.mean() - printed,
    }
