"""Parts beyond the article: each is made on demand, and is then part of the report.

An extra has a folder below the results, in which ``about.json`` is written last and says of which
settings it is. The report shows the extras that are of its own settings.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from convstudy import article
from convstudy.files import read_json

# Settings that change how a result is made, and not what it says.
OF_THE_MACHINE = {
    "data": ("directory",),
    "training": ("device", "jit_compile", "threads"),
}


@dataclass(frozen=True)
class Extra:
    """A part beyond the article.

    Attributes:
        name: Its folder below the results, and its notebook.
        target: The rule that makes it.
        sections: Sections of the config that decide what it says; ``penalty`` is what `penalty`
            gives.
        files: What it leaves in its folder for figures, tables and claims.
        figures: Its figures, without suffix.
    """

    name: str
    target: str
    sections: tuple[str, ...]
    files: tuple[str, ...]
    figures: tuple[str, ...]


EXTRAS: dict[str, Extra] = {
    extra.name: extra
    for extra in (
        Extra(
            "exhaustive",
            "tabulate_modules",
            ("data", "model", "training", "exhaustive"),
            ("table.csv", "curves.csv", "summary.csv", "README.md"),
            (),
        ),
        Extra(
            "optimism",
            "measure_optimism",
            ("data", "model", "training", "exhaustive"),
            ("choices.csv", "summary.csv", "differences.csv"),
            ("optimism_differences",),
        ),
        Extra(
            "recipes",
            "compare_recipes",
            ("data", "model", "training", "recipes"),
            ("trainings.csv", "summary.csv"),
            ("recipes_accuracy",),
        ),
        Extra(
            "replay",
            "replay_searches",
            ("data", "model", "training", "exhaustive", "penalty", "replay"),
            ("summary.csv", "history.csv", "pruning.csv", "draws.csv"),
            ("replay_epochs",),
        ),
        Extra(
            "penalties",
            "compare_penalties",
            ("data", "model", "training", "exhaustive", "penalty"),
            ("envelope.csv", "probabilities.csv"),
            ("penalties_winner",),
        ),
        Extra(
            "timing",
            "measure_times",
            ("data", "model", "training", "timing"),
            ("modules.csv", "correlations.csv", "layers.csv", "crossover.csv"),
            ("timing_modules", "timing_layers"),
        ),
        Extra(
            "pareto",
            "find_pareto_front",
            ("data", "model", "training", "exhaustive", "timing", "pareto"),
            ("front.csv", "penalties.csv", "hypervolume.csv"),
            (),
        ),
    )
}


def penalty(config: Mapping[str, Any]) -> dict[str, float]:
    """Give weight and unit of the first study that has a penalty, or else the article's."""
    for study in config["search"]["studies"].values():
        if study["penalty"]["weight"] > 0:
            return {key: study["penalty"][key] for key in ("weight", "unit")}
    weight, unit = article.penalty()
    return {"weight": weight, "unit": unit * config["model"]["width"] ** 2}


def settings(name: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """Give the settings that decide what an extra says."""
    parts = {**config, "penalty": penalty(config)}
    return {
        section: {
            key: value
            for key, value in parts[section].items()
            if key not in OF_THE_MACHINE.get(section, ())
        }
        for section in EXTRAS[name].sections
    }


def made(results: Path, config: Mapping[str, Any]) -> list[str]:
    """Name the extras that a results folder has of a config's settings."""
    return [name for name in EXTRAS if _state(results, name, config)]


def outdated(results: Path, config: Mapping[str, Any]) -> list[str]:
    """Name the extras that a results folder has of other settings."""
    return [name for name in EXTRAS if _state(results, name, config) is False]


def _state(results: Path, name: str, config: Mapping[str, Any]) -> bool | None:
    """Tell whether an extra is of these settings; None if it is not there."""
    path = results / name / "about.json"
    if not path.is_file():
        return None
    return bool(read_json(path)["settings"] == settings(name, config))
