"""Honest accuracy: what the choice of the epoch on the test images adds, and what differences hold.

The article reports the epoch that does best on the test images. The same images then choose and
judge, which flatters. Three ways to see by how much: the last epoch, chosen before training; the
best epoch on validation images; and the best epoch on one half of the test images, judged by the
other half.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from convstudy import stats
from convstudy.training.record import best_epoch, unpack

# The article's choice, with which the others are compared.
ON_TEST = "best epoch on test"
LAST = "last epoch"
ON_VALIDATION = "best epoch on validation"
ON_HALF = "best epoch on half of test, judged by the other half"
# Random halves of the test images.
HALVES = 100


def chosen_epochs(records: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Give the epoch, from 1, that each way of choosing takes of a curve."""
    choices = {
        ON_TEST: best_epoch(records, "test_accuracy"),
        LAST: len(records),
        ON_VALIDATION: best_epoch(records, "validation_accuracy"),
    }
    return {choice: epoch for choice, epoch in choices.items() if epoch}


def choose(descriptions: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Give each training's test accuracy under each way of choosing its epoch.

    Args:
        descriptions: What `Curve.describe` gives, with ``model``.

    Returns:
        ``model``, ``replicate``, ``selection``, ``epoch`` (empty for the halves, each of which
        chooses its own), ``test_accuracy``, and ``flattery``: by how much the article's choice
        shows more than this one.
    """
    rows = []
    for one in descriptions:
        records = one["records"]
        if not records:
            continue
        which = {"model": one["model"], "replicate": one["replicate"]}
        on_test = max(record["test_accuracy"] for record in records)
        for selection, epoch in chosen_epochs(records).items():
            accuracy = records[epoch - 1]["test_accuracy"]
            rows.append((*which.values(), selection, epoch, accuracy, on_test - accuracy))
        shown, judged = halves(right_images(one))
        rows.append((*which.values(), ON_HALF, None, judged, shown - judged))
    columns = [*which, "selection", "epoch", "test_accuracy", "flattery"]
    return pd.DataFrame(rows, columns=columns).astype({"epoch": "Int64"})


def right_images(description: Mapping[str, Any]) -> np.ndarray:
    """Give which test images were right after each epoch, (epochs, images) of bool."""
    images = description["test_images"]
    return np.array([unpack(record["test_right"], images) for record in description["records"]])


def halves(right: np.ndarray, splits: int = HALVES) -> tuple[float, float]:
    """Choose the best epoch on a random half of the images, and judge it by the other half.

    Args:
        right: (epochs, images) of bool. Which images were right after each epoch.
        splits: Random halves to average over.

    Returns:
        shown, judged: Mean accuracy of the chosen epoch on the half that chose it, and on the other
            one.
    """
    rng = np.random.default_rng(0)
    images = right.shape[1]
    half = images // 2
    shown = judged = 0.0
    for _ in range(splits):
        order = rng.permutation(images)
        first = right[:, order[:half]].mean(axis=1)
        epoch = first.argmax()
        shown += first[epoch]
        judged += right[epoch, order[half:]].mean()
    return shown / splits, judged / splits


def summarise(choices: pd.DataFrame) -> pd.DataFrame:
    """Give the mean accuracy of each way of choosing, and how much the article's shows more.

    Args:
        choices: See `choose`.

    Returns:
        ``selection``, ``models``, ``trainings``, ``mean``, ``difference`` (the article's choice
        minus this one; for the halves, the half that chose minus the half that judges), and its 95
        % interval ``low``, ``high``: a bootstrap over models, since trainings of the same model are
        alike.
    """
    rows = []
    for selection in dict.fromkeys(choices["selection"]):
        mine = choices[choices["selection"] == selection]
        flattery = mine.groupby("model")["flattery"].mean().to_numpy()
        low = high = np.nan
        if len(flattery) > 1 and selection != ON_TEST:
            low, high = stats.bootstrap_mean(flattery)
        rows.append(
            {
                "selection": selection,
                "models": len(flattery),
                "trainings": len(mine),
                "mean": mine["test_accuracy"].mean(),
                "difference": flattery.mean(),
                "low": low,
                "high": high,
            }
        )
    return pd.DataFrame(rows)


def compare(descriptions: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Compare the accuracies of models pair by pair, on the same images and seeds.

    Args:
        descriptions: What `Curve.describe` gives, with ``model``; of replicates that only one of
            two models has, nothing is compared.

    Returns:
        ``first``, ``second``, ``selection``, ``replicates``, ``images``, ``difference`` (of mean
        test accuracies), its 95 % interval ``low``, ``high``, and ``clear``: whether the interval
        leaves out zero; see `stats.bootstrap_paired`.
    """
    by_model: dict[str, list[Mapping[str, Any]]] = {}
    for one in sorted(descriptions, key=lambda one: one["replicate"]):
        if one["records"]:
            by_model.setdefault(one["model"], []).append(one)
    rows = []
    for first, second in combinations(by_model, 2):
        known = [{one["replicate"] for one in by_model[model]} for model in (first, second)]
        shared = known[0] & known[1]
        both = [
            [one for one in by_model[model] if one["replicate"] in shared]
            for model in (first, second)
        ]
        for selection in (ON_TEST, LAST, ON_VALIDATION):
            chosen = [_right_where_chosen(trainings, selection) for trainings in both]
            if all(len(right) for right in chosen):
                which = {"first": first, "second": second, "selection": selection}
                rows.append({**which, **_paired(*chosen)})
    return pd.DataFrame(rows)


def _right_where_chosen(trainings: Sequence[Mapping[str, Any]], selection: str) -> np.ndarray:
    """Give the right images of each replicate at its chosen epoch; none if one has no such."""
    epochs = [chosen_epochs(one["records"]).get(selection) for one in trainings]
    return np.array(
        [
            unpack(one["records"][epoch - 1]["test_right"], one["test_images"])
            for one, epoch in zip(trainings, epochs, strict=True)
            if epoch is not None and None not in epochs
        ]
    )


def _paired(first: np.ndarray, second: np.ndarray) -> dict[str, Any]:
    """Compare two models' right images, (replicates, images) of bool."""
    gain = first.astype(np.int8) - second.astype(np.int8)
    low, high = stats.bootstrap_paired(gain)
    return {
        "replicates": gain.shape[0],
        "images": gain.shape[1],
        "difference": gain.mean(),
        "low": low,
        "high": high,
        "clear": bool(low > 0 or high < 0),
    }
