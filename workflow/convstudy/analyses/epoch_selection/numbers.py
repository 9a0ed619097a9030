"""Honest accuracy: how much choosing the epoch on the test images adds, and which differences hold.

The article reports the epoch that does best on the test images. Choosing and judging on the same
images inflates the accuracy. Three comparisons show by how much: the last epoch, fixed before
training; the best epoch on validation images; and the best epoch on one half of the test images,
judged on the other half. A study that reports its best trial also chooses among many networks.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from convstudy.stats import intervals
from convstudy.training.record import best_epoch, unpack

# The article's choice, to which the others are compared.
ON_TEST = "best epoch on test"
LAST = "last epoch"
ON_VALIDATION = "best epoch on validation"
ON_HALF = "best epoch on half of test, judged by the other half"
# What a study does when it reports its best trial.
BEST_OF_ALL = "best network and epoch on half of test, judged by the other half"
IDS = {
    ON_TEST: "test",
    LAST: "last",
    ON_VALIDATION: "validation",
    ON_HALF: "half",
    BEST_OF_ALL: "best_of_all",
}
# Random halves of the test images.
HALVES = 100
# Groups of images, each left out once to estimate the variation due to the images.
GROUPS = 20


def chosen_epochs(records: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Return the epoch of a curve, from 1, that each way of choosing picks."""
    choices = {
        ON_TEST: best_epoch(records, "test_accuracy"),
        LAST: len(records),
        ON_VALIDATION: best_epoch(records, "validation_accuracy"),
    }
    return {choice: epoch for choice, epoch in choices.items() if epoch}


def measure(
    kinds: Sequence[Mapping[str, Any]], modules: Sequence[Mapping[str, Any]]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Compute each training's test accuracy for each way of choosing its epoch, and summarise.

    Args:
        kinds, modules: Results of `Curve.describe`, with ``model``.

    Returns:
        choices: ``model``, ``replicate``, ``selection``, ``epoch`` (empty for the halves, each of
            which chooses its own), ``test_accuracy``, and ``flattery``: how much higher the
            article's choice is than this one; for the halves, how much higher the half that chose
            is than the half that judges. For `BEST_OF_ALL`, one row per replicate of all modules.
        summary: ``id`` (of `IDS`), ``selection``, ``models``, ``trainings``, ``mean`` and
            ``difference`` (means of accuracy and flattery), and the latter's 95 % interval
            ``low``, ``high``, over new trainings and new images, with its standard
            ``error`` and degrees of freedom ``dof``: see `error_of`.
    """
    seen = []
    for one in [*kinds, *modules]:
        if one["records"]:
            chosen = chosen_epochs(one["records"])
            judged = judge(right_images(one), chosen)
            seen += [
                (one["model"], one["replicate"], selection, chosen.get(selection), *found)
                for selection, found in judged.items()
            ]
    for replicate in sorted({one["replicate"] for one in modules}):
        trained = [one for one in modules if one["replicate"] == replicate and one["records"]]
        together = np.concatenate([right_images(one) for one in trained])
        seen.append(("all modules", replicate, BEST_OF_ALL, None, *halves(together)))
    columns = ["model", "replicate", "selection", "epoch", "test_accuracy", "flattery"]
    choices = pd.DataFrame(
        [(*which, accuracy[0], flattery[0]) for *which, accuracy, flattery in seen], columns=columns
    ).astype({"epoch": "Int64"})
    rows = []
    for selection, mine in choices.groupby("selection", sort=False):
        flattery = np.array([seen[place][-1] for place in mine.index])
        models = mine.reset_index(drop=True).groupby("model", sort=False).indices
        difference, error, dof = error_of([flattery[places] for places in models.values()])
        found = (*intervals.t_interval(difference, error, dof), error, dof)
        ends = (np.nan, np.nan, np.nan, np.nan) if selection == ON_TEST else found
        about = (selection, len(models), len(mine), mine["test_accuracy"].mean())
        rows.append((*about, difference, *ends))
    names = [
        "selection",
        "models",
        "trainings",
        "mean",
        "difference",
        "low",
        "high",
        "error",
        "dof",
    ]
    summary = pd.DataFrame(rows, columns=names)
    summary.insert(0, "id", summary["selection"].map(IDS))
    return choices, summary


def right_images(description: Mapping[str, Any]) -> np.ndarray:
    """Return which test images were right after each epoch, (epochs, images) of bool."""
    images = description["test_images"]
    return np.array([unpack(record["test_right"], images) for record in description["records"]])


def error_of(models: Sequence[np.ndarray]) -> tuple[float, float, float]:
    """Return the mean over models, its standard error over new trainings and images, and dof.

    The accuracy at an epoch that the images chose is not a mean over images. So each group of
    images is left out once, and the changes take the place of images in `intervals.crossed_error`
    (the jackknife: R. G. Miller, Biometrika 61, 1, 1974).

    Args:
        models: For each model (replicates, 1 + groups): all images, then without each group.
    """
    groups = models[0].shape[1] - 1
    # Centred on the value for all images.
    values = [
        one[:, :1] + (groups - 1) * (one[:, 1:].mean(axis=1, keepdims=True) - one[:, 1:])
        for one in models
    ]
    return intervals.crossed_error(values, [1 / len(models)] * len(models))


def _grouped(right: np.ndarray, part: np.ndarray) -> np.ndarray:
    """Return accuracies on a subset of the images, and on the subset without each group.

    Args:
        right: (..., epochs, images).
        part: (images,) of bool.

    Returns:
        (..., epochs, 1 + groups).
    """
    images = right.shape[-1]
    member = np.zeros((images, GROUPS), np.float32)
    member[np.arange(images), np.random.default_rng(1).permutation(images) % GROUPS] = part
    # Integers, which float32 represents exactly.
    counts, sizes = (right @ member).astype(float), member.sum(axis=0).astype(float)
    whole, size = counts.sum(axis=-1, keepdims=True), sizes.sum()
    return np.concatenate([whole / size, (whole - counts) / (size - sizes)], axis=-1)


def judge(
    right: np.ndarray, chosen: Mapping[str, int], splits: int = HALVES
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return accuracy and flattery of each way of choosing, for all images and without each group.

    Args:
        right: (epochs, images) of bool.
        chosen: The epochs of `chosen_epochs`.
        splits: See `halves`.
    """
    accuracies = _grouped(right.astype(np.float32), np.ones(right.shape[1], bool))
    shown = accuracies.max(axis=0)
    found = {
        selection: accuracies[epoch - 1] if selection != ON_TEST else shown
        for selection, epoch in chosen.items()
    }
    judged = {selection: (accuracy, shown - accuracy) for selection, accuracy in found.items()}
    return judged | {ON_HALF: halves(right, splits)}


def halves(right: np.ndarray, splits: int = HALVES) -> tuple[np.ndarray, np.ndarray]:
    """Choose the best epoch on a random half of the images and judge it on the other half.

    Args:
        right: (..., epochs, images) of bool. Which images were right after each epoch, for one
            training or several that compete.
        splits: Random halves to average over.

    Returns:
        accuracy, flattery: Mean accuracy of the chosen epoch on the half that judges, and how
            much higher it is on the half that chose; (..., 1 + groups): for all images, and without
            each group.
    """
    rng = np.random.default_rng(0)
    right, images = right.astype(np.float32), right.shape[-1]
    accuracy, flattery = np.zeros((2, *right.shape[:-2], 1 + GROUPS))
    for _ in range(splits):
        first = np.zeros(images, bool)
        first[rng.permutation(images)[: images // 2]] = True
        choosing, judging = _grouped(right, first), _grouped(right, ~first)
        epoch = choosing.argmax(axis=-2, keepdims=True)
        shown, judged = (
            np.take_along_axis(one, epoch, -2).squeeze(-2) for one in (choosing, judging)
        )
        accuracy += judged / splits
        flattery += (shown - judged) / splits
    return accuracy, flattery


def compare(descriptions: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Compare the accuracies of models in pairs, on the same images.

    Args:
        descriptions: Results of `Curve.describe`, with ``model``.

    Returns:
        ``first``, ``second``, ``selection``, ``replicates`` (of the model with fewer),
        ``images``, ``difference`` (of mean test accuracies), its 95 % interval ``low``, ``high``
        (see `intervals.crossed`), and ``clear``: whether the interval leaves out zero.
    """
    by_model: dict[str, list[Mapping[str, Any]]] = {}
    for one in descriptions:
        if one["records"]:
            by_model.setdefault(one["model"], []).append(one)
    rows = []
    for first, second in combinations(by_model, 2):
        for selection in (ON_TEST, LAST, ON_VALIDATION):
            both = [_right_where_chosen(by_model[name], selection) for name in (first, second)]
            if all(len(right) for right in both):
                difference, low, high = intervals.crossed(both, (1, -1))
                numbers = min(map(len, both)), both[0].shape[1], difference, low, high
                rows.append((first, second, selection, *numbers, low > 0 or high < 0))
    columns = ["first", "second", "selection", "replicates", "images", "difference"]
    return pd.DataFrame(rows, columns=[*columns, "low", "high", "clear"])


def _right_where_chosen(trainings: Sequence[Mapping[str, Any]], selection: str) -> np.ndarray:
    """Return the right images of each replicate at its chosen epoch, or none if any lacks one."""
    epochs = [chosen_epochs(one["records"]).get(selection) for one in trainings]
    return np.array(
        [
            unpack(one["records"][epoch - 1]["test_right"], one["test_images"])
            for one, epoch in zip(trainings, epochs, strict=True)
            if epoch is not None and None not in epochs
        ]
    )
