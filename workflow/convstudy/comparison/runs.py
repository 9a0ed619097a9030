"""The two runs of a comparison: where they are, and what they trained and judged."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from convstudy.config.mistakes import suggestion
from convstudy.core.errors import UserError
from convstudy.results.reference_runs import ABOUT, PRIMARY
from convstudy.results.run import Results
from convstudy.training import record

RECORDED = Path("results/reference")
TRAININGS = [pattern for pattern in PRIMARY if pattern.endswith(".json")]
SINGLE, MODULES = "single kinds", "modules"

Json = Mapping[str, Any]
# The part of the run, and the network's name.
Network = tuple[str, str]
Trainings = Mapping[Network, Sequence[Json]]


def find(name: str, recorded: Path = RECORDED) -> Path:
    """Find a run by the name under which it was recorded, or by its results folder.

    Raises:
        UserError: If there is no such run.
    """
    if (recorded / name / "reference.json").is_file():
        return recorded / name
    if Path(name).is_dir():
        return Path(name)
    known = [path.parent.name for path in sorted(recorded.glob("*/reference.json"))]
    hint = suggestion(name, known, "name a results folder")
    raise UserError(
        f"{name!r} is neither a recorded run ({', '.join(known) or 'there are none'}) nor a"
        f" folder; {hint}"
    )


def open_run(folder: Path) -> Results:
    """Open a results folder or a recorded run.

    Raises:
        UserError: If it is neither, or one that this version cannot read.
    """
    run = Results(folder)
    for name in ABOUT:
        if not (folder / name).is_file():
            raise UserError(
                f"{folder} is no run: it has no {name}; name a recorded run, such as cpu-small, or"
                " a results folder that the workflow made"
            )
    try:
        missing = [key for key in ("config", "reductions") if key not in run.run]
        missing += [key for key in ("digest", "used", "synthetic") if key not in run.data]
    except ValueError as error:
        raise UserError(f"{folder} cannot be read: {error}; copy the run again") from None
    if missing:
        raise UserError(
            f"{folder} was made by a version whose results cannot be read ({missing[0]} is"
            " missing); run the workflow again with its settings"
        )
    return run


def name_of(run: Results) -> str:
    """Name a run by its folder; a folder called results by the one above it."""
    folder = run.folder.resolve()
    return folder.parent.name if folder.name == "results" else folder.name


def names_of(a: Results, b: Results) -> tuple[str, str]:
    """Name two runs so that they can be told apart."""
    names = name_of(a), name_of(b)
    if names[0] == names[1]:
        return f"{names[0]} (first)", f"{names[1]} (second)"
    return names


def sources(folder: Path) -> list[Path]:
    """List the files of a run that a comparison reads."""
    patterns = [*ABOUT, "claims.csv", "search/*/trials.csv", *TRAININGS]
    return sorted(path for pattern in patterns for path in folder.glob(pattern))


def claims_of(run: Results) -> pd.DataFrame:
    """Read the verdicts of a run; part of a run has none."""
    return run.table("claims.csv") if run.has("claims.csv") else pd.DataFrame(columns=["id"])


def same_test_images(a: Results, b: Results) -> bool:
    """Check whether both runs were tested on the same images, in the same order."""
    one, other = a.data, b.data
    if one["digest"] == other["digest"]:
        return True
    if a.own_images or b.own_images or a.synthetic or b.synthetic:
        return False
    # They are drawn by seed, whatever else is drawn; all of them need no seed.
    drawn = one["used"]["test"] != one["available"]["test"]
    keys = ("encoding", "available", *(["seed"] if drawn else []))
    return one["used"]["test"] == other["used"]["test"] and all(one[k] == other[k] for k in keys)


def trainings(run: Results) -> dict[Network, list[Json]]:
    """Read the finished trainings of a run, by part of the run and network."""
    config, found = run.run["config"], dict[Network, list[Json]]()
    for pattern in TRAININGS:
        section = pattern.partition("/")[0]
        if section != "training" and section not in run.analyses:
            continue
        for path in sorted(run.folder.glob(pattern)):
            curve = record.load_description(str(path))
            # A folder may have trainings of earlier settings.
            current = curve["identity"]["data"] == run.data["digest"]
            if current and curve["replicate"] < config[section]["replicates"]:
                part = _part(section, path.parent.name)
                found.setdefault((part, curve["model"]), []).append(curve)
    return {
        network: done
        for network, curves in found.items()
        if (done := [curve for curve in curves if curve["status"] == "finished"])
    }


def _part(section: str, folder: str) -> str:
    if section == "recipes":
        return f"recipe {folder}"
    if section == "depth":
        return f"{folder} layer{'s' * (folder != '1')} per stage"
    return {"training": SINGLE, "module_table": MODULES}[section]


def identity(curve: Json) -> tuple[str, tuple[float, ...]]:
    """Return what makes two trainings the same one: its key and what it measured."""
    return curve["curve"], tuple(epoch["test_accuracy"] for epoch in curve["records"])


def distinct(found: Trainings) -> dict[Any, Json]:
    """Return each training once, by its identity, whatever parts of the run it belongs to."""
    return {identity(curve): curve for part in found.values() for curve in part}


def work(run: Results, found: Trainings) -> dict[str, float]:
    """Count what a run trained.

    Args:
        run: The run.
        found: Its trainings.

    Returns:
        ``trainings``, their ``epochs`` and ``seconds``, each counted once; and, of the studies,
        ``trials``, ``epochs_trained`` and ``epochs_reused``.
    """
    curves = distinct(found)
    epochs = [epoch for curve in curves.values() for epoch in curve["records"]]
    counts: dict[str, float] = {
        "trainings": len(curves),
        "epochs": len(epochs),
        "seconds": sum(epoch["seconds"] for epoch in epochs),
    }
    names = [f"search/{study}/trials.csv" for study in run.studies_planned]
    trials = [run.table(name) for name in names if run.has(name)]
    if trials:
        counts["trials"] = sum(map(len, trials))
        for name in ("epochs_trained", "epochs_reused"):
            counts[name] = sum(int(table[name].sum()) for table in trials)
    return counts


def shared(a: Trainings, b: Trainings) -> int:
    """Count the trainings that are the same in both runs."""
    return len(distinct(a).keys() & distinct(b).keys())
