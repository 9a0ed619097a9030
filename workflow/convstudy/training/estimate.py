"""What a run will cost, said before it starts: what is left to train, and about how long it takes.

The main process asks while it reads the Snakefile. Nothing is scheduled yet, so the targets, the
config and the store tell what is left; speeds are those of curves in the store or, without any,
of the recorded ones in ``estimate.speeds.csv`` (images a second in training, by processor).
"""

import csv
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from statistics import geometric_mean, median
from types import SimpleNamespace
from typing import Any

from convstudy.core import environment, gpus
from convstudy.core.files import read_json
from convstudy.core.progress import duration
from convstudy.core.section import merged
from convstudy.layers import models
from convstudy.training.curve import Curve

# What each part of the config is trained for: rules, and the beginnings of files.
TARGETS = {
    "training": ("all", "reports/", "results/training/", "summarise_training", "measure_optimism"),
    "search": ("all", "reports/", "results/search/", "export_study"),
    "module_table": (
        "results/module_table/",
        "tabulate_modules",
        "measure_optimism",
        "replay_searches",
        "compare_penalties",
        "find_pareto_front",
    ),
    "recipes": ("results/recipes/", "compare_recipes"),
}
# Options of Snakemake with which nothing is run.
NO_RUN = (
    "--lint",
    "--report",
    "--unlock",
    "--list",
    "--summary",
    "--archive",
    "--delete",
    "--touch",
)
# Seconds from a job's start to its first step, and until a further network is compiled.
START, COMPILE = 8.0, 3.0
# A test image costs a third of a training image.
TEST_SHARE = 1 / 3
# Shares of its epochs that a trial keeps once the pruner has begun, and of a later study's epochs
# that the first has not trained: those of results/reference/cpu-small.
KEPT, NEW = 0.47, 0.29
# Processors that compute float32 alike.
ALIKE = ("AMX", "AVX512-BF16", "AVX-512")


@dataclass(frozen=True)
class Job:
    """Something that trains on one core, without a break.

    Attributes:
        seconds: How long it takes; nan where a speed is not known.
        epochs: How many it trains, as far as can be expected.
        most: How many at most.
    """

    seconds: float
    epochs: float
    most: int


class Estimate:
    """What a config's trainings cost on this machine."""

    def __init__(self, config: Mapping[str, Any], results: Path) -> None:
        self.config = config
        self.results = results
        self.store = results / ".state/curves"
        summary = results / "data/summary.json"
        self.data = read_json(summary) if summary.is_file() else None
        wanted = config["data"]["train_images"]
        if self.data and wanted not in (None, self.data["used"]["train"]):
            # Of other settings: its curves are others.
            self.data = None
        # CIFAR-10's own numbers (Krizhevsky, 2009), where all are asked for.
        validation = config["data"]["validation_images"]
        self.images = self.data["used"]["train"] if self.data else wanted or 50_000 - validation
        test = self.data["used"]["test"] if self.data else config["data"]["test_images"] or 10_000
        self.cost_images = self.images + TEST_SHARE * (test + validation)

    def curve(
        self, kinds: Sequence[str], replicate: int, epochs: int, training: dict[str, Any]
    ) -> Curve:
        """Give a curve that can be read, and not trained, as its images may not be there yet."""
        images: Any = SimpleNamespace(digest=self.data["digest"] if self.data else "")
        model = dict(self.config["model"])
        return Curve(self.store, kinds, replicate, model, training, epochs, images)

    def jobs(self, part: str) -> Iterator[Job]:
        """Give what is left to train for a part of the config."""
        if part == "search":
            yield from self.studies()
            return
        section = self.config[part]
        trainings = [self.config["training"]]
        networks = models.modules() if part == "module_table" else models.single_kind_models()
        if part == "recipes":
            trainings = [merged(trainings[0], recipe) for recipe in section["compared"].values()]
        for training in trainings:
            for kinds in networks.values():
                for replicate in range(section["replicates"]):
                    epochs = section["epochs"]
                    left = epochs - self.done(self.curve(kinds, replicate, epochs, training))
                    if left > 0:
                        seconds = START + left * self.cost_images * self.seconds(kinds, training)
                        yield Job(seconds, left, left)

    def done(self, curve: Curve) -> int:
        """Count a curve's stored epochs; all count as done if it ended early."""
        path = curve.folder / "curve.json"
        state = read_json(path) if path.is_file() else {"records": [], "ended": None}
        return 10**9 if state["ended"] else len(state["records"])

    def studies(self) -> Iterator[Job]:
        """Give what the studies are expected to train; later ones find the first one's curves."""
        training, epochs = self.config["training"], self.config["search"]["epochs"]
        stored = self.stored_epochs(epochs)
        have = sum(stored.values())
        average = [self.seconds(kinds, training) for kinds in models.modules().values()]
        for number, (name, study) in enumerate(self.config["search"]["studies"].items()):
            if self.finished(name, study["trials"], set(stored)):
                continue
            most = study["trials"] * epochs
            whole = min(study["trials"], study["pruner"]["startup_trials"])
            pruned = study["pruner"]["name"] != "none"
            expected = epochs * (whole + (study["trials"] - whole) * (KEPT if pruned else 1))
            expected *= NEW if number else 1
            spared = min(have, expected)
            have, expected = have - spared, expected - spared
            seconds = START + expected / epochs * COMPILE
            seconds += expected * self.cost_images * sum(average) / len(average)
            yield Job(seconds, expected, most)

    def stored_epochs(self, epochs: int) -> dict[str, int]:
        """Count the epochs of each module's stored curves that the studies would find."""
        found = {}
        for folder in sorted(self.store.glob("*-*-*_width*_seed*")):
            kinds = tuple(folder.name.partition("_")[0].split("-"))
            seed = int(folder.name.partition("_seed")[2].partition("_")[0])
            replicate = seed - self.config["training"]["seed"]
            if folder.is_dir() and kinds in models.modules().values() and replicate >= 0:
                curve = self.curve(kinds, replicate, epochs, self.config["training"])
                if curve.name == folder.name:
                    found[curve.name] = min(self.done(curve), epochs)
        return found

    def finished(self, study: str, trials: int, known: set[str]) -> bool:
        """Tell whether a study's exported trials are all there, and of these settings' curves."""
        path = self.results / f"search/{study}/trials.csv"
        if not path.is_file():
            return False
        with path.open(encoding="utf-8") as file:
            names = [row["curve"] for row in csv.DictReader(file)]
        return len(names) >= trials and set(names) <= known

    def seconds(self, kinds: Sequence[str], training: Mapping[str, Any]) -> float:
        """Say how long a network trains on an image; nan if that is not known.

        The single-kind networks have two layers a stage, so a layer costs about half of them.
        """
        each = (1 / self.speed(kind, training) for kind in kinds)
        return sum(each) / models.SINGLE_KIND_LAYERS

    def speed(self, kind: str, training: Mapping[str, Any]) -> float:
        """Give the images a second of a single-kind network, from the nearest known width."""
        known = self.stored_speeds(kind, training) or recorded_speeds(kind, training)
        if not known:
            return math.nan
        width = self.config["model"]["width"]
        nearest = min(known, key=lambda one: abs(math.log(one / width)))
        return known[nearest] * (nearest / width) ** exponent(kind)

    def stored_speeds(self, kind: str, training: Mapping[str, Any]) -> dict[float, float]:
        """Give the speeds of curves in the store that this machine trained, by width."""
        name = "-".join([kind] * models.SINGLE_KIND_LAYERS)
        found: dict[float, list[float]] = {}
        newest = sorted(
            self.store.glob(f"{name}_width*/curve.json"), key=lambda one: one.stat().st_mtime
        )
        for path in newest[-6:]:
            state = read_json(path)
            same = (state["identity"]["training"][key] for key in ("backend", "precision"))
            if tuple(same) != (training["backend"], training["precision"]):
                continue
            width = float(path.parent.name.partition("_width")[2].partition("_")[0])
            for record in state["records"]:
                if record.get("processor") == environment.processor():
                    found.setdefault(width, []).append(record["images_per_second"])
        return {width: median(speeds) for width, speeds in found.items()}


def recorded_speeds(kind: str, training: Mapping[str, Any]) -> dict[float, float]:
    """Give the recorded speeds of this processor, or else of those like it, by width."""
    if gpus.names() and training["device"] != "cpu":
        return {}
    ours, precision = environment.unit(), training["precision"]
    rows = [one for one in _rows(kind) if one["precision"] == precision]
    alike = [one for one in rows if one["processor"] == environment.processor()]
    alike = alike or [one for one in rows if one["processor"].endswith(ours)]
    if not alike and precision == "float32" and ours in ALIKE:
        alike = rows
    return _by_width(alike)


def exponent(kind: str) -> float:
    """Say how a kind's speed falls with the width, from a processor with two recorded widths."""
    rows = _rows(kind)
    wide = next(one for one in rows if one["width"] == "1")
    same = [one for one in rows if (one["processor"], one["batch"]) == (wide["processor"], "64")]
    speeds = _by_width(same)
    return math.log(speeds[0.25] / speeds[1.0]) / math.log(4)


def _rows(kind: str) -> list[dict[str, str]]:
    with (files("convstudy.training") / "estimate.speeds.csv").open(encoding="utf-8") as file:
        return [row for row in csv.DictReader(file) if row["kind"] == kind]


def _by_width(rows: Iterable[Mapping[str, str]]) -> dict[float, float]:
    """Average speeds of equal width; geometrically, since processors differ by factors."""
    found: dict[float, list[float]] = {}
    for one in rows:
        found.setdefault(float(one["width"]), []).append(float(one["images_per_second"]))
    return {width: geometric_mean(speeds) for width, speeds in found.items()}


def asked(arguments: Sequence[str], rules: Iterable[str]) -> list[str]:
    """Find the targets among Snakemake's arguments: it tells them only once the Snakefile is read.

    Returns:
        ``none`` where nothing is run, and ``all`` if no target is named.
    """
    if any(one.startswith(NO_RUN) for one in arguments):
        return ["none"]
    # As in `--cores all`.
    known = set(rules) - {"all"}
    found = [one for one in arguments if one in known or one.startswith(("results/", "reports/"))]
    return found or ["all"]


def line(
    config: Mapping[str, Any], results: Path, targets: Iterable[str], cores: int | None
) -> str:
    """Say in a line what is left to train and about how long that takes.

    Args:
        targets: What is asked for: rules and files.
        cores: Cores that train side by side; None on a cluster.

    Returns:
        Empty if nothing that is asked for trains.
    """
    wanted = list(targets)
    parts = [
        part
        for part, known in TARGETS.items()
        # An analysis that the config lists is made with all else.
        for mine in [known + TARGETS["search"][:2] * (part in config["analyses"])]
        if any(one.startswith(mine) for one in wanted)
    ]
    if not parts:
        return ""
    estimate = Estimate(config, results)
    jobs = {part: list(estimate.jobs(part)) for part in parts}
    studies = jobs.pop("search", [])
    trainings = [job for part in jobs.values() for job in part]
    what = []
    if trainings:
        what.append(f"{sum(job.most for job in trainings):,} epochs of {len(trainings)} networks")
    if studies:
        most, expected = (sum(getattr(job, one) for job in studies) for one in ("most", "epochs"))
        names = f"{len(studies)} studies" if len(studies) > 1 else "a study"
        what.append(f"at most {most:,} epochs in {names} (some {expected:,.0f} expected)")
    if not what:
        return "Nothing is left to train."
    images = f"Left to train: {' and '.join(what)}, each of {estimate.images:,} images"
    # In the order in which the workflow starts them.
    time = span([job.seconds for job in [*studies[:1], *trainings, *studies[1:]]], cores or 1)
    if math.isnan(time):
        return f"{images}; how long that takes is not known on this machine yet."
    side_by_side = "one core" if cores == 1 else f"{cores} cores"
    where = f"on {side_by_side} here" if cores else "of computing on cores like this machine's"
    return f"{images}; about {duration(time)} {where}."


def span(seconds: Sequence[float], cores: int) -> float:
    """Say how long jobs take side by side, each beginning when a core is free."""
    ends = [0.0] * cores
    for one in seconds:
        ends[ends.index(min(ends))] += one
    return math.nan if any(map(math.isnan, seconds)) else max(ends)
