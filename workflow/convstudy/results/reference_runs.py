"""Recorded runs: the small text files of a run, kept for others to compare theirs with.

A recorded run is a results folder of its own, which `Results` reads, with ``config.yaml`` to run it
again and ``reference.json``, written last, which says what it is. It may be a part of a run, which
grows: what is recorded again under the same name is added.

``python -m convstudy record NAME`` records what is finished. It is no rule: what is recorded is
an input of every later run's report, and must not be made anew by it. `make derive` makes tables
and claims of a recorded run anew, by the workflow's own rules, without training.
"""

import copy
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd

from convstudy.article import facts
from convstudy.config import settings
from convstudy.core import files
from convstudy.core.environment import now
from convstudy.core.errors import UserError
from convstudy.core.progress import duration
from convstudy.layers.kinds import KINDS
from convstudy.results.run import Results, result_files
from convstudy.training import store
from convstudy.training.precision import GRID_PASSED
from convstudy.training.record import load_description, tabulate_single_kind

FOLDER = "reference"
# The whole records of the single-kind trainings; two tables are made of them.
CURVES = "training/curves"
# What was trained or measured, from which the workflow derives all but these.
PRIMARY = (
    f"{CURVES}/*.json",
    "module_table/trainings/*.json",
    "recipes/trainings/*/*.json",
    "timing/processes/*.csv",
)
NOT_DERIVED = ("*.json", "data/*", "verification/*", "counts/*", "search/*/*")
TABLES = ("training/summary.csv", "training/curves.csv")
# What every run has, and what alone is no result.
ABOUT = ("run.json", "provenance.json", "data/summary.json")
MOST_BYTES = 1_000_000
# Settings that change how a result is made, and not what it says.
OF_THE_MACHINE = {"data": ("directory",), "training": ("device", "jit_compile", "threads")}


def record(results: Results, folder: Path) -> None:
    """Copy a run's files, or those that it has so far.

    Args:
        folder: Where they go; its name is the record's.

    Raises:
        UserError: If the run's code is in no commit, nothing is finished, a file is too large to be
            kept, a curve may be wrong, or the folder has a run of other settings or another curve.
    """
    if results.provenance["dirty"] or not results.provenance["commit"]:
        raise UserError(
            f"{folder}: the run's code is in no commit, so nobody could run it again; commit the"
            " changes and run the workflow once more (curves are kept)"
        )
    _require_same_run(results, folder)
    names = [*result_files(results.studies_planned), "claims.csv"]
    found = [path for path in map(results.folder.joinpath, names) if path.is_file()]
    for name in results.analyses:
        for pattern in ("[!.]*.csv", "[!.]*.md"):
            found += sorted((results.folder / name).glob(pattern))
    trained = _finished_curves(results)
    if len(found) + len(trained) <= len(ABOUT):
        raise UserError(
            f"{folder}: nothing in {results.folder} is finished; record it when a curve is"
        )
    for path, curve in trained.items():
        _require_right(path, curve, folder)
    primary = [
        path
        for pattern in PRIMARY
        if pattern.partition("/")[0] in results.analyses
        for path in results.folder.glob(pattern)
    ]
    for path in [*found, *trained, *primary]:
        _copy(path, folder / path.relative_to(results.folder))
    if any(folder.glob(f"{CURVES}/*.json")):
        for name, table in zip(TABLES, _tabulate_curves(folder), strict=True):
            files.write_csv(folder / name, table)
    _describe(results, folder)


def _require_same_run(results: Results, folder: Path) -> None:
    """Refuse to add to a record what is of other settings."""
    if not (folder / "reference.json").is_file():
        return
    known = Results(folder)
    theirs, ours = (_comparable(run.run["config"]) for run in (known, results))
    other = [f"section {key}" for key in {**theirs, **ours} if theirs.get(key) != ours.get(key)]
    if known.data["digest"] != results.data["digest"]:
        other.append("other images")
    if other:
        raise UserError(
            f"{folder} is of other settings ({', '.join(other)}); take another name, or remove it"
        )


def _comparable(config: dict[str, Any]) -> dict[str, Any]:
    """Leave out what changes how a result is made, and not what it says."""
    kept = {
        section: {
            key: value
            for key, value in values.items()
            if key not in OF_THE_MACHINE.get(section, ())
        }
        for section, values in copy.deepcopy(config).items()
        if section != "analyses"
    }
    settings.drop_gone(kept)
    return kept


def _finished_curves(results: Results) -> dict[Path, dict[str, Any]]:
    """Read the single-kind curves that are of the run's settings; older ones may lie there, too."""
    images = SimpleNamespace(digest=results.data["digest"])
    planned = store.single_kind_curves(results.run["config"], Path(), images)
    names = {curve.name for curve in planned}
    found = {path: load_description(str(path)) for path in results.folder.glob(f"{CURVES}/*.json")}
    return {path: curve for path, curve in sorted(found.items()) if curve["curve"] in names}


def _require_right(path: Path, curve: dict[str, Any], folder: Path) -> None:
    """Refuse a curve that differs from the recorded one, or that bfloat16 may have made wrong."""
    known = folder / CURVES / path.name
    if known.is_file() and load_description(str(known))["records"] != curve["records"]:
        raise UserError(
            f"{known} differs from {path}, which was trained anew; keep the recorded one, or"
            " remove it first"
        )
    for epoch in curve["records"]:
        on_cpu = epoch["device"] == "cpu" and epoch.get("matmul_precision") == "bfloat16"
        if on_cpu and not epoch["processor"].endswith(GRID_PASSED):
            raise UserError(
                f"{path}: epoch {epoch['epoch']} was computed in bfloat16 on {epoch['processor']},"
                f" where the grid of convolutions was not tried; allowed are {GRID_PASSED}; run"
                " tests/unit/training/test_precision.py there and, if it passes, add it to"
                " GRID_PASSED in workflow/convstudy/training/precision.py"
            )


def copy_primary(folder: Path, target: Path) -> None:
    """Copy what a recorded run's other files are derived from, so that the workflow makes these.

    All copies have the same time of change, so that none seems to be older than what it is made of.

    Raises:
        UserError: If there is no such run, or it has too little.
    """
    if not (folder / "reference.json").is_file():
        raise UserError(f"{folder} is no recorded run; write the name of one in {folder.parent}")
    found = [path for pattern in PRIMARY for path in folder.glob(pattern)]
    if not found:
        raise UserError(
            f"{folder} has none of {', '.join(PRIMARY)}, as it was recorded before these were kept"
            " or has no analysis but the article's; run and record it again"
        )
    kept = [path for pattern in NOT_DERIVED for path in folder.glob(pattern) if path.is_file()]
    for path in [*found, *kept]:
        copy = target / path.relative_to(folder)
        _copy(path, copy)
        os.utime(copy, (0, 0))


def _copy(source: Path, target: Path) -> None:
    if source.stat().st_size > MOST_BYTES:
        raise UserError(
            f"{target}: {source} has {source.stat().st_size / 1e6:.1f} MB, and allowed are"
            f" {MOST_BYTES / 1e6:g} MB a file; remove {source.parent} to leave that part out"
        )
    with files.replacing(target) as temporary:
        shutil.copyfile(source, temporary)


def _tabulate_curves(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Make the tables of all recorded curves, in the workflow's order."""
    found = [load_description(str(path)) for path in folder.glob(f"{CURVES}/*.json")]
    kinds = list(KINDS)
    return tabulate_single_kind(
        sorted(found, key=lambda one: (kinds.index(one["model"]), one["replicate"]))
    )


def _describe(results: Results, folder: Path) -> None:
    """Write the run's config, and last what the record is."""
    import yaml

    config = copy.deepcopy(results.run["config"])
    # The folder is that machine's own, and the next run's version may lack a setting.
    config["data"]["directory"] = None
    settings.drop_gone(config)
    settings.remove_others(config)
    files.write_text(folder / "config.yaml", yaml.safe_dump(config, sort_keys=False))
    recorded = Results(folder)
    if recorded.partial:
        command = f"python benchmarks/train_curves.py {folder}/config.yaml"
    else:
        command = f"snakemake --cores all --configfile {folder}/config.yaml"
    kept = [path for path in sorted(folder.rglob("*.*")) if path.name != "reference.json"]
    digests = {path.relative_to(folder).as_posix(): files.file_digest(path) for path in kept}
    about = {"name": folder.name, "recorded": now(), "command": command, "sha256": digests}
    files.write_json(folder / "reference.json", about)


def runs(results: Path) -> list[Results]:
    """Read the runs that are recorded below a results folder, by name."""
    return [Results(path.parent) for path in sorted(results.glob(f"{FOLDER}/*/reference.json"))]


def tabulate(results: Results, recorded: Sequence[Results]) -> pd.DataFrame:
    """Put the article, recorded runs and this run beside each other.

    Returns:
        A row a run: ``run``, ``date``, ``device``, ``data``, ``width``, ``epochs``, ``replicates``
        (as text: in a part of a run, some kinds may have more than others), each layer kind (mean
        over replicates of the best test accuracy over epochs), ``time`` (of its single-kind
        trainings), ``commit``.
    """
    source = facts.load()["source"]
    rows: list[dict[str, Any]] = [
        {
            "run": "The article",
            "date": str(source["published"]),
            "width": 1.0,
            **{kind: value for kind, value in facts.accuracies().items() if kind in KINDS},
        }
    ]
    runs = [(files.read_json(run.folder / "reference.json")["name"], run) for run in recorded]
    for name, run in [*runs, ("This run", results)]:
        about, used = run.provenance, run.data["used"]
        kind = "synthetic" if run.synthetic else run.data["encoding"].upper()
        row = {
            "run": name,
            "date": about["created"][:10],
            "data": f"{kind}, {used['train']:,} + {used['test']:,}",
            "width": run.run["config"]["model"]["width"],
            "commit": (about["commit"] or "unknown")[:12],
        }
        # A part of a run may have none.
        if run.has(TABLES[0]):
            training = run.training
            row |= {
                "device": ", ".join(sorted(set(training["device"]))),
                "epochs": int(training["epochs"].max()),
                "replicates": _counts(training.groupby("kind").size()),
                **training.groupby("kind")["test_accuracy_best"].mean().to_dict(),
                "time": duration(float(training["seconds"].sum())),
            }
        rows.append(row)
    columns = ["run", "date", "device", "data", "width", "epochs", "replicates", *KINDS]
    return pd.DataFrame(rows, columns=[*columns, "time", "commit"])


def _counts(sizes: pd.Series) -> str:
    """Write numbers as one number or a range."""
    return " to ".join(dict.fromkeys((str(sizes.min()), str(sizes.max()))))
