"""A results folder as a finished run leaves it, made in a moment from made-up accuracies."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from convstudy import (
    counts,
    exhaustive,
    models,
    optimism,
    pareto,
    penalties,
    recipes,
    replay,
    timing,
)
from convstudy.extras import EXTRAS
from convstudy.files import read_json, write_csv, write_json
from convstudy.layers import KINDS, cost
from convstudy.training.record import pack

SKILL = {"conv": 0.88, "depthwise": 0.77, "separable": 0.84}
STUDIES = ("accuracy", "penalised")


def write_sample(
    folder: Path,
    synthetic: bool = False,
    reduced: bool = True,
    skill: Mapping[str, float] = SKILL,
    replicates: int = 3,
    test_images: int = 10_000,
) -> Path:
    """Write a results folder.

    Args:
        synthetic: Whether the images are said to be made up.
        reduced: Whether the run is said to be smaller than the article's.
        skill: Best accuracy of each single-kind network; a module's is the mean of its layers'.
        replicates, test_images: Trainings of each kind, and images of the test set.
    """
    rng = np.random.default_rng(7)
    width = 0.25 if reduced else 1.0
    epochs = 10
    counted = counts.count_models(width)
    write_csv(folder / "counts/models.csv", counted)
    _verification(folder / "verification", counted)
    _training(folder / "training", counted, skill, replicates, epochs, rng)
    unit = 250_000 * width**2
    for study, weight in zip(STUDIES, (0.0, 0.05), strict=True):
        _study(folder / "search" / study, study, counted, skill, weight, unit, epochs, rng)
    write_json(folder / "data/summary.json", _data(synthetic, reduced, test_images))
    write_json(folder / "run.json", _run(reduced, width))
    write_json(folder / "provenance.json", _provenance())
    return folder


def write_extras(folder: Path, skill: Mapping[str, float] = SKILL) -> None:
    """Add the parts beyond the article to a sample, of three replicates with validation images."""
    rng = np.random.default_rng(8)
    parameters = counts.count_models(0.25).set_index("model")["trained_parameters"]

    def trainings(kinds: Mapping[str, tuple[str, ...]], gain: float = 0.0) -> list[dict[str, Any]]:
        return [
            {
                "model": model,
                "parameters": int(parameters[model]),
                **_training_of(float(np.mean([skill[k] for k in layers])) + gain, replicate, rng),
            }
            for model, layers in kinds.items()
            for replicate in range(3)
        ]

    modules, single = trainings(models.modules()), trainings(models.single_kind_models())
    table, curves = exhaustive.tabulate(modules, 0.25)
    choices = optimism.choose(single + modules)
    by_recipe = recipes.tabulate(
        [
            {"recipe": recipe, "plain": recipe != "modern", **one}
            for recipe, gain in (("adam", 0.0), ("sgd", -0.02), ("modern", 0.04))
            for one in trainings(models.single_kind_models(), gain)
        ]
    )
    penalty = {"weight": 0.05, "unit": 15625}
    recorded = replay.read_curves(curves)
    trials = {
        design: replay.replay(design, recorded, penalty, studies=2, trials=6, seed=0)
        for design in replay.designs().values()
    }
    made = {
        "exhaustive/table": table,
        "exhaustive/curves": curves,
        "exhaustive/summary": exhaustive.rank(table),
        "optimism/choices": choices,
        "optimism/summary": optimism.summarise(choices),
        "optimism/differences": optimism.compare(single),
        "recipes/trainings": by_recipe,
        "recipes/summary": recipes.compare(by_recipe),
        "penalties/envelope": penalties.winners(table, penalty),
        "penalties/probabilities": penalties.probabilities(table, penalty),
        **_times(rng),
    }
    joined, freedom = pareto.joined(table, made["timing/modules"])
    made |= {
        "pareto/front": pareto.front(joined, freedom),
        "pareto/penalties": pareto.penalties(joined, freedom, [0.05]),
        "pareto/hypervolume": pareto.replay(table, joined, trials=12, studies=2),
    }
    for name, frame in replay.collect(trials, table, penalty).items():
        made[f"replay/{name}"] = frame
    for name, frame in made.items():
        write_csv(folder / f"{name}.csv", frame)
    write_json(folder / "run.json", {**read_json(folder / "run.json"), "extras": list(EXTRAS)})


def _times(rng: np.random.Generator) -> dict[str, pd.DataFrame]:
    """Make up times: a call's price, and MACs at a speed of each kind's own."""
    where = {
        "device": "cpu",
        "processor": "a processor",
        "threads": 1,
        "backend": "tensorflow",
        "precision": "float32",
        "load_before": 0.5,
    }
    counted = counts.count_models(0.25).dropna(subset=["layer3"])
    modules = counted.rename(columns={"model": "module"})
    modules = modules[["module", "layer1", "layer2", "layer3"]].assign(
        parameters=counted["trained_parameters"], macs=counted["trained_macs"]
    )
    seconds = (0.001 + modules["macs"] / 2e10) * rng.uniform(0.9, 1.1, len(modules))
    for column, values in (
        ("latency_ms", 1e3 * seconds),
        ("fps", 2 / seconds),
        ("epoch_seconds", 5e3 * seconds),
    ):
        modules = modules.assign(
            **{column: values, f"{column}_low": 0.9 * values, f"{column}_high": 1.2 * values}
        )
    speed = {"conv": 3e10, "depthwise": 3e9, "separable": 1e10}
    points = [
        {"pass": direction, "size": size, "channels": channels, "kind": kind}
        for direction in timing.PASSES
        for size in (4, 16)
        for channels in (4, 16, 64, 256)
        for kind in speed
    ]
    repeats, rows = [], []
    for point in points:
        kind, size, channels = point["kind"], point["size"], point["channels"]
        layer = KINDS[kind].layer("layer", channels)
        macs = 16 * cost(layer, (size, size, channels)).macs
        macs *= timing.PASS_MACS[point["pass"]]
        skipped = macs > 4e9
        ms = 0.1 * (1 + (kind == "separable")) + 1e3 * macs / speed[kind]
        if not skipped:
            repeats += [
                {**point, "repeat": number, "ms": ms * rng.uniform(0.9, 1.1)} for number in range(7)
            ]
        times = {} if skipped else {"ms": ms, "ms_low": 0.9 * ms, "ms_high": 1.1 * ms}
        rows.append(
            {**point, "macs": macs, **times, "skipped": "too many MACs" if skipped else None}
        )
    table = pd.DataFrame(rows)
    table = table.assign(
        gmacs_per_second=table["macs"] / table["ms"] / 1e6, overhead_ms=0.1, repeats=7, **where
    )
    modules = modules.assign(repeats=7, batch_size=256, train_images=5000, **where)
    return {
        "timing/modules": modules,
        "timing/correlations": timing.correlations(modules),
        "timing/layers": table,
        "timing/crossover": timing.crossovers(pd.DataFrame(repeats)),
    }


def _training_of(best: float, replicate: int, rng: np.random.Generator) -> dict[str, Any]:
    """Describe a training on 500 test images as `Curve.describe` does."""
    test, validation = (_rise(best + rng.normal(0, 0.004), 10, rng) for _ in range(2))
    right = rng.random((10, 500)) < test[:, None]
    records = [
        {
            "epoch": epoch,
            "loss": 1.0,
            "train_accuracy": 0.9,
            "validation_loss": 1.0,
            "validation_accuracy": validation[epoch - 1],
            "test_loss": 1.0,
            "test_accuracy": float(one.mean()),
            "test_right": pack(one),
            "learning_rate": 0.001,
            "seconds": 4.0,
            "images_per_second": 1200.0,
        }
        for epoch, one in enumerate(right, start=1)
    ]
    return {
        "replicate": replicate,
        "seed": replicate,
        "records": records,
        "device": "cpu",
        "test_images": 500,
        "status": "finished",
    }


def _rise(best: float, epochs: int, rng: np.random.Generator) -> np.ndarray:
    """Make a learning curve that ends near `best`."""
    steps = np.arange(1, epochs + 1)
    curve = best - (best - 0.2) * np.exp(-3 * steps / epochs)
    return np.clip(curve + rng.normal(0, 0.008, epochs), 0.05, 0.99)


def _training(
    folder: Path,
    counted: pd.DataFrame,
    skill: Mapping[str, float],
    replicates: int,
    epochs: int,
    rng: np.random.Generator,
) -> None:
    rows, curves = [], []
    for kind, best in skill.items():
        for replicate in range(replicates):
            test = _rise(best + rng.normal(0, 0.002), epochs, rng)
            test[-2] = best
            curve = pd.DataFrame(
                {
                    "kind": kind,
                    "replicate": replicate,
                    "epoch": range(1, epochs + 1),
                    "loss": 2.3 * (1 - test),
                    "train_accuracy": np.minimum(test * 1.06, 1),
                    "test_loss": 2.3 * (1 - test) + 0.1,
                    "test_accuracy": test,
                    "learning_rate": 0.001,
                    "seconds": 4.0,
                    "images_per_second": 1200.0,
                }
            )
            curves.append(curve)
            rows.append(
                {
                    "kind": kind,
                    "replicate": replicate,
                    "seed": replicate,
                    "parameters": int(counted.set_index("model").loc[kind, "trained_parameters"]),
                    "test_accuracy_best": test.max(),
                    "best_epoch": int(test.argmax()) + 1,
                    "test_accuracy_last": test[-1],
                    "train_accuracy_last": curve["train_accuracy"].iloc[-1],
                    "epochs": epochs,
                    "seconds": 4.0 * epochs,
                    "images_per_second": {"conv": 470.0, "depthwise": 790.0}.get(kind, 820.0),
                    "device": "cpu",
                    "status": "finished",
                    "reason": None,
                    "curve": f"{kind}-{replicate}",
                }
            )
    write_csv(folder / "summary.csv", pd.DataFrame(rows))
    write_csv(folder / "curves.csv", pd.concat(curves))


def _study(
    folder: Path,
    study: str,
    counted: pd.DataFrame,
    skill: Mapping[str, float],
    weight: float,
    unit: float,
    epochs: int,
    rng: np.random.Generator,
) -> None:
    drawn = list(models.modules().values()) + list(models.modules().values())[:3]
    parameters = counted.set_index("model")["trained_parameters"]
    trials: list[dict[str, Any]] = []
    for number, kinds in enumerate(drawn):
        asked = epochs if number % 4 == 0 else int(rng.integers(1, epochs))
        state = "COMPLETE" if asked == epochs else "PRUNED"
        curve = _rise(float(np.mean([skill[kind] for kind in kinds])), epochs, rng)[:asked]
        size = int(parameters["-".join(kinds)])
        penalty = weight * size / unit
        reused = asked if weight and number % 3 == 0 else 0
        trials.append(
            {
                "number": number,
                "state": state,
                **dict(zip(("layer1", "layer2", "layer3"), kinds, strict=True)),
                "replicate": int(number >= len(models.modules())),
                "epochs": asked,
                "objective": 1 - curve.max() + penalty if state == "COMPLETE" else None,
                "test_accuracy": curve.max(),
                "best_epoch": int(curve.argmax()) + 1,
                "test_accuracy_last": curve[-1],
                "parameters": size,
                "penalty": penalty,
                "seconds": 4.0 * asked,
                "epochs_trained": asked - reused,
                "epochs_reused": reused,
                "device": "cpu",
                "reason": None,
                "curve": f"{'-'.join(kinds)}-0",
            }
        )
    trials[5].update(state="FAIL", objective=None, reason="the loss is not finite in epoch 2")
    table = pd.DataFrame(trials)
    best = table[table["state"] == "COMPLETE"].sort_values("objective").head(5)
    best = best.assign(rank=range(1, len(best) + 1))
    columns = ["rank", "layer1", "layer2", "layer3", "objective", "parameters", "test_accuracy"]
    write_csv(folder / "trials.csv", table)
    write_csv(folder / "best.csv", best[[*columns, "number"]])
    write_json(
        folder / "study.json",
        {
            "study": study,
            "settings": {
                "study": study,
                "sampler": {"name": "tpe", "multivariate": False, "constant_liar": False},
                "pruner": {"name": "median", "startup_trials": 5},
                "penalty": {"weight": weight, "unit": unit, "pruning": "article"},
                "seed": 0,
                "epochs": epochs,
            },
            "budget": len(table),
            "trials": len(table),
            "epochs_asked": int(table["epochs"].sum()),
            "epochs_trained": int(table["epochs_trained"].sum()),
            "epochs_reused": int(table["epochs_reused"].sum()),
        },
    )


IDENTITIES = (
    "separable = Conv2D",
    "depthwise = Conv2D",
    "separable = depthwise, then 1x1 Conv2D",
    "depthwise with a 1x1 kernel = scaling",
    "transpose = adjoint of Conv2D",
    "Conv2D has N·M filters",
    "Conv2D with M = N has N² filters",
    "DepthwiseConv2D has N filters",
    "DepthwiseConv2D keeps the number of channels",
    "SeparableConv2D has N filters of k×k and N·M of 1×1",
)
SUMS = {
    ("conv2d_single", "sum of nine products"): 15.9,
    ("conv2d_multi", "sum over channel 1"): 274.5,
    ("conv2d_multi", "sum of both channels"): 598.5,
    ("depthwise_k3", "sum of nine products"): 96.9,
    ("transpose", "sum of the corner's products"): 1.4,
    ("transpose", "sum beside the corner"): 8.2,
    ("transpose", "number of products beside the corner"): 6.0,
}


def _verification(folder: Path, counted: pd.DataFrame) -> None:
    close = {"abs_error": 1e-9, "tolerance": 1e-6, "passed": True}
    rows = [
        {
            "example": name,
            "check": f"Keras float32 against {other}: row 1",
            "expected": 15.9,
            "actual": 15.9 + 1e-9,
            **close,
        }
        for name in ("conv2d_multi", "depthwise_k3", "separable", "transpose")
        for other in ("print", "reference")
    ]
    rows += [
        {"example": name, "check": check, "expected": value, "actual": value + 1e-9, **close}
        for (name, check), value in SUMS.items()
    ]
    write_csv(folder / "examples.csv", pd.DataFrame(rows))
    small = {"max_abs_error": 1e-14, "tolerance": 1e-12, "passed": True}
    exact = {"max_abs_error": 0.0, "tolerance": 0.0, "passed": True}
    rows = [
        {"identity": identity, "check": "a case", **(exact if number > 4 else small)}
        for number, identity in enumerate(IDENTITIES)
    ]
    write_csv(folder / "identities.csv", pd.DataFrame(rows))
    grid = [{"layer": "Conv2D", "stride": stride, "mutation": None, **small} for stride in (1, 2)]
    mistake = {**grid[0], "mutation": "kernel flipped", "max_abs_error": 3.0}
    write_csv(folder / "grid.csv", pd.DataFrame([*grid, mistake]))
    agreed = counted[["model", "parameters"]].assign(width=1.0, passed=True)
    write_csv(folder / "counts.csv", agreed)


def _data(synthetic: bool, reduced: bool, test_images: int) -> dict[str, Any]:
    used = {"train": 5_000 if reduced else 50_000, "test": test_images}
    available = used if synthetic else {"train": 50_000, "test": 10_000}
    reason = "CIFAR-10 could not be downloaded: the network cannot be reached"
    return {
        "source": "synthetic" if synthetic else "directory",
        "origin": "made up by this project" if synthetic else "parquet files of PNG images",
        "encoding": "procedural" if synthetic else "png",
        "lossy": False,
        "synthetic": synthetic,
        "fallbacks": [reason] if synthetic else [],
        "available": available,
        "used": used,
        "seed": 0,
        "digest": "0123456789abcdef" * 4,
    }


def _run(reduced: bool, width: float) -> dict[str, Any]:
    reductions = [
        "model.width is 0.25 where the article has 1.",
        "training.epochs is 10 where the article has 100.",
    ]
    return {
        "config": {
            "model": {"width": width},
            "training": {"epochs": 10, "replicates": 3},
            "search": {
                "epochs": 10,
                "studies": {
                    study: {"penalty": {"weight": weight, "unit": 15_625}}
                    for study, weight in zip(STUDIES, (0.0, 0.05), strict=True)
                },
            },
        },
        "reductions": reductions if reduced else [],
        "extras": [],
    }


def _provenance() -> dict[str, Any]:
    return {
        "created": "2026-11-23T20:00:00+00:00",
        "commit": "0123456789abcdef0123456789abcdef01234567",
        "dirty": False,
        "config_digest": "6787ad150e6c",
        "versions": {"python": "3.11.9", "keras": "3.15.1", "tensorflow": "2.21.0"},
        "hardware": {"system": "Linux", "processor": "a processor", "cores": 2, "gpus": []},
        "device": "auto",
        "backend": "tensorflow",
    }
