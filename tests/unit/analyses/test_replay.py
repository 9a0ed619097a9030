import logging
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from convstudy.analyses.replay import contrasts, optuna_2018, studies
from convstudy.analyses.replay import numbers as replay
from convstudy.analyses.replay.studies import Design
from convstudy.core.errors import UserError
from convstudy.stats import intervals
from helpers.tables import BEST, made_up

PENALTY = {"weight": 0.05, "unit": 15625}
NONE = {**PENALTY, "weight": 0.0}
BRUTE_FORCE = Design("accuracy", "grid", "none", "article")
RANDOM = Design("accuracy", "random", "none", "article")
EPOCHS = 4


@pytest.fixture(scope="module")
def table():
    return made_up(epochs=EPOCHS)


def run(curves, design, number=3, trials=50, seed=0):
    return studies.replay(design, studies.read_curves(curves), PENALTY, number, trials, seed)


def test_there_is_a_design_for_each_sampler_pruner_and_objective():
    designs = studies.designs()
    assert len(designs) == len(set(designs.values())) == 5 * (3 + 1 + 2 * 2) + 2
    assert designs["penalised-tpe_optuna_0_5-median-article"].penalty_pruning == "article"
    # Where nothing is pruned or paid, there is nothing to leave out.
    for design in designs.values():
        if design.penalty_pruning == "objective":
            assert design.pruner != "none"
            assert design.objective == "penalised"


def test_brute_force_has_no_regret_and_asks_for_the_whole_table_once(table):
    trials = run(table[1], BRUTE_FORCE)
    known = replay.module_quality(table[0], NONE)
    end = replay.score(trials, known).groupby("study").last()
    assert (end["trial"] == 27).all()
    assert (end["combinations"] == 27).all()
    assert (end["regret"] == 0).all()
    assert (end["picked_best"] == 1).all()
    assert (end["epochs"] == 27 * EPOCHS).all()
    assert (end["epochs_trained"] == 27 * EPOCHS).all()


def test_random_draws_the_best_as_often_as_chance_says(table):
    number, trials = 150, 20
    known = replay.module_quality(table[0], NONE)
    end = replay.score(run(table[1], RANDOM, number, trials), known).groupby("study").last()
    low, high = intervals.wilson(end["drawn_best"].mean(), number)
    assert low <= 1 - (26 / 27) ** trials <= high
    # Without noise, who has seen the best one picks it.
    assert (end["picked_best"] == end["drawn_best"]).all()


def test_the_same_seed_gives_the_same_studies_and_another_seed_others(table):
    tpe = studies.designs()["accuracy-tpe_multivariate-median-article"]
    first = run(table[1], tpe, number=2, trials=15)
    pd.testing.assert_frame_equal(first, run(table[1], tpe, number=2, trials=15))
    assert not first.equals(run(table[1], tpe, number=2, trials=15, seed=1))
    # Fewer studies are the first ones of more.
    pd.testing.assert_frame_equal(
        first[first["study"] == 1], run(table[1], tpe, number=1, trials=15)
    )


def test_repeated_draws_take_the_replicates_in_turn(table):
    trials = run(table[1], RANDOM, number=2, trials=50)
    repeated = 0
    for _, part in trials.groupby(["study", "module"]):
        taken = part["replicate"].tolist()
        for start in range(0, len(taken), 3):
            assert len(set(taken[start : start + 3])) == len(taken[start : start + 3])
        assert taken[3:] == taken[:-3]
        repeated += len(taken) > 3
    assert repeated
    # Each study has an order of its own.
    first = trials.drop_duplicates(["study", "module"]).pivot_table(
        index="module", columns="study", values="replicate"
    )
    assert (first[1] != first[2]).any()


def test_the_penalty_decides_what_is_best_and_what_is_pruned(table):
    known = replay.module_quality(table[0], PENALTY)
    assert known["regret"].idxmin() != BEST
    median = [
        studies.designs()[f"penalised-random-median-{pruning}"]
        for pruning in ("article", "objective")
    ]
    trials = [run(table[1], design, 20) for design in median]
    ends = [replay.score(one, known).groupby("study").last() for one in trials]
    # Small modules with a low accuracy are pruned, unless their penalty speaks for them.
    assert (ends[0]["regret"] - ends[1]["regret"]).mean() > 0.01


@pytest.fixture(scope="module")
def varied(table) -> studies.CurveTable:
    """The curves, with replicates that differ."""
    noise = np.random.default_rng(0).normal(0, 0.01, len(table[1]))
    curves = table[1].assign(test_accuracy=table[1]["test_accuracy"] + noise)
    return studies.read_curves(curves)


def contrast(recorded: studies.CurveTable, number: int) -> pd.DataFrame:
    """Compare the two ways of pruning on the whole table and on three resampled ones."""
    asked = {"studies": number, "trials": 12, "seed": 0}
    designs = {name: studies.designs()[name] for name in contrasts.designs()}
    whole = {name: studies.replay(one, recorded, PENALTY, **asked) for name, one in designs.items()}
    again = {
        name: studies.replay_resampled(one, recorded, PENALTY, **asked, tables=3)
        for name, one in designs.items()
    }
    found = contrasts.tabulate(whole, again, recorded, PENALTY)
    return found.set_index(["id", "measure"])


def test_two_ways_of_searching_are_compared_over_new_trainings(varied):
    found = contrast(varied, 4)
    combinations = found.loc[("multivariate", "combinations")]
    assert combinations["low"] < combinations["value"] < combinations["high"]
    assert set(found["studies"]) == {4}
    assert set(found["dof"]) == {2}
    one_each = {kinds: curves[:1] for kinds, curves in varied.accuracies.items()}
    single = replace(varied, accuracies=one_each)
    assert contrast(single, 2)[["low", "high", "error"]].isna().all(axis=None)


def test_resampled_tables_are_equal_for_equal_numbers_only(varied):
    assert varied.resampled(1) == varied.resampled(1) != varied.resampled(2)
    for kinds, curves in varied.resampled(1).accuracies.items():
        assert len(curves) == 3
        assert all(one in varied.accuracies[kinds] for one in curves)


def test_a_pruned_trial_is_never_picked(table):
    trials = run(table[1], studies.designs()["accuracy-random-median-article"], 2)
    pruned = trials["state"] == "PRUNED"
    assert pruned.any()
    assert trials.loc[pruned, "objective"].isna().all()
    assert trials.loc[~pruned, "objective"].notna().all()


def test_scores_worked_by_hand():
    known = pd.DataFrame(
        {
            "regret": [0.0, 0.1, 0.2],
            "expected_regret": [0.01, 0.11, 0.21],
            "probability_best": [0.9, 0.1, 0.0],
            "resolution": 0.15,
            "told_apart": [0.0, 0.0, 1.0],
        },
        index=["a", "b", "c"],
    )
    rows = [
        (1, 1, "c", 0, None, 2),
        (1, 2, "c", 0, 0.5, 4),
        (1, 3, "b", 0, 0.6, 4),
        (1, 4, "b", 1, 0.4, 4),
        (1, 5, "a", 0, None, 1),
        (1, 6, "a", 0, 0.3, 4),
        (2, 1, "a", 0, 0.7, 4),
    ]
    columns = ["study", "trial", "module", "replicate", "objective", "epochs"]
    trials = pd.DataFrame(rows, columns=columns).astype({"objective": float})
    scores = replay.score(trials, known)
    # Before a trial is complete: the mean over modules.
    assert scores["regret"].tolist() == pytest.approx([0.1, 0.2, 0.2, 0.1, 0.1, 0.0, 0.0])
    assert scores["drawn_best"].tolist() == [0, 0, 0, 0, 0, 1, 1]
    assert scores["picked_best"].tolist() == [0, 0, 0, 0, 0, 1, 1]
    assert scores["picked_alike"].tolist() == [0, 0, 0, 1, 1, 1, 1]
    assert scores["epochs"].tolist() == [2, 6, 10, 14, 15, 19, 4]
    # The curves c0 and a0 were begun before.
    assert scores["epochs_trained"].tolist() == [2, 4, 8, 12, 13, 16, 4]
    assert scores["combinations"].tolist() == [1, 1, 2, 2, 3, 3, 1]


def test_regret_is_not_told_from_noise(table):
    noisy, _ = made_up(noise=0.05)
    known = replay.module_quality(noisy, NONE)
    assert known["probability_best"].sum() == pytest.approx(1)
    assert (known["expected_regret"] >= 0).all()
    assert known.loc[known["regret"].idxmin(), "told_apart"] == 0
    assert 0 < known["told_apart"].sum() < 26
    # With hardly any noise, everything is told apart.
    assert replay.module_quality(made_up(noise=1e-6)[0], NONE)["told_apart"].sum() == 26


def test_one_replicate_has_no_intervals(table):
    single, curves = made_up(replicates=1)
    known = replay.module_quality(single, NONE)
    assert known["regret"].notna().all()
    assert known[["expected_regret", "probability_best", "told_apart"]].isna().all(axis=None)
    scores = replay.score(run(curves, BRUTE_FORCE, 2), known)
    summary = replay.summarise(scores, known)
    assert summary["probability_best"] == 1
    assert np.isnan(summary["alike"])
    assert np.isnan(summary["alike_low"])


def test_collecting_gives_a_row_a_design_and_a_number_of_trials(table):
    designs = [
        design
        for design in studies.designs().values()
        if design.sampler == "random" and design.pruner != "hyperband"
    ] + list(optuna_2018.designs().values())
    trials = {design: run(table[1], design, 4, 12) for design in designs}
    found = replay.collect(trials, table[0], PENALTY)
    assert len(found["summary"]) == len(designs)
    assert len(found["history"]) == 12 * len(designs)
    ends = found["history"][found["history"]["trials"] == 12]
    assert ends["regret_mean"].tolist() == pytest.approx(found["summary"]["regret_mean"].tolist())
    assert ends["drawn"].tolist() == pytest.approx(found["summary"]["drawn"].tolist())
    assert (found["history"]["regret_10"] <= found["history"]["regret_90"]).all()
    assert set(found["summary"]["weight"]) == {0.0, 0.05}


def study(number, *trials):
    """Make the rows of a replayed study: its trials' modules and objectives, none if pruned."""
    return pd.DataFrame(
        {
            "study": number,
            "trial": range(1, len(trials) + 1),
            "module": [module for module, _ in trials],
            "state": ["PRUNED" if value is None else "COMPLETE" for _, value in trials],
            "objective": [value for _, value in trials],
        }
    )


def test_what_the_articles_optuna_chose_worked_by_hand():
    conv, depthwise = "conv-conv-conv", "depthwise-depthwise-depthwise"
    # Ten complete, so TPE draws the last three, of which two complete.
    long = study(1, *[(conv, 0.3)] * 10, (depthwise, 0.2), (conv, None), (conv, 0.4))
    # Five complete; nothing is drawn by TPE.
    short = study(2, *[(conv, None)] * 8, *[(conv, 0.3)] * 5)
    trials = {
        design: pd.concat([long, short], ignore_index=True)
        for design in optuna_2018.designs().values()
    }
    regrets = {design: pd.Series({1: 0.02, 2: 0.04}) for design in trials}
    for objective in ("accuracy", "penalised"):
        random = Design(objective, "random", "median", "article")
        regrets[random] = pd.Series({1: 0.01, 2: 0.05})
    found = optuna_2018.measure(trials, regrets).set_index(["objective", "pruner"])
    accuracy = found.loc["accuracy", "median"]
    assert (accuracy["studies"], accuracy["trials"]) == (2, 13)
    assert (accuracy["completed_median"], accuracy["article_completed"]) == ((12 + 5) / 2, 6)
    assert (accuracy["tpe_trials"], accuracy["tpe_completed"]) == (3 / 2, 2 / 2)
    assert (accuracy["few"], accuracy["never"], accuracy["top"]) == (0.5, 0.5, 0.5)
    assert accuracy["regret"] == pytest.approx(0.03)
    assert accuracy["regret_random"] == pytest.approx(0.03)
    assert accuracy["regret_difference"] == pytest.approx(0)
    # Ten are as many as in the article's second study, twelve are more.
    assert found.loc["penalised", "median"]["few"] == 0.5
    assert found.loc["penalised", "median"]["top"] == 0
    shares = optuna_2018.completed(trials)
    mine = shares[(shares["objective"] == "accuracy") & (shares["pruner"] == "median_from_1")]
    assert dict(zip(mine["completed"], mine["share"], strict=True)) == {5: 0.5, 12: 0.5}


def test_pruning_may_begin_an_epoch_earlier_if_steps_count_from_1(table):
    for pruner, first in (("median", 2), ("median_from_1", 1)):
        design = Design("accuracy", "tpe_optuna_0_5", pruner, "article")
        trials = run(table[1], design, number=20, trials=30)
        assert trials.loc[trials["state"] == "PRUNED", "epochs"].min() == first


def test_a_curve_that_ended_early_fails_its_trial(table):
    curves = table[1]
    short = (curves["module"] == BEST) & (curves["epoch"] > 2)
    trials = run(curves[~short], BRUTE_FORCE, 1)
    failed = trials[trials["state"] == "FAIL"]
    assert failed["module"].tolist() == [BEST]
    assert failed["epochs"].tolist() == [2]
    assert failed["objective"].isna().all()


def test_a_table_that_lacks_a_module_is_refused_in_a_line(table):
    with pytest.raises(UserError, match="no curve of conv-separable-conv") as caught:
        studies.read_curves(table[1][table[1]["module"] != BEST])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "made_again"),
    [
        (lambda path, made_from: None, False),
        (lambda path, made_from: made_from.update(curves="b"), True),
        (lambda path, made_from: path.write_text(path.read_text().replace("0.5", "0.6")), True),
        (lambda path, made_from: path.unlink(), True),
    ],
    ids=["the same", "other curves", "damaged", "lost"],
)
def test_the_same_studies_are_replayed_once(tmp_path, change, made_again):
    asked = []

    def replay():
        asked.append(1)
        return pd.DataFrame({"regret": [0.5, 0.25]})

    made_from = {"curves": "a", "settings": {"trials": 5}}
    first = studies.once(tmp_path, made_from, replay)
    [path] = tmp_path.iterdir()
    change(path, made_from)
    assert studies.once(tmp_path, made_from, replay) == first == "regret\n0.5\n0.25\n"
    assert len(asked) == 1 + made_again


def test_progress_is_shown_without_what_each_study_says(table, caplog):
    caplog.set_level(logging.INFO, logger="convstudy")
    run(table[1], RANDOM, 3, 5)
    assert {record.name for record in caplog.records} == {"convstudy.analyses.replay.studies"}
    assert "studies: 3 of 3" in caplog.text
