"""What the report once said wrongly, on the recorded run, which has all analyses."""

import re
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from convstudy.analyses.article_study import tables
from convstudy.analyses.recipes import numbers as recipes
from convstudy.analyses.timing import shown as timing
from convstudy.claims import ledger, measures, verdicts
from convstudy.core.files import read_json, write_csv, write_json
from convstudy.layers.networks import ARTICLE
from convstudy.report import html
from convstudy.report.rendering import SOURCE
from convstudy.report.report import Report
from convstudy.results.run import Results, table_names
from convstudy.stats import intervals
from helpers.paths import OVERLAY, ROOT
from helpers.results import RECORDED

SLOWER = "separable_can_be_slower"
TEXT = SOURCE.read_text(encoding="utf-8")


@pytest.fixture
def page(recorded: Path) -> Report:
    return Report(recorded)


def test_there_is_one_front_and_it_is_that_of_means(recorded: Path):
    results = Results(recorded)
    drawn = tables.tried_modules(results)
    summary = results.table("module_table/summary.csv").set_index("module")["mean"]
    assert drawn.set_index("module")["test_accuracy"].to_dict() == summary.to_dict()
    named = set(tables.pareto_front(drawn)["module"])
    front = results.table("pareto/front.csv")
    # Without latency as a third objective, fewer are left.
    assert named <= set(front.loc[front["on_front"], "module"])
    assert "front" not in table_names([])


def test_a_tie_is_no_winner(page: Report):
    assert re.search(r"\d+ others cannot be told apart from it", page.findings("penalties").text)
    assert "cannot be told apart from the best" in page.findings("replay").text


def test_fewest_channels_are_judged_as_the_table_of_crossings_shows_them(recorded: Path):
    results = Results(recorded)
    listed = [one for one in ledger.load(ROOT / "config/claims.yaml") if one.id == SLOWER]
    verdict = verdicts.check(results, listed, OVERLAY).iloc[0]["verdict"]
    # Surely, although it is picked out of eight.
    table = results.table("timing/crossover.csv")
    half = np.log(table["first_speedup_high"] / table["first_speedup"])
    wider, usual = (intervals.t_half_width(1.0, table["dof"], number) for number in (8, 1))
    assert len(table) == 8
    surely = np.log(table["first_speedup"]) + half * wider / usual < 0
    assert verdict == (verdicts.REPRODUCED if surely.any() else verdicts.UNDECIDED)
    assert surely.any()


def test_a_reader_comes_to_the_text_without_a_stop_at_every_claim():
    page = (ROOT / "docs/report.html").read_text(encoding="utf-8")
    first = page.partition('id="claims"')[0]
    assert first.count("<a ") < 40
    assert "#claim-" not in first


def test_a_weight_in_another_unit_is_not_written_like_the_studys(page: Report):
    shown = page.table("pareto/penalties").text
    assert "Points for the median module" in shown
    assert ">0.05<" not in shown
    assert ">5<" in shown


def test_a_good_module_that_the_pruner_stopped_is_a_finding(page: Report, recorded: Path):
    said = page.findings("module_table").text
    assert re.search(
        r"study “accuracy” drew conv · conv · conv once and pruned it after 2 epochs", said
    )
    trials = Results(recorded).studies["accuracy"].trials
    mine = trials[(trials[["layer1", "layer2", "layer3"]] == "conv").all(axis=1)]
    assert list(mine["state"]) == ["PRUNED"]
    assert list(mine["epochs"]) == [2]


@pytest.mark.parametrize(
    ("outcome", "low", "high", "written"),
    [
        ("crosses", 14.1, 21.4, "14.1 to 21.4"),
        ("crosses", np.nan, 21.4, "below 2 to 21.4"),
        ("crosses", 14.1, np.nan, "14.1 to above 1,024"),
        ("crosses", np.nan, np.nan, "\N{EN DASH}"),
        ("always faster", np.nan, 5.8, "\N{EN DASH}"),
    ],
)
def test_a_crossovers_interval_says_where_it_ends(outcome, low, high, written):
    row = {"outcome": outcome, "channels_low": low, "channels_high": high}
    assert timing.between(pd.Series(row | {"first_channels": 2, "last_channels": 1024})) == written


def test_a_mean_has_the_same_interval_wherever_it_stands(recorded: Path):
    results = Results(recorded)
    table = tables.single_kind(results).set_index("kind")
    [order] = [
        one for one in ledger.load(ROOT / "config/claims.yaml") if one.id == "accuracy_order"
    ]
    asked = order.test["values"][0]
    _, low, high = measures.measure(order, asked, results.training).single
    assert (low, high) == pytest.approx(tuple(table.loc["conv", ["low", "high"]]))
    again = results.training.assign(recipe="ours", plain=True)
    compared = recipes.compare(again, ARTICLE).set_index("kind")
    assert tuple(compared.loc["conv", ["low", "high"]]) == pytest.approx((low, high))
    assert "not that in the training. Replicates" not in TEXT


def test_how_much_the_best_epoch_flatters_is_not_guessed():
    assert "a little" not in TEXT.partition("How far to trust")[2]


def test_the_article_chooses_the_epoch_in_its_second_study_only():
    for text in (TEXT, (ROOT / "config/claims.yaml").read_text(encoding="utf-8")):
        assert not re.search(r"article,? (and this run after it, )?reports? the epoch", text)
        assert "test set, which the article reports" not in text


def test_a_front_is_what_its_table_shows():
    assert "beaten by no other" not in TEXT
    assert "none beats in all" not in TEXT


def test_plain_recipes_come_first_and_none_is_the_closest_in_a_small_run(page: Report):
    order = list(RECORDED.table("recipes/summary.csv")["recipe"].drop_duplicates())
    assert order[-1] == "modern"
    assert "impossible to tell which recipe" in page.findings("recipes").text


def test_what_pruning_spares_a_grid_is_told_too(page: Report):
    assert "grid search and median pruner, for comparison" in page.findings("replay").text


def test_evidence_and_effect_have_one_unit(recorded: Path):
    listed = [one for one in ledger.load(ROOT / "config/claims.yaml") if one.id == "choosing_adds"]
    row = verdicts.check(Results(recorded), listed, OVERLAY).iloc[0]
    assert f"{row['effect']:.2f} points ({row['low']:.2f} to" in row["evidence"]
    assert "%" not in row["evidence"]


@pytest.mark.parametrize(
    ("evidence", "here", "shown"),
    [
        ("Best less last 1.35 points (0.91 to 1.79 points).", "agrees", False),
        ("Conv2D 50.32 %; SeparableConv2D 48.97 %.", "agrees", True),
        ("11.35 points", "agrees", True),
        ("50.32 % here, 48.97 % stated.", verdicts.NOT_COMPARABLE, False),
    ],
)
def test_a_difference_is_told_once_and_only_where_it_can_be_read(evidence, here, shown):
    claim = {"evidence": evidence, "here": here, "effect": 1.35, "low": 0.91, "high": 1.79}
    found = html.effect(SimpleNamespace(**claim, unit="points", p=np.nan))
    assert found == (" Difference: 1.35 points (95\u202f% interval 0.91 to 1.79)." * shown)
    # At another scale than the stated number's, p means nothing either.
    comparable = claim["here"] != verdicts.NOT_COMPARABLE
    for p, words in {0.0123: "= 0.012", 0.0004: "&lt; 0.001", 1.0: "= 1.0"}.items():
        beside = html.effect(SimpleNamespace(**claim, unit="points", p=p))
        assert beside == found + f" Adjusted p\u202f{words}." * comparable


def test_the_best_of_several_draws_is_said_to_be_one():
    assert "the best of those that the study drew" in TEXT


def test_nothing_is_promised_that_made_up_images_cannot_keep():
    assert "beside the article's" not in TEXT


def test_no_note_to_developers_stands_in_a_readers_report():
    assert "full scale are missing" not in TEXT


def test_the_command_runs_this_run_again(page: Report, recorded: Path, tmp_path: Path):
    command = read_json(recorded / "reference.json")["command"]
    assert command in page.reproduce().text
    shutil.copytree(recorded, tmp_path / "results")
    (tmp_path / "results/reference.json").unlink()
    shown = Report(tmp_path / "results").reproduce().text
    assert "<code>snakemake --cores all --configfile results/config.yaml</code>" in shown


def test_training_time_is_that_of_all_curves_each_once(recorded: Path, tmp_path: Path):
    shutil.copytree(recorded, tmp_path / "results")
    results = Results(tmp_path / "results")
    rows = tables.run(results).set_index("item")["value"]
    run = read_json(results.folder / "run.json")
    run["config"]["analyses"] = []
    write_json(results.folder / "run.json", run)
    without = tables.run(Results(results.folder)).set_index("item")["value"]
    assert rows["Training time"] != without["Training time"]
    twice = pd.concat([results.training] * 2)
    write_csv(results.folder / "training/summary.csv", twice)
    again = tables.run(Results(results.folder)).set_index("item")["value"]
    assert again["Training time"] == without["Training time"]


def test_the_report_writes_each_interval_in_its_unit(tmp_path):
    shutil.copytree(RECORDED.folder, tmp_path, dirs_exist_ok=True)
    contrasts = RECORDED.table("replay/contrasts.csv").query("id == 'penalty_in_pruning'")
    for measure, ends in {"regret": (0.03, 0.01, 0.05), "epochs": (-84.3, -89.4, 2.4)}.items():
        contrasts.loc[contrasts["measure"] == measure, ["value", "low", "high"]] = ends
    write_csv(tmp_path / "replay/contrasts.csv", contrasts)
    shown = Report(tmp_path)
    said = shown.findings("replay").text
    assert "clearly changes the regret: +3.00 points" in said
    assert "+1.00 to +5.00); the number of epochs changes by −84 (−89 to +2)" in said
    assert "does not clearly" not in said
    # A tie is told with both objectives.
    assert re.search(
        r"has the lowest mean objective, 0\.\d{5}; \d+ others cannot be told apart from it at"
        r" 95 % confidence, the nearest being [\w-]+ with 0\.\d{5}\.".replace(" %", "\u202f%"),
        shown.findings("penalties").text,
    )
