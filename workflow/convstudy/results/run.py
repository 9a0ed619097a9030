"""Read a finished run's results folder, for tables, claims, plots and the report."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from convstudy.config import analyses, settings
from convstudy.core import environment
from convstudy.core.errors import UserError
from convstudy.core.files import read_json, write_json, write_text
from convstudy.core.gpus import NO_GPU
from convstudy.data.settings import IMAGES
from convstudy.layers.networks import Networks
from convstudy.results import scale
from convstudy.training.settings import FIRST_RECIPE

if TYPE_CHECKING:
    import pandas as pd

CONFIG = "config.yaml"
SUMMARY = "module_table/summary.csv"

VERIFICATIONS = ("examples", "identities", "grid", "counts")
TABLES = "data run single_kind studies trials verification versions"
# Files of the analysis replay that are made only if the networks are the article's.
REPLAYED = ("draws", "optuna_2018", "completed")
# The same for tables, which compare with it.
COMPARISONS = "article_scale article_studies contrasts counts objectives relations runs savings"
# Checked for the claims alone; runs that were recorded earlier lack them.
FOR_CLAIMS = ("verification/statements.csv", "counts/families.csv")


def result_files(studies: Sequence[str]) -> list[str]:
    """List the files of the article's own study, relative to the results folder."""
    return [
        "run.json",
        "provenance.json",
        "data/summary.json",
        *(f"verification/{name}.csv" for name in VERIFICATIONS),
        "counts/models.csv",
        "training/summary.csv",
        "training/curves.csv",
        *(
            f"search/{study}/{name}"
            for study in studies
            for name in ("trials.csv", "best.csv", "study.json")
        ),
    ]


def table_names(studies: Sequence[str], article: bool = True) -> list[str]:
    """List the tables that are made from the results, without suffix.

    Args:
        article: Whether the networks are the article's.
    """
    compared = COMPARISONS.split() if article else []
    return [*TABLES.split(), *compared, *(f"best_{study}" for study in studies)]


def write_run(
    folder: Path, config: Mapping[str, Any], article: Mapping[str, Any], data: Mapping[str, Any]
) -> None:
    """Record how a run was made: ``run.json``, ``provenance.json``, ``config.yaml``.

    They have settings, reductions, code, versions and machine; and the settings once more, to make
    the run again.

    Args:
        folder: The results folder.
        config: The run's config.
        article: config/article.yaml, as read.
        data: Summary of the images: see `scale.differences`.
    """
    # Neither the report's look nor the images' folder on this machine affects the results; a
    # digest identifies the images.
    kept = copy.deepcopy({part: config[part] for part in config if part != "report"})
    kept["data"].pop("directory")
    full = settings.filled(article)
    sizes = {
        "width": full["model"]["width"],
        "train": IMAGES["train_images"],
        "epochs": full["training"]["epochs"],
    }
    reductions = scale.reductions(scale.differences(kept, article, data))
    run = {"config": kept, "article": sizes, "reductions": reductions}
    write_json(folder / "run.json", run)
    write_json(folder / "provenance.json", environment.describe(kept))
    write_config(folder / CONFIG, kept)


def write_config(path: Path, config: dict[str, Any]) -> None:
    """Write a run's settings so that, laid over the default config, they make the run again."""
    import yaml

    config = copy.deepcopy(config)
    # The images' folder exists on one machine only, and today's version may lack some settings.
    config["data"]["directory"] = None
    settings.drop_gone(config)
    settings.remove_others(config)
    write_text(path, yaml.safe_dump(config, sort_keys=False, allow_unicode=True))


def in_todays_form(run: dict[str, Any]) -> dict[str, Any]:
    """Convert ``run.json`` of an earlier version, such as the evidence's, to today's form."""
    extras = run.pop("extras", None)
    if extras is not None:
        today = {"exhaustive": "module_table", "optimism": "epoch_selection"}
        config = {today.get(section, section): part for section, part in run["config"].items()}
        run["config"] = config | {"analyses": [today.get(name, name) for name in extras]}
    run["config"]["training"].setdefault("recipe", FIRST_RECIPE)
    return run


@dataclass(frozen=True)
class Study:
    """One study's results.

    Attributes:
        name: Its name in the config.
        trials, best: Its trials in order, and the best completed ones by rank.
        summary: Settings and totals.
    """

    name: str
    trials: "pd.DataFrame"
    best: "pd.DataFrame"
    summary: dict[str, Any]

    @property
    def penalty(self) -> dict[str, Any]:
        """Weight and unit of the penalty on parameters."""
        return self.summary["settings"]["penalty"]

    @property
    def penalised(self) -> bool:
        """Whether parameters count in the objective."""
        return self.penalty["weight"] > 0

    @property
    def completed(self) -> "pd.DataFrame":
        """Trials that were neither pruned nor failed."""
        return self.trials[self.trials["state"] == "COMPLETE"]


@dataclass(frozen=True)
class Results:
    """A results folder, whose files are read on first use.

    Args:
        folder: The folder with ``run.json``.

    Example:
        >>> results = Results(Path("results/reference/cpu-small"))
        >>> results.test_images, list(results.studies)
        (4000, ['accuracy', 'penalised'])
    """

    folder: Path

    def path(self, name: str) -> Path:
        """Return the path of a file in the folder.

        Raises:
            UserError: If there is no such file.
        """
        path = self.folder / name
        if not path.is_file():
            raise UserError(
                f"results/{name} is missing; to make it: snakemake --cores all results/{name}"
            )
        return path

    def table(self, name: str) -> "pd.DataFrame":
        """Read a CSV file."""
        import pandas as pd

        return pd.read_csv(self.path(name))

    @cached_property
    def run(self) -> dict[str, Any]:
        """The config, and sentences on where the run is smaller than the article's."""
        return in_todays_form(read_json(self.path("run.json")))

    @cached_property
    def provenance(self) -> dict[str, Any]:
        """Commit, versions and machine."""
        return read_json(self.path("provenance.json"))

    @cached_property
    def data(self) -> dict[str, Any]:
        """Where the images are from, and how many were used."""
        return read_json(self.path("data/summary.json"))

    @cached_property
    def networks(self) -> Networks:
        """The kinds of layer, stages and modules that the run is about."""
        return Networks.of(self.run["config"]["model"])

    @property
    def synthetic(self) -> bool:
        """Whether the images are synthetic, so that accuracies say nothing about CIFAR-10."""
        return bool(self.data["synthetic"])

    @property
    def own_images(self) -> bool:
        """Whether the images are the user's own, not CIFAR-10 or a replacement."""
        return "name" in self.data

    @property
    def images(self) -> str:
        """What the images are."""
        return str(self.data.get("name", "CIFAR-10"))

    @property
    def analyses(self) -> list[str]:
        """Names of this run's analyses, besides the article's own study."""
        return list(self.run["config"]["analyses"])

    @property
    def studies_planned(self) -> list[str]:
        """Names of the config's studies, which part of a run may lack."""
        return list(self.run["config"]["search"]["studies"])

    @property
    def partial(self) -> bool:
        """Whether files are missing, as when part of a run was recorded."""
        names = result_files(self.studies_planned)
        return not all((self.folder / name).is_file() for name in names)

    def has(self, name: str) -> bool:
        """Return whether a file belongs to this run, and is not left by an older one."""
        folder, _, file = name.partition("/")
        of_article = file.removesuffix(".csv") in {*COMPARISONS.split(), *REPLAYED}
        if of_article and not self.networks.is_article:
            return False
        if folder in analyses.names():
            return folder in self.analyses
        return (self.folder / name).is_file()

    @property
    def reductions(self) -> list[str]:
        """Sentences on how this run is smaller than the article's, or different."""
        return list(self.run["reductions"])

    @property
    def fallbacks(self) -> list[str]:
        """Sentences on what replaced requested resources that were unavailable."""
        devices = self.devices
        without = sum(NO_GPU in device for device in devices)
        line = (
            f"A GPU was requested but not available: {without} of {len(devices)} trainings and"
            " trials ran on the CPU, in part or entirely."
        )
        return [*self.data["fallbacks"], *([line] if without else [])]

    @property
    def devices(self) -> list[str]:
        """The device that trained each single-kind network and each trial, from their curves."""
        tables = [self.training, *(study.trials for study in self.studies.values())]
        return [device for table in tables for device in table["device"].dropna()]

    @property
    def test_images(self) -> int:
        """Number of test images behind each test accuracy."""
        return int(self.data["used"]["test"])

    @cached_property
    def verification(self) -> dict[str, "pd.DataFrame"]:
        """Checks of the layers' arithmetic, by file name."""
        return {name: self.table(f"verification/{name}.csv") for name in VERIFICATIONS}

    @cached_property
    def counts(self) -> "pd.DataFrame":
        """Parameters and multiply-accumulates of every model."""
        return self.table("counts/models.csv")

    @cached_property
    def training(self) -> "pd.DataFrame":
        """One row per single-kind training."""
        return self.table("training/summary.csv")

    @cached_property
    def curves(self) -> "pd.DataFrame":
        """One row per epoch of each single-kind training."""
        return self.table("training/curves.csv")

    @cached_property
    def studies(self) -> dict[str, Study]:
        """The studies, in the config's order."""
        return {
            name: Study(
                name,
                self.table(f"search/{name}/trials.csv"),
                self.table(f"search/{name}/best.csv"),
                read_json(self.path(f"search/{name}/study.json")),
            )
            for name in self.studies_planned
        }


def has_ranks(results: Results) -> bool:
    """Return whether there is a table of modules with ranks, which need several replicates."""
    if not results.has(SUMMARY):
        return False
    return bool(results.table(SUMMARY)[["rank_low", "share"]].notna().all(axis=None))
