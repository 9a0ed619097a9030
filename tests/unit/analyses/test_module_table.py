import re
from collections.abc import Mapping

import numpy as np
import pandas as pd
import pytest
from convstudy.analyses.module_table import numbers as module_table
from convstudy.layers.networks import ARTICLE
from convstudy.results import accuracies
from convstudy.stats.intervals import accuracy_interval
from convstudy.training import record
from convstudy.training.record import pack
from helpers.results import RECORDED
from helpers.tables import made_up

APART = {module: 0.9 - 0.01 * place for place, module in enumerate(ARTICLE.modules())}


def ranked(replicates: int = 3, accuracies: Mapping[str, float] = APART, **how) -> pd.DataFrame:
    """Rank a made-up table, in which the modules stand apart in the order of their names."""
    return module_table.rank(
        made_up(replicates, 1, accuracies=accuracies, **how)[0], ARTICLE.reference_module
    )


def test_a_row_a_training_and_a_row_an_epoch():
    measured = {"train_accuracy": 0.5, "seconds": 2.0, "images_per_second": 100.0}
    right = np.zeros(10, bool)
    right[3] = True
    records = [
        {"epoch": epoch, "test_accuracy": accuracy, "test_right": pack(right ^ (epoch == 2))}
        | measured
        for epoch, accuracy in enumerate([0.2, 0.4, 0.3], start=1)
    ]
    about = {"seed": 1, "parameters": 5, "device": "cpu", "status": "finished"}
    about |= {"test_images": 10, "curve": "one"}
    training = {"model": "conv-depthwise-conv", "replicate": 1, "records": records, **about}
    table, curves = module_table.tabulate([training], ARTICLE, 0.25)
    row = table.iloc[0]
    assert list(row[["layer1", "layer2", "layer3"]]) == ["conv", "depthwise", "conv"]
    assert (row["replicate"], row["test_accuracy_best"], row["best_epoch"]) == (1, 0.4, 2)
    assert row["test_accuracy_last"] == 0.3
    best, last = (record.right(table, f"test_accuracy_{which}") for which in ("best", "last"))
    assert (best == ~right).all()
    assert (last == right).all()
    assert list(curves["epoch"]) == [1, 2, 3]
    assert set(curves["parameters"]) == {row["parameters"]}
    assert curves["validation_accuracy"].isna().all()
    text = described({"table.csv": table, "curves.csv": curves})
    assert all(f"| `{name}` |" in text for name in set(table) | set(curves))


def test_ranks_are_clear_where_modules_stand_far_apart():
    summary = ranked(noise=0.0005)
    assert list(summary["module"]) == list(ARTICLE.modules())
    assert list(summary["rank"]) == list(range(1, 28))
    assert (summary["rank_low"] == summary["rank"]).all()
    assert (summary["rank_high"] == summary["rank"]).all()
    assert summary["probability_best"].iloc[0] == 1


def test_ranks_are_open_where_modules_are_alike():
    summary = ranked(accuracies=dict.fromkeys(APART, 0.9), noise=0.01)
    assert (summary["rank_high"] - summary["rank_low"]).min() > 8
    assert summary["probability_best"].max() < 0.9
    assert summary["probability_best"].sum() == pytest.approx(1, abs=0.02)


def test_intervals_are_over_new_trainings_and_images():
    table, _ = made_up(noise=0.01)
    summary = module_table.rank(table, ARTICLE.reference_module).set_index("module")
    mine = table[table["module"] == "conv-conv-conv"]
    expected = accuracy_interval(record.right(mine, "test_accuracy_best"))
    assert tuple(summary.loc["conv-conv-conv", ["low", "high"]]) == pytest.approx(expected)


def test_replicates_that_do_not_differ_tell_nothing():
    summary = ranked()
    assert summary[["low", "high", "rank_low", "probability_best"]].isna().all(axis=None)


def test_what_stands_out_is_drawn_nearer_to_the_others():
    table, _ = made_up(noise=0.02, accuracies=dict.fromkeys(APART, 0.8))
    means, dof = accuracies.means(table)
    drawn = accuracies.draw_means(means, dof)
    best = means["mean"].argmax()
    assert drawn[:, best].mean() < means["mean"].max() - 0.5 * (means["mean"].max() - 0.8)
    assert (drawn.argmax(axis=1) == best).mean() < 0.15


def test_one_replicate_has_no_interval():
    summary = ranked(replicates=1, noise=0.01)
    assert len(summary) == 27
    assert summary[["low", "high", "rank_low", "probability_best"]].isna().all(axis=None)


def test_a_training_that_ended_early_does_not_count():
    table, _ = made_up(noise=0.001)
    table.loc[0, ["status", "test_accuracy_best"]] = ["ended", 0.1]
    summary = module_table.rank(table, ARTICLE.reference_module).set_index("module")
    assert summary.loc[table.loc[0, "module"], "replicates"] == 2
    assert summary["rank"].iloc[0] == 1


def described(tables: dict[str, pd.DataFrame], dirty: bool = False) -> str:
    made = {**RECORDED.provenance, "dirty": dirty}
    return module_table.document(tables, RECORDED.data, RECORDED.run["config"], made)


def test_the_description_explains_every_column():
    tables = {
        name: RECORDED.table(f"module_table/{name}")
        for name in ("table.csv", "curves.csv", "summary.csv")
    }
    text = described(tables, dirty=True)
    for name in {column for table in tables.values() for column in table}:
        assert re.search(rf"^\| `{name}` \| .+ \|$", text, re.MULTILINE), name
    digest = RECORDED.data["digest"]
    rows = f"{len(tables['table.csv'])} rows"
    for part in ("JPEG", f"`{digest}`", "with uncommitted changes", rows, "MIT"):
        assert part in text
