import re

import numpy as np
import pandas as pd
import pytest
from convstudy import exhaustive, models
from scipy import stats


def description(model: str, replicate: int, accuracies: list[float]) -> dict:
    """Describe a training as `Curve.describe` does."""
    records = [
        {
            "epoch": epoch,
            "loss": 1.0,
            "train_accuracy": 0.5,
            "test_loss": 1.0,
            "test_accuracy": accuracy,
            "learning_rate": 0.001,
            "seconds": 2.0,
            "images_per_second": 100.0,
        }
        for epoch, accuracy in enumerate(accuracies, start=1)
    ]
    parameters = models.parameters(models.modules()[model], 0.25)
    about = {"seed": replicate, "parameters": parameters, "device": "cpu", "status": "finished"}
    return {"model": model, "replicate": replicate, "records": records, **about}


def made_up(replicates: int, spread: float, gap: float = 0.01, seed: int = 0) -> pd.DataFrame:
    """Make a table in which the modules stand `gap` apart, in the order of their names."""
    rng = np.random.default_rng(seed)
    descriptions = [
        description(model, replicate, [0.9 - gap * place + rng.normal(0, spread)])
        for place, model in enumerate(models.modules())
        for replicate in range(replicates)
    ]
    return exhaustive.tabulate(descriptions, 0.25)[0]


def test_a_row_a_training_and_a_row_an_epoch():
    table, curves = exhaustive.tabulate(
        [description("conv-depthwise-conv", 1, [0.2, 0.4, 0.3])], 0.25
    )
    row = table.iloc[0]
    assert list(row[["layer1", "layer2", "layer3"]]) == ["conv", "depthwise", "conv"]
    assert (row["replicate"], row["test_accuracy_best"], row["best_epoch"]) == (1, 0.4, 2)
    assert row["test_accuracy_last"] == 0.3
    assert list(curves["epoch"]) == [1, 2, 3]
    assert set(curves["parameters"]) == {row["parameters"]}
    # Every column is explained in the data set's description.
    assert set(table) | set(curves) <= set(exhaustive.COLUMNS) | {"validated_epoch"}
    assert curves["validation_accuracy"].isna().all()


def test_ranks_are_clear_where_modules_stand_far_apart():
    summary = exhaustive.rank(made_up(replicates=3, spread=0.0005))
    assert list(summary["module"]) == list(models.modules())
    assert list(summary["rank"]) == list(range(1, 28))
    assert (summary["rank_low"] == summary["rank"]).all()
    assert (summary["rank_high"] == summary["rank"]).all()
    assert summary["probability_best"].iloc[0] == 1


def test_ranks_are_open_where_modules_are_alike():
    summary = exhaustive.rank(made_up(replicates=3, spread=0.01, gap=0.0))
    assert (summary["rank_high"] - summary["rank_low"]).min() > 8
    assert summary["probability_best"].max() < 0.9
    assert summary["probability_best"].sum() == pytest.approx(1, abs=0.02)


def test_intervals_cover_the_true_mean_as_often_as_they_say():
    covered = []
    for seed in range(60):
        summary = exhaustive.rank(made_up(replicates=2, spread=0.02, seed=seed))
        true = summary["module"].map({m: 0.9 - 0.01 * n for n, m in enumerate(models.modules())})
        covered += list((summary["low"] <= true) & (true <= summary["high"]))
    assert np.mean(covered) == pytest.approx(0.95, abs=0.02)


def test_an_interval_is_that_of_the_pooled_spread():
    table = made_up(replicates=3, spread=0.01)
    summary = exhaustive.rank(table).set_index("module")
    groups = table.groupby("module")["test_accuracy_best"]
    pooled = np.sqrt(groups.var(ddof=1).mean())
    half = stats.t.ppf(0.975, 54) * pooled / np.sqrt(3)
    np.testing.assert_allclose(summary["high"] - summary["mean"], half)


def test_one_replicate_has_no_interval():
    summary = exhaustive.rank(made_up(replicates=1, spread=0.01))
    assert len(summary) == 27
    assert summary[["low", "high", "rank_low", "probability_best"]].isna().all(axis=None)


def test_a_training_that_ended_early_does_not_count():
    table = made_up(replicates=3, spread=0.001)
    table.loc[0, ["status", "test_accuracy_best"]] = ["ended", 0.1]
    summary = exhaustive.rank(table).set_index("module")
    assert summary.loc[table.loc[0, "module"], "replicates"] == 2
    assert summary["rank"].iloc[0] == 1


def test_the_description_explains_every_column():
    table = made_up(replicates=2, spread=0.01)
    data = {
        "origin": "a folder",
        "lossy": True,
        "synthetic": False,
        "used": {"train": 50, "validation": 5, "test": 10},
        "digest": "abc",
    }
    settings = {
        "model": {"width": 0.25, "batch_normalization_momentum": 0.9},
        "training": {
            "batch_size": 64,
            "augmentation": "none",
            "label_smoothing": 0.0,
            "precision": "float32",
            "backend": "tensorflow",
            "optimizer": {"name": "adam"},
        },
        "exhaustive": {"replicates": 2, "epochs": 1},
    }
    made = {"commit": "1234", "dirty": True, "created": "2026-11-24T00:00:00", "versions": {}}
    tables = {"table.csv": table, "summary.csv": exhaustive.rank(table)}
    text = exhaustive.document(tables, data, settings, made)
    for name in {*table, *tables["summary.csv"]}:
        assert re.search(rf"^\| `{name}` \| .+ \|$", text, re.MULTILINE), name
    for part in ("JPEG", "`abc`", "with changes", "54 rows", "MIT"):
        assert part in text
