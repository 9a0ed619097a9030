"""Recorded runs: the small text files of a run, kept for others to compare theirs with.

A recorded run is a results folder of its own, which `Results` reads, with ``config.yaml`` to run it
again and ``reference.json``, written last, which says what it is.

``python -m convstudy.recorded NAME`` records the finished run. It is no rule: what is recorded is
an input of every later run's report, and must not be made anew by it.
"""

import argparse
import re
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from convstudy import article
from convstudy.errors import UserError
from convstudy.extras import EXTRAS
from convstudy.files import file_digest, read_json, replacing, write_json, write_text
from convstudy.layers import KINDS
from convstudy.logs import duration
from convstudy.provenance import now
from convstudy.results import Results, result_files

FOLDER = "reference"
MOST_BYTES = 1_000_000


def record(results: Results, folder: Path) -> None:
    """Copy a run's files.

    Parameters
    ----------
    results : Results
        The run.
    folder : Path
        Where they go; its name is the record's.

    Raises
    ------
    UserError
        If the run's code is in no commit, or a file is too large to be kept.
    """
    import yaml

    if results.provenance["dirty"] or not results.provenance["commit"]:
        raise UserError(
            f"{folder}: the run's code is in no commit, so nobody could run it again; commit the"
            " changes and run the workflow once more (curves are kept)"
        )
    digests = {}
    for name in [*result_files(list(results.studies), results.extras), "claims.csv"]:
        path = results.path(name)
        if path.stat().st_size > MOST_BYTES:
            raise UserError(
                f"{folder}: {name} has {path.stat().st_size / 1e6:.1f} MB, and allowed are"
                f" {MOST_BYTES / 1e6:g} MB a file; remove results/{name.partition('/')[0]} to"
                " leave that part out"
            )
        with replacing(folder / name) as temporary:
            shutil.copyfile(path, temporary)
        digests[name] = file_digest(folder / name)
    config = {section: dict(values) for section, values in results.run["config"].items()}
    # The folder is that machine's own.
    config["data"]["directory"] = None
    write_text(folder / "config.yaml", yaml.safe_dump(config, sort_keys=False))
    targets = " ".join(["all", *(EXTRAS[extra].target for extra in results.extras)])
    command = f"snakemake --cores all {targets} --configfile {folder}/config.yaml"
    about = {"name": folder.name, "recorded": now(), "command": command, "sha256": digests}
    write_json(folder / "reference.json", about)


def runs(results: Path) -> list[Results]:
    """Read the runs that are recorded below a results folder, by name."""
    return [Results(path.parent) for path in sorted(results.glob(f"{FOLDER}/*/reference.json"))]


def tabulate(results: Results, recorded: Sequence[Results]) -> pd.DataFrame:
    """Put the article, recorded runs and this run beside each other.

    Returns
    -------
    DataFrame
        A row a run: ``run``, ``date``, ``device``, ``data``, ``width``, ``epochs``,
        ``replicates``, each layer kind (mean over replicates of the best test accuracy over
        epochs), ``time`` (of its single-kind trainings), ``commit``.
    """
    source = article.load()["source"]
    rows: list[dict[str, Any]] = [
        {
            "run": "The article",
            "date": str(source["published"]),
            "width": 1.0,
            **{kind: value for kind, value in article.accuracies().items() if kind in KINDS},
        }
    ]
    runs = [(read_json(run.folder / "reference.json")["name"], run) for run in recorded]
    for name, run in [*runs, ("This run", results)]:
        training, about = run.training, run.provenance
        used = run.data["used"]
        kind = "synthetic" if run.synthetic else run.data["encoding"].upper()
        rows.append(
            {
                "run": name,
                "date": about["created"][:10],
                "device": ", ".join(sorted(set(training["device"]))),
                "data": f"{kind}, {used['train']:,} + {used['test']:,}",
                "width": run.run["config"]["model"]["width"],
                "epochs": int(training["epochs"].max()),
                "replicates": int(training.groupby("kind").size().min()),
                **training.groupby("kind")["test_accuracy_best"].mean().to_dict(),
                "time": duration(float(training["seconds"].sum())),
                "commit": (about["commit"] or "unknown")[:12],
            }
        )
    columns = ["run", "date", "device", "data", "width", "epochs", "replicates", *KINDS]
    return pd.DataFrame(rows, columns=[*columns, "time", "commit"])


def main(arguments: Sequence[str] | None = None) -> None:
    """Record the finished run in results/ under a name, for others to compare with."""
    parser = argparse.ArgumentParser(prog="python -m convstudy.recorded", description=main.__doc__)
    parser.add_argument("name", help="lower-case letters, digits and hyphens")
    parser.add_argument("--results", type=Path, default=Path("results"))
    chosen = parser.parse_args(arguments)
    folder = chosen.results / FOLDER / chosen.name
    try:
        if not re.fullmatch("[a-z0-9][a-z0-9-]*", chosen.name):
            raise UserError(
                f"{chosen.name!r} is no name for a recorded run; allowed are lower-case letters,"
                " digits and hyphens; write for example h100-article"
            )
        if folder.exists():
            raise UserError(f"{folder} is there already; remove it first, or take another name")
        record(Results(chosen.results), folder)
    except UserError as error:
        sys.exit(str(error))
    print(f"recorded in {folder}; commit it, and the next report shows it")


if __name__ == "__main__":
    main()
