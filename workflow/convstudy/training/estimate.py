"""Estimate what a run will cost before it starts: what is left to train, and for how long.

The main process asks while it reads the Snakefile. Nothing is scheduled yet, so what is left comes
from the targets, the config and the store. Speeds come from curves in the store or, without any,
from ``estimate.speeds.csv`` (recorded training images per second, by processor).
"""

import csv
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.resources import files
from itertools import chain
from pathlib import Path
from statistics import geometric_mean, median
from types import SimpleNamespace
from typing import Any

from convstudy.core import environment, gpus
from convstudy.core.files import read_json
from convstudy.core.progress import duration
from convstudy.core.section import Config, Mistake, merged
from convstudy.data.settings import IMAGES, OWN, train_images
from convstudy.layers.networks import ARTICLE, Kinds, Networks
from convstudy.training import settings
from convstudy.training.curve import Curve

# The targets that need each part of the config trained: rules, and prefixes of paths.
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
    "depth": ("results/depth/", "compare_depths"),
    "recipes": ("results/recipes/", "compare_recipes"),
}
# Rules that train, whose cost is that of their epochs.
TRAINS = ("train_", "search_")
# Snakemake options with which nothing is run.
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
DRY_RUN = re.compile("-[a-zA-Z]*n[a-zA-Z]*")
# Seconds from a job's start to its first step, and to compile each further network.
START, COMPILE = 8.0, 3.0
# Seconds of a step that trains nothing.
STEP = 5.0
# Cost of a test image relative to a training image.
TEST_SHARE = 1 / 3
# The share of its epochs that a trial trains once pruning has begun, and the share of a later
# study's epochs not already trained by the first one, both as in results/reference/cpu-small.
KEPT, NEW = 0.47, 0.29
# Processors with similar float32 speed.
ALIKE = ("AMX", "AVX512-BF16", "AVX-512")


@dataclass(frozen=True)
class Job:
    """A job that trains on one core without interruption.

    Attributes:
        seconds: Estimated duration; nan if a speed is unknown.
        epochs: Expected number of epochs.
        most: Maximum number of epochs.
        curve: Name of the curve that is trained, if it is one.
    """

    seconds: float
    epochs: float
    most: int
    curve: str = ""


class Estimate:
    """The estimated cost of a config's trainings on this machine."""

    def __init__(self, config: Mapping[str, Any], results: Path) -> None:
        self.config = config
        self.networks = Networks.of(config["model"])
        self.results = results
        self.store = results / ".state/curves"
        summary = results / "data/summary.json"
        self.data = read_json(summary) if summary.is_file() else None
        wanted = config["data"]["train_images"]
        if self.data and wanted not in (None, self.data["used"]["train"]):
            # The prepared images are of other settings, and so are their curves.
            self.data = None
        # Null means all of CIFAR-10's 50,000 and 10,000 images (Krizhevsky, 2009).
        validation = config["data"]["validation_images"]
        self.images = self.data["used"]["train"] if self.data else train_images(config["data"])
        # Of one's own images, a fifth is for the test unless they say otherwise.
        most = self.images // 4 if config["data"]["source"] == OWN else IMAGES["test_images"]
        test = self.data["used"]["test"] if self.data else config["data"]["test_images"] or most
        self.cost_images = self.images + TEST_SHARE * (test + validation)

    def curve(self, kinds: Kinds, replicate: int, epochs: int, training: dict[str, Any]) -> Curve:
        """Return a curve that can only be read, since its images may not exist yet."""
        images: Any = SimpleNamespace(digest=self.data["digest"] if self.data else "")
        model = dict(self.config["model"])
        return Curve(self.store, kinds, replicate, model, training, epochs, images)

    def what_is_left(self, parts: Iterable[str]) -> tuple[list[Job], list[Job]]:
        """Return the studies and the trainings that are left for these parts of the config."""
        jobs = {part: list(self.jobs(part)) for part in parts}
        studies = jobs.pop("search", [])
        # Parts share curves; whoever needs most epochs trains them.
        by_length = sorted(
            (job for part in jobs.values() for job in part), key=lambda job: job.most
        )
        return studies, list({job.curve: job for job in by_length}.values())

    def jobs(self, part: str) -> Iterator[Job]:
        """Yield what is left to train for a part of the config."""
        if part == "search":
            yield from self.studies()
            return
        section = self.config[part]
        trainings = [self.config["training"]]
        networks: dict[str, Any] = dict(self.networks.single_kind())
        if part == "module_table":
            trainings, networks = [settings.of_modules(self.config)], self.networks.modules()
        elif part == "depth":
            networks = self.networks.stacks(section["most_layers"])
        elif part == "recipes":
            trainings = [merged(trainings[0], recipe) for recipe in section["compared"].values()]
        epochs = section["epochs"]
        for training in trainings:
            for kinds in networks.values():
                curves = [
                    self.curve(kinds, replicate, epochs, training)
                    for replicate in range(section["replicates"])
                ]
                left = {curve.name: epochs - self.done(curve) for curve in curves}
                if max(left.values()) <= 0:
                    # A speed is read from many curves.
                    continue
                epoch = self.cost_images * self.seconds(kinds, training)
                for name, number in left.items():
                    if number > 0:
                        yield Job(START + number * epoch, number, number, name)

    def done(self, curve: Curve) -> int:
        """Count a curve's stored epochs; a curve that ended early counts as complete."""
        path = curve.folder / "curve.json"
        state = read_json(path) if path.is_file() else {"records": [], "ended": None}
        return 10**9 if state["ended"] else len(state["records"])

    def studies(self) -> Iterator[Job]:
        """Yield what the studies are expected to train; later ones reuse the first one's curves."""
        training, epochs = settings.of_modules(self.config), self.config["search"]["epochs"]
        stored = self.stored_epochs(epochs)
        have = sum(stored.values())
        # Every kind is as frequent at each position.
        average = [
            self.seconds([kind] * self.networks.module_layers, training)
            for kind in self.networks.kinds
        ]
        for number, (name, study) in enumerate(self.config["search"]["studies"].items()):
            if self.finished(name, study["trials"], set(stored)):
                continue
            most = study["trials"] * epochs
            unpruned = min(study["trials"], study["pruner"]["startup_trials"])
            pruned = study["pruner"]["name"] != "none"
            expected = epochs * (unpruned + (study["trials"] - unpruned) * (KEPT if pruned else 1))
            expected *= NEW if number else 1
            # Stored epochs may be its own; an unfinished study still has a trial to run.
            spared = min(have, max(0, expected - epochs))
            have, expected = have - spared, expected - spared
            seconds = START + expected / epochs * COMPILE
            seconds += expected * self.cost_images * sum(average) / len(average)
            yield Job(seconds, expected, most)

    def stored_epochs(self, epochs: int) -> dict[str, int]:
        """Count the epochs of each stored module curve that the studies can reuse."""
        stored = {}
        training = settings.of_modules(self.config)
        for folder in sorted(self.store.glob("*-*_width*_seed*")):
            kinds = folder.name.partition("_width")[0].split("-")
            seed = int(folder.name.partition("_seed")[2].partition("_")[0])
            replicate = seed - training["seed"]
            module = len(kinds) == self.networks.module_layers and {*kinds} <= {
                *self.networks.kinds
            }
            if folder.is_dir() and module and replicate >= 0:
                curve = self.curve(kinds, replicate, epochs, training)
                if curve.name == folder.name:
                    stored[curve.name] = min(self.done(curve), epochs)
        return stored

    def finished(self, study: str, trials: int, known: set[str]) -> bool:
        """Return whether a study's exported trials are complete and made with these settings."""
        path = self.results / f"search/{study}/trials.csv"
        if not path.is_file():
            return False
        with path.open(encoding="utf-8") as file:
            names = [row["curve"] for row in csv.DictReader(file)]
        return len(names) >= trials and set(names) <= known

    def seconds(self, kinds: Kinds, training: Mapping[str, Any]) -> float:
        """Return the seconds that a network trains on an image; nan if unknown.

        A stage's layers cost about as much as a share of those of its single-kind networks.
        """
        stages = self.networks.per_stage(kinds)
        # Once for each kind, as a speed is read from several curves.
        speeds = {kind: self.speed(kind, training) for kind in {*chain(*stages)}}
        each = (
            1 / speeds[kind] / stage["layers"]
            for stage, mine in zip(self.networks.stages, stages, strict=True)
            for kind in mine
        )
        return sum(each) / len(stages)

    def speed(self, kind: str, training: Mapping[str, Any]) -> float:
        """Return a single-kind network's images per second, from the nearest known width."""
        known = self.stored_speeds(kind, training)
        if not known and self.networks.is_article:
            known = recorded_speeds(kind, training)
        if not known:
            return self.similar_speed(kind, training)
        width = self.config["model"]["width"]
        nearest = min(known, key=lambda known_width: abs(math.log(known_width / width)))
        return known[nearest] * (nearest / width) ** exponent(
            _like(self.networks.kinds[kind].parts[0][0])
        )

    def similar_speed(self, kind: str, training: Mapping[str, Any]) -> float:
        """Return a speed by multiply-accumulates, from the article's networks of such layers."""
        width = self.config["model"]["width"]
        macs = self.networks.count(self.networks.single_kind()[kind], width).macs
        seconds = []
        for type_, _ in self.networks.kinds[kind].parts:
            like = _like(type_)
            known = recorded_speeds(like, training)
            if not known:
                return math.nan
            nearest = min(known, key=lambda known_width: abs(math.log(known_width / width)))
            theirs = ARTICLE.count(ARTICLE.single_kind()[like], nearest).macs
            seconds.append(macs / theirs / known[nearest])
        return len(seconds) / sum(seconds)

    def stored_speeds(self, kind: str, training: Mapping[str, Any]) -> dict[float, float]:
        """Return the speeds of stored curves trained on this kind of processor, by width."""
        kinds = self.networks.single_kind()[kind]
        momentum = self.config["model"]["batch_normalization_momentum"]
        name = self.networks.name_of(kinds)
        by_width: dict[float, list[float]] = {}
        newest = sorted(
            self.store.glob(f"{name}_width*/curve.json"), key=lambda path: path.stat().st_mtime
        )
        for path in newest[-6:]:
            state = read_json(path)
            same = (state["identity"]["training"][key] for key in ("backend", "precision"))
            if tuple(same) != (training["backend"], training["precision"]):
                continue
            width = float(path.parent.name.partition("_width")[2].partition("_")[0])
            # In another study, a kind of this name may be another one.
            network = self.networks.architecture(kinds, width, momentum)
            if state["identity"]["network"] != [asdict(layer) for layer in network]:
                continue
            for record in state["records"]:
                if record.get("processor") == environment.processor():
                    by_width.setdefault(width, []).append(record["images_per_second"])
        return {width: median(speeds) for width, speeds in by_width.items()}


def _like(type_: str) -> str:
    """Return the article's kind of this type of layer."""
    return next(kind for kind, its in ARTICLE.kinds.items() if its.parts[0][0] == type_)


def recorded_speeds(kind: str, training: Mapping[str, Any]) -> dict[float, float]:
    """Return the recorded speeds of this processor, or else of similar ones, by width."""
    if gpus.names() and training["device"] != "cpu":
        return {}
    unit, precision = environment.unit(), training["precision"]
    rows = [row for row in _rows(kind) if row["precision"] == precision]
    similar = [row for row in rows if row["processor"] == environment.processor()]
    similar = similar or [row for row in rows if row["processor"].endswith(unit)]
    if not similar and precision == "float32" and unit in ALIKE:
        similar = [row for row in rows if row["processor"].endswith(ALIKE)]
    return _by_width(similar)


def exponent(kind: str) -> float:
    """Return the exponent of speed against width, from a processor with two recorded widths."""
    rows = _rows(kind)
    wide = next(row for row in rows if row["width"] == "1")
    same = [row for row in rows if (row["processor"], row["batch"]) == (wide["processor"], "64")]
    speeds = _by_width(same)
    return math.log(speeds[0.25] / speeds[1.0]) / math.log(4)


def _rows(kind: str) -> list[dict[str, str]]:
    with (files("convstudy.training") / "estimate.speeds.csv").open(encoding="utf-8") as file:
        return [row for row in csv.DictReader(file) if row["kind"] == kind]


def _by_width(rows: Iterable[Mapping[str, str]]) -> dict[float, float]:
    """Average the speeds of each width, geometrically, since processors differ by factors."""
    by_width: dict[float, list[float]] = {}
    for row in rows:
        by_width.setdefault(float(row["width"]), []).append(float(row["images_per_second"]))
    return {width: geometric_mean(speeds) for width, speeds in by_width.items()}


def runs_jobs(arguments: Sequence[str]) -> bool:
    """Tell by Snakemake's arguments whether it will run jobs, as it knows only after parsing."""
    return not any(
        argument.startswith((*NO_RUN, "--dry")) or DRY_RUN.fullmatch(argument)
        for argument in arguments
    )


def asked(arguments: Sequence[str], rules: Iterable[str]) -> list[str]:
    """Find the targets among Snakemake's arguments, since it exposes them only after parsing.

    Returns:
        ``none`` if nothing will run, and ``all`` if no target is named.
    """
    if any(argument.startswith(NO_RUN) for argument in arguments):
        return ["none"]
    # "all" may also be a value, as in `--cores all`.
    known = set(rules) - {"all"}
    targets = [
        argument
        for argument in arguments
        if argument in known or argument.startswith(("results/", "reports/"))
    ]
    return targets or ["all"]


def line(
    config: Mapping[str, Any], results: Path, targets: Iterable[str], cores: int | None
) -> str:
    """Format in one line what is left to train and about how long that will take.

    Args:
        config: The config.
        results: Folder of results.
        targets: The requested rules and files.
        cores: Cores that train in parallel; None on a cluster.

    Returns:
        The line; empty if the targets need no training.
    """
    needed = _needed(config, targets)
    if not needed:
        return ""
    estimate = Estimate(config, results)
    studies, trainings = estimate.what_is_left(needed)
    what = []
    if trainings:
        what.append(f"{sum(job.most for job in trainings):,} epochs of {len(trainings)} networks")
    if studies:
        most, expected = (sum(getattr(job, name) for job in studies) for name in ("most", "epochs"))
        names = f"{len(studies)} studies" if len(studies) > 1 else "a study"
        what.append(f"at most {most:,} epochs in {names} (about {expected:,.0f} expected)")
    if not what:
        return "Nothing is left to train."
    images = f"Left to train: {' and '.join(what)}, {estimate.images:,} images per epoch"
    time = span(in_order(studies, trainings), cores or 1)
    if math.isnan(time):
        return f"{images}; how long that will take on this machine is not known yet."
    side_by_side = "one core" if cores == 1 else f"{cores} cores"
    where = f"on {side_by_side} here" if cores else "of CPU time on cores like this machine's"
    return f"{images}; about {duration(time)} {where}."


def left(
    config: Mapping[str, Any],
    results: Path,
    targets: Iterable[str],
    cores: int | None,
    steps: Mapping[str, int],
) -> float:
    """Estimate the seconds left of a run that has begun.

    Args:
        config, results, targets, cores: As for `line`.
        steps: How many steps of each rule are left.

    Returns:
        Seconds; nan if a speed is unknown, and on a cluster, whose queue nobody knows.
    """
    if cores is None:
        return math.nan
    studies, trainings = Estimate(config, results).what_is_left(_needed(config, targets))
    others = sum(number for rule, number in steps.items() if not rule.startswith(TRAINS))
    return span([*in_order(studies, trainings), *[STEP] * others], cores)


def _needed(config: Mapping[str, Any], targets: Iterable[str]) -> list[str]:
    """List the parts of the config that must be trained for the targets."""
    wanted = list(targets)
    return [
        part
        for part, known in TARGETS.items()
        # An analysis listed in the config is also part of `all` and of the report.
        for prefixes in [known + TARGETS["search"][:2] * (part in config["analyses"])]
        if any(target.startswith(prefixes) for target in wanted)
    ]


def in_order(studies: Sequence[Job], trainings: Sequence[Job]) -> list[float]:
    """Return the seconds of each job, in the order in which the workflow starts them."""
    return [job.seconds for job in [*studies[:1], *trainings, *studies[1:]]]


def mistakes(config: Config) -> Iterator[Mistake]:
    """Refuse a table of more modules than the config allows, with size and cost."""
    whole = [name for name in ("module_table", "timing") if name in config["analyses"]]
    most, networks = config["module_table"]["most_modules"], Networks.of(config["model"])
    if whole and networks.number_of_modules > most:
        analyses = " and ".join(whole)
        what = (
            f"{most:,}, but {len(networks.kinds)} kinds in {networks.module_layers} positions make"
            f" {networks.number_of_modules:,} modules, and {analyses} would need them all:"
            f" {_table_cost(config)}; write most_modules: {networks.number_of_modules} to pay that,"
            f" or take {analyses} out of analyses, as studies need only some modules"
        )
        yield Mistake(("module_table", "most_modules"), what)


def _table_cost(config: Config, results: Path = Path("results")) -> str:
    """Format what the table of all modules would cost."""
    estimate, table = Estimate(config, results), config["module_table"]
    networks, training = estimate.networks, settings.of_modules(config)
    number = networks.number_of_modules * table["replicates"]
    images = table["epochs"] * estimate.cost_images
    each = [
        START + images * estimate.seconds([kind] * networks.module_layers, training)
        for kind in networks.kinds
    ]
    time = number * sum(each) / len(each)
    what = f"{number:,} trainings, {number * table['epochs']:,} epochs"
    return what if math.isnan(time) else f"{what}, about {duration(time)} of CPU time"


def span(seconds: Sequence[float], cores: int) -> float:
    """Return how long jobs take in parallel, each starting when a core is free."""
    ends = [0.0] * cores
    for length in seconds:
        ends[ends.index(min(ends))] += length
    return math.nan if any(map(math.isnan, seconds)) else max(ends)
