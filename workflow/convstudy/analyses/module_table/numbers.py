"""The module table: every module, trained several times, with intervals and ranks.

It is a small tabular benchmark: search methods can be studied on it without any training.
"""

from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any

import numpy as np
import pandas as pd

from convstudy.core.environment import commit_name
from convstudy.layers.networks import Networks
from convstudy.results.accuracies import DRAWS, draw_means, means, rank_sets, resolution
from convstudy.training import record


def tabulate(
    descriptions: Sequence[dict[str, Any]], networks: Networks, width: float
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Tabulate the trainings of all modules, one row per training and one row per epoch.

    Args:
        descriptions: Results of `Curve.describe`, with ``model`` (the module) and ``parameters``.
        width: The trained width.
    """

    def about(one: Mapping[str, Any]) -> dict[str, Any]:
        kinds = one["model"].split("-")
        return {
            "module": one["model"],
            **dict(zip(networks.positions, kinds, strict=True)),
            "replicate": one["replicate"],
            "seed": one["seed"],
            "parameters": one["parameters"],
            "macs": networks.count(kinds, width).macs,
        }

    ordered = sorted(descriptions, key=lambda one: (one["model"], one["replicate"]))
    return (
        record.tabulate(ordered, about, ("device", "status", "curve")),
        record.tabulate_epochs(ordered, about),
    )


def rank(table: pd.DataFrame, reference: str) -> pd.DataFrame:
    """Compute each module's mean accuracy and rank, with 95 % intervals.

    Args:
        table: The first table of `tabulate`.
        reference: The module that the others are compared with.

    Returns:
        One row per module, best first; numbers.columns.yaml describes the columns. There are no
        intervals with one replicate.
    """
    found, dof = means(table)
    summary = found.drop(columns="error")
    done = table[table["status"] == "finished"]
    summary["mean_last"] = done.groupby("module")["test_accuracy_last"].mean()
    for name in done.filter(["balanced_accuracy"]):
        summary[name] = done.groupby("module")[name].mean()
    summary[["share", "minus_reference", "minus_reference_low", "minus_reference_high"]] = np.nan
    # All trainings of the reference may have ended early.
    if reference in found.index:
        summary["share"] = found["parameters"] / found.loc[reference, "parameters"]
        summary["minus_reference"] = found["mean"] - found.loc[reference, "mean"]
        # It does not differ from itself.
        half = resolution(found, reference, best=False) * (found.index != reference)
        summary["minus_reference_low"] = summary["minus_reference"] - half
        summary["minus_reference_high"] = summary["minus_reference"] + half
    summary["rank"] = summary["mean"].rank(ascending=False, method="first").astype(int)
    summary[["rank_low", "rank_high", "probability_best"]] = np.nan
    if dof and len(found) > 1:
        summary["rank_low"], summary["rank_high"] = rank_sets(found)
        drawn = draw_means(found, dof)
        best = np.bincount(drawn.argmax(axis=1), minlength=len(found))
        summary["probability_best"] = best / DRAWS
    return summary.sort_values("rank").reset_index()


def document(
    tables: Mapping[str, pd.DataFrame],
    data: Mapping[str, Any],
    settings: Mapping[str, Any],
    made: Mapping[str, Any],
) -> str:
    """Describe the exported tables as a data set, in Markdown.

    Args:
        tables: By file name.
        data: The summary of the images.
        settings: The config's sections ``model``, ``training`` and ``module_table``.
        made: What `convstudy.core.environment.commit` returns, ``created`` and ``versions``.
    """
    import yaml

    used, model, training = data["used"], settings["model"], settings["training"]
    warning = "**The images are synthetic: accuracies say nothing about CIFAR-10.**\n\n"
    folder = resources.files(__package__)
    known = yaml.safe_load((folder / "numbers.columns.yaml").read_text(encoding="utf-8"))
    files = []
    for name, table in tables.items():
        files += [f"### {name}", "", f"{known['files'][name]} {len(table):,} rows.", ""]
        files += ["| column | meaning |", "| --- | --- |"]
        files += [f"| `{column}` | {known['columns'][column]} |" for column in table] + [""]
    text = (folder / "numbers.description.md").read_text(encoding="utf-8")
    return text.format(
        modules=f"{Networks.of(model).number_of_modules:,}",
        **settings["module_table"],
        warning=warning if data["synthetic"] else "",
        credit="" if "name" in data else " CIFAR-10 is by A. Krizhevsky (2009).",
        origin=data["origin"] + (", stored with losses (JPEG)" if data["lossy"] else ""),
        train=f"{used['train']:,}",
        validation=f"{used['validation']:,}",
        test=f"{used['test']:,}",
        digest=data["digest"],
        **model,
        training=training,
        optimizer=yaml.safe_dump(training["optimizer"], sort_keys=False).strip(),
        commit=commit_name(made),
        date=made["created"][:10],
        keras=made["versions"].get("keras"),
        files="\n".join(files).strip(),
    )
