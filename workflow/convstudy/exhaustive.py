"""The exhaustive table: every module, several times, with intervals and ranks.

A small tabular benchmark: whoever studies how to search such a space can do so on the table,
without training anything.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from convstudy import models, stats
from convstudy.models import POSITIONS
from convstudy.training import record
from convstudy.training.record import RIGHT, right

# With which all modules are compared.
CONV = "conv-conv-conv"
# Tables drawn of what the true means may be.
DRAWS = 10_000

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


def means(table: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    """Give each module's mean accuracy, its 95 % interval, and its error on these images.

    Few replicates tell little about one module's spread, so for the error the spread is taken to be
    the same for all and is estimated from all of them together.

    Args:
        table: The first one of `tabulate`.

    Returns:
        means: By module: its layers, ``parameters``, ``macs``, ``replicates``, ``mean``, ``low``
            and ``high`` (see `stats.accuracy_interval`), and ``error``: the standard error of the
            mean by which modules are compared, as all meet the same images. The last three are
            empty where all modules have one replicate, or no replicates differ.
        freedom: Degrees of freedom of the error; 0 where it is empty.
    """
    done = table[table["status"] == "finished"]
    groups = done.groupby("module", sort=False)
    found = groups[[*POSITIONS, "parameters", "macs"]].first()
    best = groups["test_accuracy_best"]
    found["replicates"] = best.size()
    found["mean"] = best.mean()
    freedom = len(done) - len(found)
    deviations = done["test_accuracy_best"] - best.transform("mean")
    if not freedom or np.allclose(deviations, 0):
        return found.assign(low=np.nan, high=np.nan, error=np.nan), 0
    ends = [stats.accuracy_interval(right(part, "test_accuracy_best")) for _, part in groups]
    found["low"], found["high"] = np.transpose(ends)
    found["error"] = np.sqrt((deviations**2).sum() / freedom / found["replicates"])
    return found, freedom


def draw_means(found: pd.DataFrame, freedom: int, draws: int = DRAWS) -> np.ndarray:
    """Draw what the true means may be on these images, as far as the replicates tell.

    A mean that stands out does so by luck, too, so each is drawn around a value nearer to the mean
    of all: the means are taken to come from a normal distribution, whose variance is what is left
    of theirs without the errors (C. N. Morris, J. Am. Stat. Assoc. 78, 47, 1983). Drawn around the
    observed means, the error would count twice.

    Args:
        found, freedom: What `means` gives, with at least one degree of freedom.

    Returns:
        Of shape (draws, modules).
    """
    from scipy.stats import t

    observed, variances = found["mean"].to_numpy(), found["error"].to_numpy() ** 2
    between = max(0.0, observed.var(ddof=1) - variances.mean()) if len(found) > 1 else 0.0
    kept = between / (between + variances)
    around = observed.mean() + kept * (observed - observed.mean())
    rng = np.random.default_rng(0)
    drawn = t.rvs(freedom, size=(draws, len(found)), random_state=rng)
    return around + drawn * np.sqrt(kept * variances)


def rank_sets(found: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Give the places that each module may have on these images, with 95 % confidence for each.

    Those above it are at most the modules that are not clearly worse, where it is compared with all
    others at once (M. Mogstad et al., Review of Economic Studies 91, 476, 2024, with normal errors
    of one variance, for which Dunnett's constant is theirs).

    Args:
        found: What `means` gives, with errors.

    Returns:
        low, high: (modules,) of int, from 1.
    """
    mean = found["mean"].to_numpy()
    most = np.array([resolution(found, one, best=False) for one in found.index])
    # Of each other one (columns) above each one (rows).
    above = mean - mean[:, None]
    return 1 + (above > most).sum(axis=1), len(mean) - (above < -most).sum(axis=1)


def resolution(found: pd.DataFrame, one: str, best: bool = True) -> pd.Series:
    """Give by how much each module must differ from one to be told apart from it.

    With 95 % confidence for all modules at once, see `stats.dunnett_constant`.

    Args:
        found: What `means` gives.
        one: The module with which they are compared.
        best: Whether it is the one that looks best, by its mean or by an objective that adds a
            constant, and it is asked which others are worse.

    Returns:
        By module; empty without errors.
    """
    if len(found) == 1 or found["error"].isna().any():
        return pd.Series(np.nan, found.index)
    numbers = found["replicates"].astype(int)
    others = tuple(sorted(map(int, numbers.drop(one))))
    constant = stats.dunnett_constant(int(numbers[one]), others, best)
    return constant * np.hypot(found["error"], found.loc[one, "error"])


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
        settings: The config's sections ``model``, ``training`` and ``exhaustive``.
        provenance: ``commit``, ``dirty``, ``created`` and ``versions``, as in
            `convstudy.provenance`.
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
        f" {settings['exhaustive']['replicates']} times with seeds of its own, for"
        f" {settings['exhaustive']['epochs']} epochs.",
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
