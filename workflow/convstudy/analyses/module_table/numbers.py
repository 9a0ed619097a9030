"""The table of modules: every module, trained several times, with intervals and ranks.

A small tabular benchmark: whoever studies how to search such a space can do so on the table,
without training anything.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from convstudy.layers import models
from convstudy.layers.models import POSITIONS
from convstudy.results.module_means import CONV, DRAWS, draw_means, means, rank_sets, resolution
from convstudy.training import record
from convstudy.training.record import RIGHT

# What the columns of the exported tables mean, with their units.
COLUMNS = {
    "module": "the layers of each stage, joined by hyphens",
    "layer1": "kind of the first 3x3 layer of each stage",
    "layer2": "kind of the second one",
    "layer3": "kind of the third one",
    "replicate": "repetition, from 0; repetitions differ in their seed alone",
    "seed": "of the first weights and of the order of the images",
    "parameters": "number of weights, biases and statistics at the trained width",
    "macs": "multiply-accumulates of one image's forward pass at the trained width",
    "test_accuracy_best": "highest test accuracy over the epochs, a fraction of one",
    "best_epoch": "its epoch, from 1; the first one of several",
    "test_accuracy_last": "test accuracy after the last epoch, a fraction of one",
    "validated_epoch": "epoch with the highest validation accuracy; empty without such images",
    "test_accuracy_validated": "test accuracy after that epoch, a fraction of one",
    "train_accuracy_last": "mean accuracy on the training images during the last epoch",
    "epochs": "epochs trained",
    "seconds": "seconds of training and test, on the device",
    "images_per_second": "training images a second, median over epochs",
    "device": "what trained: cpu, or a GPU's name",
    "curve": "name of its curve, which trials and trainings of the same network share",
    "status": "finished, or ended where the loss stopped being finite",
    "epoch": "from 1",
    "loss": "mean cross-entropy of the epoch's training images, with smoothed labels if they are",
    "train_accuracy": "mean accuracy on the epoch's training images, while the weights change",
    "validation_loss": "mean cross-entropy of the validation images; empty without them",
    "validation_accuracy": "their accuracy, a fraction of one",
    "test_loss": "mean cross-entropy of the test images after the epoch",
    "test_accuracy": "their accuracy, a fraction of one",
    "learning_rate": "at the end of the epoch",
    "replicates": "number of repetitions that ended well",
    "mean": "mean of test_accuracy_best over them",
    "low": "lower end of its 95 % interval, over new trainings and new images",
    "high": "upper end of it",
    "mean_last": "mean of test_accuracy_last",
    "share": "its parameters over those of conv-conv-conv",
    "minus_conv": "mean minus that of conv-conv-conv, on these images",
    "minus_conv_low": "lower end of its 95 % interval, for all modules at once",
    "minus_conv_high": "upper end of it",
    "rank": "place by mean, from 1, the highest first",
    "rank_low": "best place that the module may have on these images, with 95 % confidence",
    "rank_high": "worst place that it may have",
    "probability_best": "chance that the module is the best one, as far as these replicates tell",
    **RIGHT,
}


def tabulate(
    descriptions: Sequence[dict[str, Any]], width: float
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Collect the trainings of all modules in a row each, and in a row an epoch.

    Args:
        descriptions: What `Curve.describe` gives, with ``model`` (the module) and ``parameters``.
        width: The trained width.
    """

    def about(one: Mapping[str, Any]) -> dict[str, Any]:
        kinds = models.modules()[one["model"]]
        return {
            "module": one["model"],
            **dict(zip(POSITIONS, kinds, strict=True)),
            "replicate": one["replicate"],
            "seed": one["seed"],
            "parameters": one["parameters"],
            "macs": models.total(models.costs(models.architecture(kinds, width))).macs,
        }

    ordered = sorted(descriptions, key=lambda one: (one["model"], one["replicate"]))
    return (
        record.tabulate(ordered, about, ("device", "status", "curve")),
        record.tabulate_epochs(ordered, about),
    )


def rank(table: pd.DataFrame) -> pd.DataFrame:
    """Give each module's mean accuracy and rank, with 95 % intervals.

    Args:
        table: The first one of `tabulate`.

    Returns:
        A row a module, the best first; the columns as in `COLUMNS`. With one replicate there are no
        intervals.
    """
    found, freedom = means(table)
    summary = found.drop(columns="error")
    done = table[table["status"] == "finished"]
    summary["mean_last"] = done.groupby("module")["test_accuracy_last"].mean()
    summary[["share", "minus_conv", "minus_conv_low", "minus_conv_high"]] = np.nan
    # All of its trainings may have ended early.
    if CONV in found.index:
        summary["share"] = found["parameters"] / found.loc[CONV, "parameters"]
        summary["minus_conv"] = found["mean"] - found.loc[CONV, "mean"]
        # It does not differ from itself.
        half = resolution(found, CONV, best=False) * (found.index != CONV)
        summary["minus_conv_low"] = summary["minus_conv"] - half
        summary["minus_conv_high"] = summary["minus_conv"] + half
    summary["rank"] = summary["mean"].rank(ascending=False, method="first").astype(int)
    summary[["rank_low", "rank_high", "probability_best"]] = np.nan
    if freedom and len(found) > 1:
        summary["rank_low"], summary["rank_high"] = rank_sets(found)
        drawn = draw_means(found, freedom)
        best = np.bincount(drawn.argmax(axis=1), minlength=len(found))
        summary["probability_best"] = best / DRAWS
    return summary.sort_values("rank").reset_index()


def document(
    tables: Mapping[str, pd.DataFrame],
    data: Mapping[str, Any],
    settings: Mapping[str, Any],
    provenance: Mapping[str, Any],
) -> str:
    """Describe the exported tables as a data set, in Markdown.

    Args:
        tables: By file name.
        data: The summary of the images.
        settings: The config's sections ``model``, ``training`` and ``module_table``.
        provenance: ``commit``, ``dirty``, ``created`` and ``versions``, as in
            `convstudy.core.environment`.
    """
    import yaml

    used = data["used"]
    training = settings["training"]
    lossy = ", stored with losses (JPEG)" if data["lossy"] else ""
    warning = "\n**The images are synthetic: accuracies say nothing about CIFAR-10.**\n"
    lines = [
        "# All modules, several times: learning curves of 27 convolutional networks",
        "",
        "Each stage of a network holds three 3x3 layers, each Conv2D (`conv`), DepthwiseConv2D"
        " (`depthwise`) or SeparableConv2D (`separable`). The choice is the same in all three"
        f" stages, which gives {len(models.modules())} modules. Each was trained"
        f" {settings['module_table']['replicates']} times with seeds of its own, for"
        f" {settings['module_table']['epochs']} epochs.",
        warning if data["synthetic"] else "",
        "## How it was made",
        "",
        f"- Images: {data['origin']}{lossy}; {used['train']:,} for training,"
        f" {used['validation']:,} for validation, {used['test']:,} for test. SHA-256 of all:"
        f" `{data['digest']}`.",
        f"- Networks: {settings['model']['width']:g} times 64, 128 and 256 channels,"
        " BatchNormalization with momentum"
        f" {settings['model']['batch_normalization_momentum']:g}.",
        f"- Training: batches of {training['batch_size']}, augmentation"
        f" {training['augmentation']}, label smoothing {training['label_smoothing']:g},"
        f" {training['precision']}, Keras on {training['backend']}, and the optimizer",
        "",
        "```yaml",
        yaml.safe_dump(training["optimizer"], sort_keys=False).strip(),
        "```",
        "",
        f"- Commit `{provenance['commit'] or 'unknown'}`"
        f"{' with changes' if provenance['dirty'] else ''} of convstudy, `snakemake"
        f" tabulate_modules`, {provenance['created'][:10]};"
        f" Keras {provenance['versions'].get('keras')}.",
        "",
        "## Files",
        "",
        "Comma-separated, UTF-8, a head line; an empty cell means that there is no value.",
    ]
    rows = {
        "table.csv": "A row a training.",
        "curves.csv": "A row an epoch of a training.",
        "summary.csv": "A row a module, the best first. Its intervals take the spread between"
        " replicates to be the same for all modules; they hold for these images and this recipe.",
    }
    for name, table in tables.items():
        lines += ["", f"### {name}", "", f"{rows[name]} {len(table):,} rows.", ""]
        lines += ["| column | meaning |", "| --- | --- |"]
        lines += [f"| `{column}` | {COLUMNS[column]} |" for column in table]
    lines += [
        "",
        "## Licence",
        "",
        "The tables are under the MIT licence, as the project that made them. They hold no images."
        " CIFAR-10 is by A. Krizhevsky (2009).",
        "",
    ]
    return "\n".join(lines)
