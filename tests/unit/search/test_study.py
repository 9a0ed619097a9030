import json
import math
import multiprocessing
import signal
import subprocess
import sys
from pathlib import Path

import optuna
import pandas as pd
import pytest
from convstudy.core import locks
from convstudy.core.errors import UserError
from convstudy.layers.networks import ARTICLE
from convstudy.search import storages
from convstudy.search import study as search_module
from convstudy.search.export import best_trials, export
from convstudy.search.sampling import sampler
from convstudy.search.study import Penalty
from helpers import search as search_example
from helpers.paths import with_helpers
from helpers.search import EPOCHS, SAMPLERS, PaperCurve, PaperTrainer, search
from optuna.trial import TrialState

# A crash may change which trial trained an epoch first, but not the results.
FOUND = [
    *("number", "state", *ARTICLE.positions, "replicate", "epochs", "objective", "test_accuracy"),
    *("best_epoch", "epochs_trained"),
]


def run_example(folder, storage, trials, die_after=None, sampler="tpe"):
    command = [sys.executable, "-m", "helpers.search", folder, storage, trials]
    command += ["--sampler", sampler]
    command += [] if die_after is None else ["--die-after", die_after]
    return subprocess.run([*map(str, command)], env=with_helpers(), capture_output=True).returncode


def finished(folder, **changes):
    """Work on a study until its budget is used."""
    study = search(folder, **changes)
    study.run_worker()
    return study


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    return export(finished(tmp_path_factory.mktemp("undisturbed")))


def test_a_study_uses_its_budget_and_prunes(undisturbed):
    trials, _, summary = undisturbed
    assert list(trials["number"]) == list(range(14))
    assert set(trials["state"]) == {"COMPLETE", "PRUNED"}
    assert summary["trials"] == summary["budget"] == 14
    assert (trials.loc[trials["state"] == "COMPLETE", "epochs"] == EPOCHS).all()
    assert (trials.loc[trials["state"] == "PRUNED", "epochs"] < EPOCHS).all()
    assert summary["epochs_trained"] + summary["epochs_reused"] == summary["epochs_asked"]


def test_the_objective_is_error_and_penalty(undisturbed):
    trials, curves, _ = undisturbed
    done = trials[trials["state"] == "COMPLETE"]
    best = curves.groupby("number")["test_accuracy"].max()
    for trial in done.itertuples():
        parameters = ARTICLE.parameters((trial.layer1, trial.layer2, trial.layer3))
        expected = 1 - best[trial.number] + 0.05 * parameters / 250000
        assert trial.objective == pytest.approx(expected, abs=1e-12)
        assert trial.parameters == parameters


def test_the_same_seed_gives_the_same_trials_and_another_seed_others(tmp_path, undisturbed):
    again = export(finished(tmp_path / "again"))[0]
    pd.testing.assert_frame_equal(again, undisturbed[0])
    other = export(finished(tmp_path / "other", trials=5, seed=6))[0]
    assert not other[list(ARTICLE.positions)].equals(again[list(ARTICLE.positions)][:5])


@pytest.mark.fault(
    "SIGKILL of a search",
    where="before the first, the ninth and a late epoch",
    lost="the current epoch",
)
@pytest.mark.parametrize(
    ("name", "die_after"), [("tpe", 0), ("tpe", 8), ("tpe", 23), ("tpe_optuna_0_5", 23)]
)
def test_a_killed_study_goes_on_as_if_it_had_not_been(tmp_path, name, die_after):
    settings = SAMPLERS[name]
    undisturbed = export(finished(tmp_path / "undisturbed", sampler=settings))[0]
    assert run_example(tmp_path, "journal", 14, die_after, name) == -signal.SIGKILL
    killed = search(tmp_path, sampler=settings)
    states = [trial.state.name for trial in killed.study().get_trials()]
    assert states.count("RUNNING") == 1
    assert run_example(tmp_path, "journal", 14, sampler=name) == 0
    trials, _, summary = export(killed)
    assert "RUNNING" not in summary["states"]
    pd.testing.assert_frame_equal(trials[FOUND], undisturbed[FOUND])


@pytest.mark.parametrize("settings", [*SAMPLERS.values(), {"name": "random"}])
def test_trials_of_one_seed_do_not_draw_the_same(settings):
    """Workers of one study have its seed, and each takes another trial."""
    space = {f"position {number}": list(range(1000)) for number in range(20)}

    def draw(number):
        study = optuna.create_study(sampler=sampler(settings, 5, number, space))
        trial = study.ask()
        return tuple(trial.suggest_categorical(name, values) for name, values in space.items())

    drawn = [draw(number) for number in range(10)]
    assert len(set(drawn)) == 10
    assert draw(3) == drawn[3]


@pytest.mark.fault(
    "SIGKILL of a search after every fifth epoch",
    where="during its trials",
    lost="the current epochs",
)
def test_killed_again_and_again(tmp_path, undisturbed):
    kills = 0
    while (code := run_example(tmp_path, "journal", 14, 5)) != 0:
        assert code == -signal.SIGKILL
        kills += 1
        assert kills < 20
    assert kills > 5
    pd.testing.assert_frame_equal(export(search(tmp_path))[0][FOUND], undisturbed[0][FOUND])


def test_a_study_can_be_made_longer_and_a_finished_one_does_nothing(tmp_path, undisturbed):
    search(tmp_path, trials=5).run_worker()
    longer = search(tmp_path)
    assert longer.run_worker() == 9
    assert longer.run_worker() == 0
    pd.testing.assert_frame_equal(export(longer)[0][FOUND], undisturbed[0][FOUND])
    # A smaller budget afterwards shows the first trials only.
    assert list(export(search(tmp_path, trials=5))[0]["number"]) == list(range(5))


def test_studies_share_curves(tmp_path):
    one, two = (
        export(finished(tmp_path, name=name, trials=6, penalty=search_example.PENALTY))[2]
        for name in ("accuracy", "other")
    )
    assert (one["epochs_reused"], two["epochs_trained"]) == (0, 0)
    assert one["epochs_trained"] == two["epochs_reused"] > 0


def test_the_penalty_enters_pruning_only_if_asked(tmp_path):
    for pruning, expected in (("article", 0.0), ("objective", 0.05)):
        penalty = {"weight": 0.05, "unit": 250000, "pruning": pruning}
        study = finished(tmp_path / pruning, trials=4, penalty=penalty)
        curves = export(study)[1].set_index(["number", "epoch"])["test_accuracy"]
        for trial in study.study().get_trials():
            parameters = ARTICLE.parameters(
                [trial.params[position] for position in ARTICLE.positions]
            )
            for step, value in trial.intermediate_values.items():
                error = 1 - curves[trial.number, step + 1]
                assert value == pytest.approx(error + expected * parameters / 250000, abs=1e-12)


def test_a_curve_that_ends_fails_its_trial_and_the_study_goes_on(tmp_path, monkeypatch):
    usual = PaperTrainer.train_epoch

    def train_epoch(self):
        record = usual(self)
        diverges = self.curve.network.startswith("conv") and record["epoch"] == 3
        return {**record, "loss": math.nan} if diverges else record

    monkeypatch.setattr(PaperTrainer, "train_epoch", train_epoch)
    pruner = {**search_example.SETTINGS["pruner"], "name": "none"}
    trials, _, summary = export(finished(tmp_path, pruner=pruner))
    failed = trials[trials["state"] == "FAIL"]
    assert 0 < len(failed) < 14 == summary["trials"]
    assert set(failed["layer1"]) == {"conv"}
    assert set(failed["reason"]) == {"the loss is not finite in epoch 3"}
    assert failed["objective"].isna().all()


def work(folder, worker):
    PaperCurve.seconds_an_epoch = 0.01
    search(folder, workers=2).run_worker(worker)


def test_two_workers_use_the_budget_once(tmp_path):
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=work, args=(tmp_path, number)) for number in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    trials, _, summary = export(search(tmp_path))
    assert list(trials["number"]) == list(range(14))
    assert set(summary["states"]) <= {"COMPLETE", "PRUNED"}
    owners = {trial.user_attrs["worker"] for trial in search(tmp_path).study().get_trials()}
    assert owners == {0, 1}


@pytest.mark.fault(
    "Two machines use one journal",
    where="at a worker's first claim",
    lost="nothing: a one-line message",
)
def test_a_journal_is_not_shared_between_machines(tmp_path, monkeypatch):
    first = search(tmp_path, workers=2)
    with locks.lock(first.folder / "worker-0"):
        study = first.study()
        first._claim(study, 0)
        monkeypatch.setattr(search_module, "this_machine", lambda: "elsewhere")
        monkeypatch.setattr(storages, "this_machine", lambda: "elsewhere")
        with pytest.raises(UserError, match="journal works on one machine only"):
            search(tmp_path, workers=2).run_worker(worker=1)
    # A worker that is gone does not matter: its trial resumes here.
    other = search(tmp_path, workers=2)
    other.run_worker(worker=1)
    assert export(other)[2]["trials"] == 14


@pytest.mark.fault(
    "SIGKILL of a worker that is not restarted",
    where="during a trial, on a journal",
    lost="the current epoch",
)
def test_a_dead_workers_trial_is_taken_over_by_another(tmp_path):
    assert run_example(tmp_path, "journal", 14, 8) == -signal.SIGKILL
    study = search(tmp_path)
    study.run_worker(worker=1)
    assert set(export(study)[2]["states"]) == {"COMPLETE", "PRUNED"}


@pytest.mark.fault(
    "A worker that counted as dead goes on, and ends a trial that another one has taken up",
    where="during the trial",
    lost="nothing: the trial counts once, and the later one says so and goes on with the next",
)
def test_a_trial_that_another_worker_has_ended_is_left(tmp_path, monkeypatch, caplog):
    other = search(tmp_path).study()
    usual = PaperTrainer.train_epoch

    def train_epoch(self):
        record = usual(self)
        [running] = other.get_trials(states=[TrialState.RUNNING])
        if running.number == 2 and record["epoch"] == 2:
            other.tell(running.number, 0.5)
        return record

    monkeypatch.setattr(PaperTrainer, "train_epoch", train_epoch)
    study = search(tmp_path)
    assert study.run_worker() == 13
    warnings = [one.getMessage() for one in caplog.records if one.levelname == "WARNING"]
    assert warnings == ["penalised: another worker has ended trial 3"]
    trials, _, _ = export(study)
    assert list(trials["number"]) == list(range(14))


@pytest.mark.fault(
    "A journal ends with an incomplete line", where="in study.log", lost="the incomplete line"
)
def test_a_journal_that_ends_in_half_a_line_is_repaired(tmp_path, undisturbed):
    study = finished(tmp_path, trials=5)
    whole = study.store.file.read_bytes()
    study.store.file.write_bytes(whole + b'{"op_code": 4, "tri')
    longer = finished(tmp_path)
    assert longer.store.file.read_bytes().startswith(whole)
    pd.testing.assert_frame_equal(export(longer)[0][FOUND], undisturbed[0][FOUND])


@pytest.mark.fault(
    "The sampler in the config differs from the study's",
    where="in a study's storage",
    lost="nothing",
)
def test_a_study_made_with_other_settings_is_refused_with_the_difference(tmp_path):
    study = finished(tmp_path, trials=5)
    sampler = {**search_example.SETTINGS["sampler"], "startup_trials": 2}
    other = search(tmp_path, trials=5, sampler=sampler)
    assert other.folder != study.folder
    # As if somebody had moved one study to the other's folder.
    study.folder.rename(other.folder)
    with pytest.raises(UserError, match=r"sampler\.startup_trials was 4 and is now 2;"):
        other.run_worker()
    assert len(search(tmp_path, trials=5).study().get_trials()) == 0


def test_an_unfinished_study_is_not_exported(tmp_path):
    search(tmp_path, trials=5).run_worker()
    with pytest.raises(UserError, match="has only 5 of its 14 trials"):
        export(search(tmp_path))


def test_curves_that_were_lost_are_trained_again(tmp_path, undisturbed):
    search(tmp_path, trials=6).run_worker()
    for path in (tmp_path / "curves").glob("*/curve.json"):
        path.unlink()
    with pytest.raises(UserError, match="the rest was lost"):
        export(search(tmp_path, trials=6))
    assert search(tmp_path, trials=6).run_worker() == 0
    found = export(search(tmp_path, trials=6))[0][FOUND]
    pd.testing.assert_frame_equal(found, undisturbed[0][FOUND][:6])


@pytest.mark.fault(
    "A curve's file is damaged during training",
    where="between two epochs",
    lost="time: the earlier epochs are trained again",
)
@pytest.mark.parametrize("damage", ["{", "[]", '{"records": [{"epoch": 2}], "identity": 1}'])
def test_a_curve_that_is_damaged_under_way_is_trained_from_its_start(tmp_path, damage):
    curve = PaperCurve(tmp_path / "curves", ("conv",) * 3, 0)
    accuracies = []
    for record in curve.epochs(EPOCHS):
        accuracies.append(record["test_accuracy"])
        if record["epoch"] == 3:
            (curve.folder / "curve.json").write_text(damage)
            with pytest.raises(UserError, match="is damaged"):
                curve.read()
    assert [path.read_text() for path in curve.folder.glob("damaged-*-curve.json")] == [damage]
    records = curve.read()["records"]
    assert [record["epoch"] for record in records] == list(range(1, EPOCHS + 1))
    assert [record["test_accuracy"] for record in records] == accuracies


@pytest.mark.fault(
    "A file server frees a machine's locks, as it no longer hears of it, and others take them",
    where="while the machine trains an epoch",
    lost="the current epoch: the process there ends with a one-line message",
)
def test_a_curve_whose_lock_was_given_to_another_process_is_left_to_it(tmp_path):
    curve = PaperCurve(tmp_path / "curves", ("conv",) * 3, 0)
    epochs = curve.epochs(EPOCHS)
    next(epochs)
    other = locks.Holder(process=7, node="two", job=None, since="then")
    Path(f"{curve.folder}.lock").write_text(json.dumps(other._asdict()))
    stored = sorted(path.read_bytes() for path in curve.folder.iterdir())
    with pytest.raises(UserError, match="was given to process 7 on two since then, as the file"):
        next(epochs)
    assert sorted(path.read_bytes() for path in curve.folder.iterdir()) == stored


@pytest.mark.parametrize(
    ("name", "pruner"), [("random", "none"), ("tpe", "hyperband"), ("tpe_optuna_0_5", "median")]
)
def test_every_sampler_and_pruner_runs(tmp_path, name, pruner):
    settings = search_example.SETTINGS
    study = finished(
        tmp_path,
        sampler={**settings["sampler"], "name": name},
        pruner={**settings["pruner"], "name": pruner},
    )
    assert sum(export(study)[2]["states"].values()) == 14


def test_the_storage_file_holds_the_study_with_all_its_settings(tmp_path):
    study = finished(tmp_path, trials=4)
    study.copy_storage(tmp_path / "study.optuna")
    backend = optuna.storages.journal.JournalFileBackend(str(tmp_path / "study.optuna"))
    loaded = optuna.load_study(
        study_name="penalised", storage=optuna.storages.JournalStorage(backend)
    )
    assert len(loaded.trials) == 4
    settings = loaded.user_attrs["settings"]
    given = search_example.SETTINGS
    assert settings["sampler"] == {**given["sampler"], "candidates": 24}
    assert settings["pruner"] == {**given["pruner"], "interval_steps": 1, "minimum_trials": 1}


def test_a_grid_has_all_modules_and_repeats_them_as_new_replicates(tmp_path):
    grid = {**search_example.SETTINGS["sampler"], "name": "grid"}
    trials, _, summary = export(finished(tmp_path, trials=29, sampler=grid))
    assert summary["combinations"] == 27
    assert trials["replicate"].tolist()[:27] == [0] * 27
    assert list(trials["replicate"]) == list(trials.groupby(list(ARTICLE.positions)).cumcount())
    assert len(trials) == 29


def test_best_trials_are_ranked_by_objective(undisturbed):
    best = best_trials(undisturbed[0])
    done = undisturbed[0].query("state == 'COMPLETE'")
    assert list(best["rank"]) == list(range(1, min(5, len(done)) + 1))
    assert list(best["objective"]) == sorted(done["objective"])[: len(best)]


def test_the_articles_penalty():
    # A million parameters cost twenty points of accuracy.
    assert Penalty(0.05, 250000, "article").of(10**6) == pytest.approx(0.20)
