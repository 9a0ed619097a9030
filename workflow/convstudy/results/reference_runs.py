"""Recorded runs: the small text files of a run, kept so that others can compare theirs.

A recorded run is a results folder that `Results` can read, with ``config.yaml`` to repeat the run
and ``reference.json``, written last, which describes it. It may be part of a run, and can grow:
recording again under the same name adds to it.

``python -m convstudy record NAME`` records what is finished. This is not a rule, as recorded runs
are inputs of every later report, which must not remake them. `make derive` remakes the tables and
claims of a recorded run with the workflow's own rules, without training.
"""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd

from convstudy.article import facts
from convstudy.config import analyses, settings
from convstudy.core import files
from convstudy.core.environment import commit_name, now
from convstudy.core.errors import UserError
from convstudy.core.progress import duration
from convstudy.layers.networks import ARTICLE
from convstudy.results import scale
from convstudy.results.run import CONFIG, FOR_CLAIMS, Results, result_files, write_config
from convstudy.training import store
from convstudy.training.precision import GRID_PASSED
from convstudy.training.record import load_description, tabulate_single_kind

FOLDER = "reference"
# The complete records of the single-kind trainings, from which two tables are made.
CURVES = "training/curves"
# What was trained or measured. The workflow derives everything else from it, except NOT_DERIVED.
PRIMARY = (
    f"{CURVES}/*.json",
    "module_table/trainings/*.json",
    "recipes/trainings/*/*.json",
    "depth/trainings/*/*.json",
    "depth/processes/*.csv",
    "timing/processes/*.csv",
)
NOT_DERIVED = ("*.json", "data/*", "verification/*", "counts/*", "search/*/*")
TABLES = ("training/summary.csv", "training/curves.csv")
# Files that every run has, which are not results.
ABOUT = ("run.json", "provenance.json", "data/summary.json")
MOST_BYTES = 1_000_000
# Settings that change how results are made, but not the results.
OF_THE_MACHINE = {"data": ("directory",), "training": ("device", "jit_compile", "threads")}


def record(results: Results, folder: Path) -> None:
    """Copy the files that a run has so far.

    Args:
        results: The run.
        folder: Where to copy them; the folder's name is the record's.

    Raises:
        UserError: If the run's code is uncommitted, nothing is finished, a file is too large, a
            curve may be wrong, or the folder has a run with other settings or another curve.
    """
    if results.provenance["dirty"] or not results.provenance["commit"]:
        raise UserError(
            f"{folder}: the run's code was not committed, so nobody could repeat the run; commit"
            " the changes and run the workflow again (curves are kept)"
        )
    _require_same_run(results, folder)
    names = [*result_files(results.studies_planned), *FOR_CLAIMS, "claims.csv"]
    found = [path for path in map(results.folder.joinpath, names) if path.is_file()]
    for name in results.analyses:
        for pattern in ("[!.]*.csv", "[!.]*.md"):
            found += sorted((results.folder / name).glob(pattern))
    trained = _finished_curves(results)
    primary = [
        path
        for pattern in PRIMARY
        if pattern.partition("/")[0] in results.analyses
        for path in results.folder.glob(pattern)
    ]
    if len(found) + len(trained) + len(primary) <= len(ABOUT):
        raise UserError(
            f"{folder}: nothing in {results.folder} is finished; wait for the first curve"
        )
    for path, curve in trained.items():
        _require_right(path, curve, folder)
    for path in [*found, *trained, *primary]:
        _copy(path, folder / path.relative_to(results.folder))
    if any(folder.glob(f"{CURVES}/*.json")):
        for name, table in zip(
            TABLES, _tabulate_curves(folder, list(results.networks.kinds)), strict=True
        ):
            files.write_csv(folder / name, table)
    _describe(results, folder)


def _require_same_run(results: Results, folder: Path) -> None:
    """Refuse to add results made with other settings to a record."""
    if not (folder / "reference.json").is_file():
        return
    known = Results(folder)
    old, new = (_comparable(run.run["config"]) for run in (known, results))
    other = [f"section {key}" for key in old if key in new and old[key] != new[key]]
    if known.data["digest"] != results.data["digest"]:
        other.append("other images")
    if other:
        raise UserError(
            f"{folder} has other settings ({', '.join(other)}); choose another name, or remove it"
        )


def _comparable(config: dict[str, Any]) -> dict[str, Any]:
    """Leave out settings that change how results are made, but not the results.

    Settings that an earlier version did not have get their defaults. Those of analyses that were
    not made say nothing.
    """
    kept = settings.filled(config)
    made = kept.pop("analyses")
    for name in analyses.names():
        if name not in made:
            kept.pop(name, None)
    for section, keys in OF_THE_MACHINE.items():
        for key in keys:
            del kept[section][key]
    return kept


def _finished_curves(results: Results) -> dict[Path, dict[str, Any]]:
    """Read the single-kind curves made with the run's settings; the folder may have older ones."""
    images = SimpleNamespace(digest=results.data["digest"])
    planned = store.single_kind_curves(results.run["config"], Path(), images)
    names = {curve.name for curve in planned}
    found = {path: load_description(str(path)) for path in results.folder.glob(f"{CURVES}/*.json")}
    return {path: curve for path, curve in sorted(found.items()) if curve["curve"] in names}


def _require_right(path: Path, curve: dict[str, Any], folder: Path) -> None:
    """Refuse a curve that differs from the recorded one, or that bfloat16 may have corrupted."""
    known = folder / CURVES / path.name
    if known.is_file() and load_description(str(known))["records"] != curve["records"]:
        raise UserError(
            f"{known} differs from {path}, which was retrained; keep the recorded one, or remove"
            " it first"
        )
    for epoch in curve["records"]:
        on_cpu = epoch["device"] == "cpu" and epoch.get("matmul_precision") == "bfloat16"
        if on_cpu and not epoch["processor"].endswith(GRID_PASSED):
            raise UserError(
                f"{path}: epoch {epoch['epoch']} was computed in bfloat16 on {epoch['processor']},"
                f" which is untested; tested are {GRID_PASSED}; run"
                " tests/unit/training/test_precision.py there and, if it passes, add it to"
                " GRID_PASSED in workflow/convstudy/training/precision.py"
            )


def copy_primary(folder: Path, target: Path, article: Path) -> None:
    """Copy a recorded run's primary files, so that the workflow derives all others from them.

    All copies get the same modification time, so that none looks older than its inputs.

    Args:
        folder: The recorded run.
        target: The results folder to copy to.
        article: The overlay for the article's scale, which may have changed since the run.

    Raises:
        UserError: If there is no such run, or it has no primary files.
    """
    if not (folder / "reference.json").is_file():
        raise UserError(f"{folder} is not a recorded run; name one of those in {folder.parent}")
    import yaml

    found = [path for pattern in PRIMARY for path in folder.glob(pattern)]
    if not found:
        raise UserError(
            f"{folder} has none of {', '.join(PRIMARY)}: it was recorded by an earlier version, or"
            " without any analysis; run and record it again"
        )
    kept = [path for pattern in NOT_DERIVED for path in folder.glob(pattern) if path.is_file()]
    for path in [*found, *kept]:
        copy = target / path.relative_to(folder)
        _copy(path, copy)
        if copy == target / "run.json":
            run, data = Results(folder).run, Results(folder).data
            theirs = yaml.safe_load(article.read_text(encoding="utf-8"))
            today = scale.reductions(scale.differences(run["config"], theirs, data))
            files.write_json(copy, {**run, "reductions": today})
        os.utime(copy, (0, 0))


def _copy(source: Path, target: Path) -> None:
    if source.stat().st_size > MOST_BYTES:
        raise UserError(
            f"{target}: {source} has {source.stat().st_size / 1e6:.1f} MB, but at most"
            f" {MOST_BYTES / 1e6:g} MB are allowed; remove {source.parent} to leave that part out"
        )
    with files.replacing(target) as temporary:
        shutil.copyfile(source, temporary)


def _tabulate_curves(folder: Path, kinds: Sequence[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Tabulate all recorded curves, in the workflow's order."""
    found = [load_description(str(path)) for path in folder.glob(f"{CURVES}/*.json")]
    return tabulate_single_kind(
        sorted(found, key=lambda curve: (kinds.index(curve["model"]), curve["replicate"]))
    )


def _describe(results: Results, folder: Path) -> None:
    """Write the run's config and, last, the description of the record."""
    write_config(folder / CONFIG, results.run["config"])
    recorded = Results(folder)
    if recorded.partial and recorded.has(TABLES[0]):
        command = f"python benchmarks/train_curves.py {folder / CONFIG}"
    else:
        command = f"snakemake --cores all --configfile {folder / CONFIG}"
    kept = [path for path in sorted(folder.rglob("*.*")) if path.name != "reference.json"]
    digests = {path.relative_to(folder).as_posix(): files.file_digest(path) for path in kept}
    about = {"name": folder.name, "recorded": now(), "command": command, "sha256": digests}
    files.write_json(folder / "reference.json", about)


def runs(results: Path) -> list[Results]:
    """Read the runs recorded in a results folder, sorted by name."""
    return [Results(path.parent) for path in sorted(results.glob(f"{FOLDER}/*/reference.json"))]


def at_article_scale(results: Path) -> list[Results]:
    """Read the recorded runs of the article's networks at its scale, in part or whole.

    Those with the most networks come first, then those with the most trainings of each.
    """
    found = [
        run
        for run in runs(results)
        if run.networks.is_article and not run.reductions and run.has(TABLES[0])
    ]

    def trainings(run: Results) -> tuple[int, int]:
        sizes = run.training.groupby("kind").size()
        return len(sizes), int(sizes.min())

    return sorted(found, key=trainings, reverse=True)


def tabulate(results: Results, recorded: Sequence[Results]) -> pd.DataFrame:
    """Compare the article, the recorded runs that have single-kind trainings, and this run.

    Returns:
        A row per run: ``run``, ``date``, ``device``, ``data``, ``width``, ``epochs``,
        ``replicates`` (as text: in part of a run, kinds may have different numbers), each layer
        kind (mean over replicates of the best test accuracy over epochs), ``time`` (of its
        single-kind trainings), ``commit``.
    """
    source = facts.load()["source"]
    rows: list[dict[str, Any]] = [
        {"run": "The article", "date": str(source["published"]), "width": 1.0, **facts.accuracies()}
    ]
    runs = [
        (files.read_json(run.folder / "reference.json")["name"], run)
        for run in recorded
        if run.networks.is_article and run.has(TABLES[0])
    ]
    for name, run in [*runs, ("This run", results)]:
        about, used = run.provenance, run.data["used"]
        kind = "synthetic" if run.synthetic else run.data["encoding"].upper()
        row = {
            "run": name,
            "date": about["created"][:10],
            "data": f"{kind}, {used['train']:,} + {used['test']:,}",
            "width": run.run["config"]["model"]["width"],
            "commit": commit_name(about).removeprefix("commit "),
        }
        training = run.training
        row |= {
            "device": ", ".join(sorted(set(training["device"]))),
            "epochs": int(training["epochs"].max()),
            "replicates": numbers(training.groupby("kind").size()),
            **training.groupby("kind")["test_accuracy_best"].mean().to_dict(),
            "time": duration(float(training["seconds"].sum())),
        }
        rows.append(row)
    columns = ["run", "date", "device", "data", "width", "epochs", "replicates", *ARTICLE.kinds]
    return pd.DataFrame(rows, columns=[*columns, "time", "commit"])


def numbers(sizes: pd.Series) -> str:
    """Format numbers as one number or a range."""
    return " to ".join(dict.fromkeys((str(sizes.min()), str(sizes.max()))))
