"""Measure and simulate the cost of a study on 1 to 512 GPUs, for docs/scaling.md.

python benchmarks/scaling.py measure    measures costs on this machine: docs/scaling/costs.csv
python benchmarks/scaling.py simulate   replays docs/scaling/curves.csv: docs/scaling/simulated.csv
python benchmarks/scaling.py render     puts both into docs/scaling.md

curves.csv has the curves of the studies of one quick run: results/search/*/curves.csv, joined.
With CONVSTUDY_STORAGE set, claims are also measured on PostgreSQL.
"""

import argparse
import logging
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from convstudy.core.files import write_csv, write_text
from convstudy.data.dataset import load_arrays, prepare
from convstudy.layers.networks import ARTICLE
from convstudy.search.study import Search
from convstudy.training.curve import Curve
from convstudy.training.trainer import Trainer
from document import ROOT, config, machine, markdown, with_parts
from simulation import Costs, ReplayedCurve, World, replayed, simulate

FOLDER = ROOT / "docs/scaling"
DOCUMENT = ROOT / "docs/scaling.md"
REPEATS = 5
EPOCHS = 100


def timed(action: Callable[[], Any]) -> float:
    """Return the seconds that an action takes."""
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def command(*arguments: str) -> Callable[[], Any]:
    """Turn a command line into an action."""
    return lambda: subprocess.run(arguments, cwd=ROOT, check=True, capture_output=True)


def measure() -> Iterator[dict[str, Any]]:
    """Measure all costs other than training, with a row for each."""

    def row(what: str, seconds: list[float], unit: str = "s") -> dict[str, Any]:
        return {
            "what": what,
            "median": round(statistics.median(seconds), 4),
            "least": round(min(seconds), 4),
            "most": round(max(seconds), 4),
            "unit": unit,
            "repeats": len(seconds),
        }

    def repeated(what: str, action: Callable[[], Any]) -> dict[str, Any]:
        action()
        return row(what, [timed(action) for _ in range(REPEATS)])

    python = sys.executable
    snakemake = command(python, "-m", "snakemake", "--dry-run", "--quiet", "all")
    yield repeated("Snakemake reads the workflow (a cluster job does so twice)", snakemake)
    imports = "from convstudy.provenance import job; from convstudy.search import study"
    yield repeated("a search job's imports, Optuna among them", command(python, "-c", imports))
    backend = (
        "from convstudy.training.engine import backends as b; b.use_backend('tensorflow', 'cpu')"
    )
    yield repeated("TensorFlow's import", command(python, "-c", backend))

    chosen = config()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepare({**chosen["data"], "source": "synthetic"}, None, folder / "data")
        dataset = load_arrays(folder / "data")
        yield repeated("the data's verification, 6,000 images", dataset.verify)
        first: list[float] = []
        stored: list[float] = []
        for kind, kinds in ARTICLE.single_kind().items():
            training = {**chosen["training"], "device": "cpu"}
            curve = Curve(folder / "curves", kinds, 0, chosen["model"], training, 5, dataset)
            curve._device = "cpu"
            trainer: list[Trainer] = []
            made = timed(
                lambda curve=curve, trainer=trainer: trainer.append(
                    Trainer(curve.layers, curve.recipe, curve.seed, dataset)
                )
            )
            seconds = [trainer[0].train_epoch()["seconds"] for _ in range(4)]
            usual = statistics.median(seconds[1:])
            first.append(made + seconds[0] - usual)
            yield row(f"an epoch, {kind}, width 0.25, 5,000 + 1,000 images", seconds[1:])
            state = curve._read()
            for _ in range(REPEATS):
                stored.append(
                    timed(
                        lambda curve=curve, trainer=trainer, state=state: curve._write(
                            {**state, "checkpoint": curve._save(trainer[0], "epoch.keras")}, []
                        )
                    )
                )
        yield row("a network's set-up: making it and compiling its first steps", first)
        yield row("storing an epoch: checkpoint, curve, both verified", stored)
        for kind, kinds in ARTICLE.single_kind().items():
            size = 3 * 4 * ARTICLE.parameters(kinds, 1.0) / 1e6
            yield row(f"a checkpoint at width 1, {kind} (weights and Adam's two)", [size], "MB")
        storages = ["journal", *(["postgresql"] if os.environ.get("CONVSTUDY_STORAGE") else [])]
        for storage in storages:
            for trials in (50, 500):
                claims, reports = measure_storage(folder / f"{storage}{trials}", storage, trials)
                yield row(f"a claim in {storage}, after {trials:,} trials", claims)
                yield row(f"a report and a look at pruning in {storage}, after as many", reports)


def study_settings(trials: int) -> dict[str, Any]:
    """Return the settings of the article's study, with this many trials."""
    text = (ROOT / "config/article.yaml").read_text(encoding="utf-8")
    study = yaml.safe_load(text)["search"]["studies"]["accuracy"]
    return {**study, "trials": trials, "seed": 0}


def measure_storage(folder: Path, storage: str, trials: int) -> tuple[list[float], list[float]]:
    """Fill a study with short trials, and then time claims and reports."""
    world = World(Costs(0, 0, 0, 0, 0), lambda kinds, replicate: [0.5] * 3, lambda kinds: 1.0)

    def search(budget: int) -> Search:
        return Search(
            "claims",
            study_settings(budget),
            3,
            REPEATS,
            storage,
            folder,
            ARTICLE.space,
            lambda kinds, replicate: ReplayedCurve(world, kinds, replicate),
            lambda kinds: 0,
        )

    world.clock.run([lambda: search(trials).run_worker() and None])
    longer = search(trials + REPEATS)
    study = longer.study()
    claims, reports = [], []
    for worker in range(REPEATS):
        began = time.perf_counter()
        trial = longer._claim(study, worker)
        claims.append(time.perf_counter() - began)
        assert trial is not None
        began = time.perf_counter()
        trial.report(0.5, step=1)
        trial.should_prune()
        reports.append(time.perf_counter() - began)
        study.tell(trial, 0.5)
    return claims, reports


def costs(epoch: float) -> Costs:
    """Return the simulation's costs from the measurements."""
    table = pd.read_csv(FOLDER / "costs.csv").set_index("what")["median"]

    def of(start: str) -> float:
        return float(table[[one.startswith(start) for one in table.index]].iloc[0])

    start = 2 * of("Snakemake") + of("a search job's") + of("TensorFlow's") + of("the data's")
    claims = "postgresql" if any("postgresql" in one for one in table.index) else "journal"
    return Costs(
        start=start,
        set_up=of("a network's set-up"),
        epoch=epoch,
        report=of("storing an epoch"),
        claim=of(f"a claim in {claims}, after 500"),
    )


def simulated() -> Iterator[dict[str, Any]]:
    """Simulate studies of several sizes on 1 to 512 workers, with a row for each."""
    recorded = pd.read_csv(FOLDER / "curves.csv")
    three, four = list(ARTICLE.kinds), [*ARTICLE.kinds, "another"]
    plans = [
        ("the article's study", 50, three, 3, 10.0, (1, 8, 50)),
        ("ten times its trials", 500, three, 3, 10.0, (1, 8, 64, 500)),
        ("2,000 trials", 2000, three, 3, 10.0, (64, 512)),
        ("2,000 trials, short epochs", 2000, three, 3, 1.0, (64, 512)),
        ("2,000 trials, long epochs", 2000, three, 3, 100.0, (64, 512)),
        ("a kind added (64 modules)", 120, four, 3, 10.0, (1, 8, 64)),
        ("four layers (81 modules)", 150, three, 4, 10.0, (1, 8, 64)),
    ]
    for study, trials, kinds, layers, epoch, workers in plans:
        for number in workers:
            world = World(costs(epoch), replayed(recorded, EPOCHS), lambda kinds: 1.0)
            result = simulate(study_settings(trials), EPOCHS, number, world, kinds, layers)
            print(study, result, flush=True)
            yield {"study": study, "epoch_seconds": epoch, **result}


def rendered() -> str:
    """Return the document with current tables."""
    measured = pd.read_csv(FOLDER / "costs.csv")
    measured["value"] = [f"{row.median:.3g} {row.unit}" for row in measured.itertuples()]
    measured["range"] = [f"{row.least:.3g} to {row.most:.3g}" for row in measured.itertuples()]
    result = pd.read_csv(FOLDER / "simulated.csv")
    gpu_hours = result["hours"] * result["workers"]
    shown = pd.DataFrame(
        {
            "study": result["study"],
            "epoch": [f"{seconds:g} s" for seconds in result["epoch_seconds"]],
            "GPUs": result["workers"],
            "hours": [f"{hours:.2f}" for hours in result["hours"]],
            "GPU hours": [f"{hours:.1f}" for hours in gpu_hours],
            "epochs trained": [f"{epochs:,}" for epochs in result["epochs"]],
            "pruned": [f"{share:.0%}" for share in result["pruned"]],
            "training": [f"{share:.1%}" for share in result["training"]],
            "set-up": [f"{share:.1%}" for share in result["set_up"]],
            "claiming": [f"{share:.1%}" for share in result["claiming"]],
            "waiting for a curve": [f"{share:.1%}" for share in result["curve_waiting"]],
            "best error": [f"{best:.4f}" for best in result["best"]],
        }
    )
    machine_line = (FOLDER / "machine.txt").read_text(encoding="utf-8").strip()
    parts = {
        "costs": f"Measured: {machine_line}.\n\n{markdown(measured[['what', 'value', 'range']])}",
        "simulated": markdown(shown),
    }
    return with_parts(DOCUMENT.read_text(encoding="utf-8"), parts)


def main() -> None:
    """Run the step named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("what", choices=["measure", "simulate", "render"])
    chosen = parser.parse_args()
    logging.getLogger("convstudy").setLevel(logging.WARNING)
    FOLDER.mkdir(exist_ok=True)
    if chosen.what == "measure":
        write_csv(FOLDER / "costs.csv", pd.DataFrame(measure()))
        write_text(FOLDER / "machine.txt", machine("keras", "optuna", "snakemake") + "\n")
    elif chosen.what == "simulate":
        write_csv(FOLDER / "simulated.csv", pd.DataFrame(simulated()))
    else:
        write_text(DOCUMENT, rendered())


if __name__ == "__main__":
    main()
