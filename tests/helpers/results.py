"""A results folder for tests to read: the recorded run, with what a test needs changed."""

import shutil
from collections.abc import Mapping
from functools import cache
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from convstudy.analyses.article_study import tables
from convstudy.analyses.epoch_selection import numbers as epoch_selection
from convstudy.analyses.module_table import numbers as module_table
from convstudy.analyses.pareto import numbers as pareto
from convstudy.analyses.penalties import numbers as penalties
from convstudy.analyses.recipes import numbers as recipes
from convstudy.analyses.replay import contrasts, draws, studies
from convstudy.analyses.replay import numbers as replay
from convstudy.analyses.timing import numbers as timing
from convstudy.claims import ledger, verdicts
from convstudy.comparison import recorded
from convstudy.config import analyses, settings
from convstudy.config.settings import penalty
from convstudy.core.files import read_json, write_csv, write_json
from convstudy.layers.networks import ARTICLE
from convstudy.results.run import Results, result_files
from convstudy.search.export import best_trials
from convstudy.training.record import RIGHT_OF, pack

from helpers.paths import OVERLAY, QUICK, ROOT

RECORDED = Results(ROOT / "results/reference/cpu-small")
# The article's scale.
FULL = settings.validate(settings.merged(QUICK, OVERLAY), this_machine=False)
ALL_EXACT = {"used": {"train": 50_000, "validation": 0, "test": 10_000}, "lossy": False}
STUDIES = tuple(RECORDED.studies_planned)
SKILL = {"conv": 0.88, "depthwise": 0.77, "separable": 0.84}
# What the analyses measure; everything else is derived from it.
MEASURED = (
    *("module_table/table", "module_table/curves"),
    *("recipes/trainings", "timing/modules", "timing/layers"),
)
DEPTH = ("trainings", "summary", "contrasts", "crossings")


def write_sample(
    folder: Path,
    synthetic: bool = False,
    reduced: bool = True,
    skill: Mapping[str, float] = SKILL,
    replicates: int = 3,
) -> Path:
    """Write a results folder in which each study has a failed trial.

    Args:
        folder: The folder to write to.
        synthetic: Whether to declare the images synthetic.
        reduced: Whether to declare the run smaller than the article's and keep its accuracies.
        skill: Accuracy of each single-kind network if not reduced, give or take a little between
            replicates; a module's is the mean of its layers'.
        replicates: Trainings of each kind, at most 3.
    """
    for name in result_files(STUDIES):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(RECORDED.folder / name, folder / name)
    run, data, training = dict(RECORDED.run), dict(RECORDED.data), RECORDED.training.copy()
    run["config"] = {**run["config"], "analyses": []}
    if not reduced:
        run |= {"config": FULL, "reductions": []}
        data |= ALL_EXACT
        best = training["test_accuracy_best"]
        apart = best - best.groupby(training["kind"]).transform("mean")
        for shown in ("test_accuracy_best", "test_accuracy_last"):
            training[shown] = training["kind"].map(skill) + apart / 10
    if synthetic:
        reason = "CIFAR-10 could not be downloaded: the network cannot be reached"
        data |= {"source": "synthetic", "synthetic": True, "fallbacks": [reason]}
        data |= {"origin": "made up by this project", "encoding": "procedural", "lossy": False}
    for name, study in RECORDED.studies.items():
        trials = study.trials if reduced else _all_modules(study.trials, skill, study.penalty)
        failed = {"state": "FAIL", "objective": None, "reason": "the loss is not finite in epoch 2"}
        trials = trials.astype({"reason": object})
        trials.loc[trials.index[-1], list(failed)] = list(failed.values())
        write_csv(folder / f"search/{name}/trials.csv", trials)
        write_csv(folder / f"search/{name}/best.csv", best_trials(trials))
    if not reduced:
        training = with_right(training, 10_000)
    for name, table in (("summary", training), ("curves", RECORDED.curves)):
        write_csv(folder / f"training/{name}.csv", table[table["replicate"] < replicates])
    write_json(folder / "data/summary.json", data)
    write_json(folder / "run.json", run)
    return folder


def _all_modules(
    trials: pd.DataFrame, skill: Mapping[str, float], penalty: Mapping[str, float]
) -> pd.DataFrame:
    """Make the trials draw all modules in turn, with these accuracies."""
    modules = list(islice(cycle(ARTICLE.modules().values()), len(trials)))
    accuracy = np.array([np.mean([skill[kind] for kind in kinds]) for kinds in modules])
    parameters = np.array([ARTICLE.parameters(kinds, 0.25) for kinds in modules])
    paid = penalty["weight"] * parameters / penalty["unit"]
    return trials.assign(
        **dict(zip(ARTICLE.positions, zip(*modules, strict=True), strict=True)),
        parameters=parameters,
        penalty=paid,
        test_accuracy=accuracy,
        objective=np.where(trials["state"] == "COMPLETE", 1 - accuracy + paid, np.nan),
    )


def write_analyses(folder: Path) -> None:
    """Add all analyses to a sample."""
    for name, table in _analyses().items():
        write_csv(folder / f"{name}.csv", table)
    readme = "module_table/README.md"
    shutil.copyfile(RECORDED.folder / readme, folder / readme)
    run = read_json(folder / "run.json")
    run["config"]["analyses"] = analyses.names()
    write_json(folder / "run.json", run)


@cache
def _analyses() -> dict[str, pd.DataFrame]:
    """Derive the analyses' tables as the workflow does, with only a few replayed studies."""
    made = {name: RECORDED.table(f"{name}.csv") for name in MEASURED}
    table, curves, trainings, modules, layers = made.values()
    paid = penalty(RECORDED.run["config"])
    recorded = studies.read_curves(curves)
    trials = {
        design: studies.replay(design, recorded, paid, studies=2, trials=6, seed=0)
        for design in studies.designs().values()
    }
    own = {name: trials[studies.designs()[way]] for name, way in draws.DESIGNS.items()}
    compared = {name: trials[studies.designs()[name]] for name in contrasts.designs()}
    # A table is searched by a single study.
    resampled = {
        name: studies.replay_resampled(
            studies.designs()[name], recorded, paid, studies=2, trials=6, seed=0, tables=3
        )
        for name in compared
    }
    joined, dof = pareto.joined(table, modules)
    kinds = _right_by_chance(RECORDED.curves.rename(columns={"kind": "module"}))
    choices, flattery = epoch_selection.measure(kinds, _right_by_chance(curves))
    return made | {
        "module_table/summary": module_table.rank(table, ARTICLE.reference_module),
        "epoch_selection/choices": choices,
        "epoch_selection/summary": flattery,
        "epoch_selection/differences": epoch_selection.compare(kinds),
        **{f"depth/{name}": RECORDED.table(f"depth/{name}.csv") for name in DEPTH},
        "recipes/summary": recipes.compare(trainings, ARTICLE),
        "penalties/envelope": penalties.winners(table, paid),
        "penalties/probabilities": penalties.probabilities(table, paid),
        "timing/correlations": timing.correlations(modules),
        "timing/crossover": timing.crossovers(_processes(layers), ARTICLE),
        "replay/draws": draws.tabulate({None: own, 0: own}, recorded),
        "replay/contrasts": contrasts.tabulate(compared, resampled, recorded, paid),
        "pareto/front": pareto.front(joined, dof),
        "pareto/penalties": pareto.penalties(joined, dof, [0.05]),
        "pareto/hypervolume": pareto.replay(table, joined, trials=12, studies=2),
        **{
            f"replay/{name}": scored for name, scored in replay.collect(trials, table, paid).items()
        },
    }


def with_right(trainings: pd.DataFrame, images: int = 4000) -> pd.DataFrame:
    """Add which images were right after the best and the last epoch: mostly the easier ones."""
    rng = np.random.default_rng(0)
    ease = rng.normal(size=images)

    def drawn(accuracy: float) -> str:
        place = (ease + rng.normal(size=images)).argsort().argsort()
        return pack(place < round(accuracy * images))

    right = {name: trainings[accuracy].map(drawn) for accuracy, name in RIGHT_OF.items()}
    return trainings.assign(test_images=images, **right)


def described(model: str, replicate: int, right: np.ndarray, **measured: Any) -> dict[str, Any]:
    """Describe a training as `Curve.describe` does.

    Args:
        model: The model's name.
        replicate: Its replicate.
        right: Which images were right after each epoch, (epochs, images) of bool.
        measured: Further measurements, with one value per epoch.
    """
    records = [
        {"epoch": epoch, "test_accuracy": float(one.mean()), "test_right": pack(one)}
        | {name: float(values[epoch - 1]) for name, values in measured.items()}
        for epoch, one in enumerate(right, start=1)
    ]
    which = {"model": model, "replicate": replicate}
    return {**which, "records": records, "test_images": right.shape[1]}


def _right_by_chance(curves: pd.DataFrame, images: int = 500) -> list[dict[str, Any]]:
    """Describe trainings in which each image is right with its epoch's accuracy as probability."""
    rng = np.random.default_rng(8)
    return [
        described(
            *which,
            rng.random((len(curve), images)) < curve[["test_accuracy"]].to_numpy(),
            validation_accuracy=curve["validation_accuracy"].to_numpy(),
        )
        for which, curve in curves.groupby(["module", "replicate"])
    ]


def _processes(layers: pd.DataFrame) -> list[pd.DataFrame]:
    """Make up tables of three processes whose times scatter around the measured ones."""
    rng = np.random.default_rng(7)
    return [
        layers.assign(ms=layers["ms"] * np.exp(rng.normal(0, 0.03, len(layers)))) for _ in range(3)
    ]


def write_judged(results: Results) -> None:
    """Write what the report reads besides results: its tables, and the verdicts on all claims."""
    tables.write_tables(results, results.folder / "tables")
    recorded.write_tables(results, results.folder / "tables")
    listed = ledger.load(ROOT / "config/claims.yaml")
    write_csv(results.folder / "claims.csv", verdicts.check(results, listed, OVERLAY))
