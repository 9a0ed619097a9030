"""Several workers on one study: in PostgreSQL, and for comparison in a journal."""

import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter

import optuna
import pandas as pd
import pytest
import sqlalchemy
from convstudy.core import locks
from convstudy.core.errors import UserError
from convstudy.search import storages
from convstudy.search.export import export
from convstudy.search.settings import postgres_url
from helpers.paths import with_helpers
from helpers.pipeline import Project
from helpers.search import SAMPLERS, search

CLAIM = """
import sys
from pathlib import Path
from helpers.search import search
with search(Path(sys.argv[1]), storage="postgresql").store.claim():
    print("held", flush=True)
    sys.stdin.read()
"""


def start_worker(folder, storage, trials, worker, workers, seconds=0.02):
    command = [sys.executable, "-m", "helpers.search", folder, storage, trials]
    command += ["--worker", worker, "--workers", workers, "--seconds-an-epoch", seconds]
    return subprocess.Popen(
        [*map(str, command)], env=with_helpers(), stderr=subprocess.PIPE, text=True
    )


def start_four(folder, storage, trials, seconds=0.02):
    return [start_worker(folder, storage, trials, number, 4, seconds) for number in range(4)]


def finish(workers):
    for worker in workers:
        _, said = worker.communicate()
        assert worker.returncode == 0, said


def wait_for_epochs(folder, number):
    """Wait until this many epochs are trained."""
    log = folder / "trained.log"
    for _ in range(600):
        if log.is_file() and log.read_text().count("\n") >= number:
            return
        time.sleep(0.05)
    pytest.fail(f"fewer than {number} epochs in 30 s")


def epochs_trained(folder):
    return Counter((folder / "trained.log").read_text().split("\n")[:-1])


def assert_exact(folder, storage, trials, workers, kills=0):
    """Check that the budget is used exactly, no trial is running, and nothing was trained twice.

    A killed worker loses one epoch at most.
    """
    table, _, summary = export(search(folder, storage=storage, trials=trials, workers=workers))
    assert list(table["number"]) == list(range(trials))
    assert set(summary["states"]) <= {"COMPLETE", "PRUNED"}
    assert sum(times - 1 for times in epochs_trained(folder).values()) <= kills
    return table


@pytest.mark.fault(
    "None: four workers on one study", where="PostgreSQL and journal", lost="nothing"
)
@pytest.mark.parametrize("storage", ["postgresql", "journal"])
def test_four_workers_use_the_budget_exactly(tmp_path, postgres, storage):
    finish(start_four(tmp_path, storage, 24))
    assert_exact(tmp_path, storage, 24, 4)
    # Running again adds nothing; a larger budget adds only the difference.
    finish(start_four(tmp_path, storage, 24))
    assert_exact(tmp_path, storage, 24, 4)
    finish(start_four(tmp_path, storage, 30))
    table = assert_exact(tmp_path, storage, 30, 4)
    study = search(tmp_path, storage=storage, trials=30).study()
    assert len({trial.user_attrs["worker"] for trial in study.get_trials()}) > 1
    assert table["number"].max() == 29


@pytest.mark.fault(
    "None: PgBouncer between four workers and PostgreSQL, pooling transactions",
    where="PostgreSQL",
    lost="nothing",
)
def test_four_workers_through_pgbouncer(tmp_path, postgres, monkeypatch):
    monkeypatch.setenv("CONVSTUDY_STORAGE", postgres.bouncers_url)
    finish(start_four(tmp_path, "postgresql", 12))
    assert_exact(tmp_path, "postgresql", 12, 4)
    engine = search(tmp_path, storage="postgresql", trials=12).study()._storage._backend.engine
    query = sqlalchemy.text("SELECT :number, current_setting('lock_timeout')")
    with engine.connect() as one, engine.connect() as other:
        for number in range(10):
            # Each transaction takes the server's connection that the other used before.
            first, second = (one, other) if number % 2 else (other, one)
            for connection in (first, second):
                assert tuple(connection.execute(query, {"number": number}).one()) == (
                    number,
                    "1min",
                )
            second.rollback()
            first.rollback()
    # Nothing stays with the connections, which others use, too.
    others = sqlalchemy.create_engine(postgres.bouncers_url.replace("://", "+psycopg://"))
    with others.connect() as connection:
        assert connection.execute(sqlalchemy.text("SHOW lock_timeout")).scalar() == "0"


@pytest.mark.parametrize("sampler", SAMPLERS.values(), ids=SAMPLERS)
def test_one_worker_finds_the_same_in_every_storage(tmp_path, postgres, sampler):
    tables = {}
    for storage in ("journal", "postgresql"):
        (tmp_path / storage).mkdir()
        study = search(tmp_path / storage, storage=storage, sampler=sampler)
        study.run_worker()
        tables[storage] = export(study)[0]
    pd.testing.assert_frame_equal(tables["journal"], tables["postgresql"])


@pytest.mark.fault(
    "Repeated SIGKILL of one of four workers",
    where="while it trains an epoch of a trial",
    lost="the current epoch",
)
@pytest.mark.parametrize("storage", ["postgresql", "journal"])
def test_killed_workers_are_started_again(tmp_path, postgres, storage):
    workers = start_four(tmp_path, storage, 24, 0.05)
    for kill in range(6):
        wait_for_epochs(tmp_path, 8 * (kill + 1))
        number = kill % 4
        workers[number].kill()
        workers[number].communicate()
        workers[number] = start_worker(tmp_path, storage, 24, number, 4, 0.05)
    finish(workers)
    assert_exact(tmp_path, storage, 24, 4, kills=6)


@pytest.mark.fault(
    "SIGKILL of a worker that is not restarted",
    where="while it trains an epoch of a trial, on PostgreSQL",
    lost="the current epoch, and the grace period until the worker counts as dead",
)
def test_a_silent_workers_trial_is_taken_over(tmp_path, postgres, monkeypatch):
    dead = start_worker(tmp_path, "postgresql", 6, 1, 2, 0.5)
    wait_for_epochs(tmp_path, 1)
    dead.kill()
    dead.communicate()
    alive = search(tmp_path, storage="postgresql", trials=6, workers=2)
    running = [t.number for t in alive.study().get_trials() if t.state.name == "RUNNING"]
    assert len(running) == 1
    # Within the grace period the dead worker is considered alive.
    assert alive.store.abandoned(alive.study(), alive.study().get_trials()) == set()
    alive.run_worker(worker=0)
    states = [trial.state.name for trial in alive.study().get_trials()]
    assert states.count("RUNNING") == 1
    monkeypatch.setattr(storages, "GRACE_SECONDS", 1)
    time.sleep(2)
    later = search(tmp_path, storage="postgresql", trials=6, workers=2)
    later.run_worker(worker=0)
    assert_exact(tmp_path, "postgresql", 6, 2, kills=1)


@pytest.mark.fault(
    "PostgreSQL restarts",
    where="while four workers search",
    lost="nothing, or the workers end with a one-line message and resume when restarted",
)
def test_the_server_restarts(tmp_path, postgres):
    workers = start_four(tmp_path, "postgresql", 24, 0.1)
    wait_for_epochs(tmp_path, 3)
    postgres.stop("immediate")
    time.sleep(1)
    postgres.start()
    for worker in workers:
        worker.communicate()
    finish(start_four(tmp_path, "postgresql", 24))
    assert_exact(tmp_path, "postgresql", 24, 4)


@pytest.mark.fault(
    "A worker freezes (SIGSTOP)",
    where="while it takes a trial on PostgreSQL",
    lost="nothing: the others say every minute for whom they wait, and go on when that is killed",
)
def test_who_waits_for_a_frozen_worker_says_so(tmp_path, postgres, monkeypatch, caplog):
    caplog.set_level("INFO", logger="convstudy")
    monkeypatch.setattr(locks, "SECONDS_BETWEEN_LINES", 1.0)
    frozen = subprocess.Popen(
        [sys.executable, "-c", CLAIM, tmp_path],
        env=with_helpers() | {"SLURMD_NODENAME": "one", "SLURM_JOB_ID": "7"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert frozen.stdout.readline() == "held\n"
    frozen.send_signal(signal.SIGSTOP)
    kill = threading.Timer(2.5, frozen.kill)
    kill.start()
    with search(tmp_path, storage="postgresql").store.claim():
        kill.join()
    assert 2 <= len(caplog.messages) <= 4
    who = rf"process {frozen.pid} on one since [\d-]+ [\d:]+ UTC \(SLURM job 7\)"
    line = f"waiting for a lock of the study penalised, held by {who}; to end that: scancel 7, or "
    assert all(re.match(line, message) for message in caplog.messages)
    frozen.communicate()


def test_a_server_that_is_not_there_is_one_line(tmp_path, postgres, monkeypatch):
    monkeypatch.setenv("CONVSTUDY_STORAGE", "postgresql://someone:hidden@127.0.0.1:1/nothing")
    with pytest.raises(UserError, match="server there failed") as caught:
        search(tmp_path, storage="postgresql").study()
    assert "hidden" not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    ["", "hidden", "postgresql://u:hidden@host:port/name", "mysql://u:hidden@h/n", "postgresql:"],
)
def test_a_wrong_url_is_not_repeated(monkeypatch, url):
    monkeypatch.setenv("CONVSTUDY_STORAGE", url)
    with pytest.raises(UserError, match="allowed is postgresql://USER@HOST/DATABASE") as caught:
        postgres_url()
    assert "hidden" not in str(caught.value)


def test_the_pipeline_keeps_the_password_to_itself(root, tmp_path, postgres):
    """Run both studies on PostgreSQL with two workers each, and search every file."""
    project = Project(root, tmp_path / "project")
    studies = [f"results/search/{study}/study.json" for study in ("accuracy", "penalised")]
    on_postgres = {"workers": 2, "storage": "postgresql"}
    # The report is made from these files alone.
    project.succeed("results/run.json", *studies, search=on_postgres)
    secrets = {postgres.password, postgres.url.partition("convstudy:")[2].partition("@")[0]}
    for path in [path for path in project.folder.rglob("*") if path.is_file()]:
        text = path.read_bytes().decode(errors="replace")
        assert not any(secret in text for secret in secrets), path
    # The exported storage needs no server.
    for study in ("accuracy", "penalised"):
        backend = optuna.storages.journal.JournalFileBackend(
            str(project.folder / f"results/search/{study}/study.optuna")
        )
        [found] = optuna.get_all_study_summaries(optuna.storages.JournalStorage(backend))
        assert found.n_trials == 4


def test_a_stopped_worker_ends_in_time(tmp_path, postgres):
    worker = start_worker(tmp_path, "postgresql", 24, 0, 1, 0.2)
    wait_for_epochs(tmp_path, 3)
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(timeout=20) != 0
    finish([start_worker(tmp_path, "postgresql", 24, 0, 1, 0)])
    assert_exact(tmp_path, "postgresql", 24, 1)
