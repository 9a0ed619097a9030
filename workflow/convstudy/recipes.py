"""Recipes: several ways of training, since the article does not state its own.

A recipe is what the config's ``training`` section would change for it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from convstudy import article, stats
from convstudy.layers import KINDS
from convstudy.settings import merged
from convstudy.training.record import summarise


def training(config: Mapping[str, Any], recipe: str) -> dict[str, Any]:
    """Give the ``training`` section as a recipe changes it."""
    return merged(config["training"], config["recipes"]["compared"][recipe])


def is_plain(settings: Mapping[str, Any]) -> bool:
    """Tell whether training settings could be the article's, whose imports show no more."""
    return settings["augmentation"] == "none" and not settings["label_smoothing"]


def tabulate(descriptions: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Collect the trainings in a row each.

    Args:
        descriptions: What `Curve.describe` gives, with ``recipe``, ``plain`` (see `is_plain`),
            ``model`` (the kind) and ``parameters``.
    """
    return pd.DataFrame(
        {
            "recipe": one["recipe"],
            "plain": one["plain"],
            "kind": one["model"],
            "replicate": one["replicate"],
            "parameters": one["parameters"],
            **summarise(one["records"]),
            "test_images": one["test_images"],
            "device": one["device"],
        }
        for one in descriptions
    )


def compare(trainings: pd.DataFrame) -> pd.DataFrame:
    """Compare each recipe's accuracies with the article's.

    Args:
        trainings: See `tabulate`.

    Returns:
        A row a recipe and kind, the recipe that comes closest first: ``recipe``, ``plain``,
        ``kind``, ``label``, ``parameters``, ``replicates``, ``mean`` (of the best test accuracy
        over epochs), ``low``, ``high`` (Wilson's 95 % interval at the mean), ``mean_last``,
        ``article``, ``difference``, and ``distance``: the root mean square of the recipe's three.
    """
    rows = []
    for (recipe, kind), mine in trainings.groupby(["recipe", "kind"], sort=False):
        mean = mine["test_accuracy_best"].mean()
        low, high = stats.wilson(mean, int(mine["test_images"].iloc[0]))
        rows.append(
            {
                "recipe": recipe,
                "plain": bool(mine["plain"].iloc[0]),
                "kind": kind,
                "label": KINDS[kind].label,
                "parameters": int(mine["parameters"].iloc[0]),
                "replicates": len(mine),
                "mean": mean,
                "low": low,
                "high": high,
                "mean_last": mine["test_accuracy_last"].mean(),
                "article": article.accuracies().get(kind),
            }
        )
    table = pd.DataFrame(rows)
    table["difference"] = table["mean"] - table["article"]
    squares = (table["difference"] ** 2).groupby(table["recipe"])
    table["distance"] = squares.transform("mean") ** 0.5
    return table.sort_values(["distance", "recipe"], kind="stable").reset_index(drop=True)
