"""Recipes: several ways of training, since the article does not state its own.

A recipe is a set of changes to the config's ``training`` section.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from convstudy.layers.networks import Networks
from convstudy.results.accuracies import against_article
from convstudy.training import record


def is_plain(settings: Mapping[str, Any]) -> bool:
    """Check whether training settings could be the article's, judging by its imports."""
    return settings["augmentation"] == "none" and not settings["label_smoothing"]


def tabulate(descriptions: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Tabulate the trainings, one row each.

    Args:
        descriptions: Results of `Curve.describe`, with ``recipe``, ``plain`` (see `is_plain`),
            ``model`` (the kind) and ``parameters``.
    """

    def about(one: Mapping[str, Any]) -> dict[str, Any]:
        first = {"recipe": one["recipe"], "plain": one["plain"], "kind": one["model"]}
        return {**first, "replicate": one["replicate"], "parameters": one["parameters"]}

    return record.tabulate(descriptions, about, ("device", "curve"))


def compare(trainings: pd.DataFrame, networks: Networks) -> pd.DataFrame:
    """Compare each recipe's accuracies with the article's.

    Returns:
        One row per recipe and kind, plain recipes first and the closest of them at the top:
        ``recipe``, ``plain``, the columns of `against_article`, and ``distance``: the root mean
        square of the recipe's three differences. With other networks than the article's, all that
        compares with it is left out.
    """
    rows = []
    for (recipe, kind), mine in trainings.groupby(["recipe", "kind"], sort=False):
        compared = against_article(str(kind), networks, mine)
        rows.append({"recipe": recipe, "plain": bool(mine["plain"].iloc[0]), **compared})
    table = pd.DataFrame(rows)
    squares = (table["difference"] ** 2).groupby(table["recipe"])
    table["distance"] = squares.transform("mean") ** 0.5
    order = table.assign(other=~table["plain"]).sort_values(["other", "distance", "recipe"])
    table = table.loc[order.index].reset_index(drop=True)
    theirs = ["article", "difference", "distance"]
    return table if networks.is_article else table.drop(columns=theirs)
