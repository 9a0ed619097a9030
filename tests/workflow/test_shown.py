"""What is seen of runs that end well or badly, in a terminal and in a file."""

import contextlib
import os
import pty
import re
import signal
import threading
from pathlib import Path

import psutil
import pytest
from convstudy.config import settings
from convstudy.core.locks import waiting_for
from convstudy.data.dataset import load_arrays
from convstudy.layers.networks import ARTICLE
from convstudy.training.curve import Curve
from helpers.pipeline import Project
from helpers.waiting import wait_for

DATA = "results/data/summary.json"
GOAL = "results/training/curves/conv_0.json"


@pytest.fixture(scope="module")
def project(root, tmp_path_factory):
    """Prepare the images."""
    project = Project(root, tmp_path_factory.mktemp("shown"))
    project.succeed(DATA)
    files = [project.folder / name for name in ("config/config.yaml", "tiny.yaml")]
    project.config = settings.read(files)
    return project


@pytest.fixture(params=["terminal", "file"])
def run(request, project):
    """Return a function that starts a run and returns its process, and one for what it shows."""
    if request.param == "file":
        yield project.start, project.said
        return
    leader, follower = pty.openpty()
    shown: list[bytes] = []

    def read():
        # Linux reports the end as an error.
        with contextlib.suppress(OSError):
            while new := os.read(leader, 65536):
                shown.append(new)

    reader = threading.Thread(target=read, daemon=True)
    reader.start()

    def start(*arguments, **options):
        return project.start(*arguments, screen=follower, **options)

    def said():
        """Return what a reader sees: of a line that changes, the last."""
        lines = b"".join(shown).decode().replace("\r\n", "\n").split("\n")
        seen = (line.rpartition("\r\033[K")[2] for line in lines)
        return re.sub(r"\033\[\d+m", "", "\n".join(seen))

    yield start, said
    os.close(follower)
    reader.join(10)
    os.close(leader)


def holding_curve(config, results):
    """Hold the curve that `GOAL` exports."""
    kinds, training = ARTICLE.single_kind()["conv"], config["training"]
    store, dataset = results / ".state/curves", load_arrays(results / "data")
    curve = Curve(store, kinds, 0, config["model"], training, training["epochs"], dataset)
    return waiting_for(curve.folder, "the curve")


def lines(text, mark):
    """Return what follows the time and a mark."""
    found = re.findall(r"^\d\d:\d\d:\d\d  (.{10})(.*)", text, re.MULTILINE)
    return [what for its, what in found if its.strip() == mark]


def test_a_run_that_succeeds(run):
    start, said = run
    process = start("results/counts/models.csv", "--force")
    assert process.wait() == 0
    wait_for(said, "results/.\n")
    assert lines(said(), "begun") == ["Counting parameters and multiply-accumulates"]
    [ended] = lines(said(), "1 of 1")
    assert re.fullmatch(
        r"Counting parameters and multiply-accumulates \(\d+ s\); all in \d+ s", ended
    )
    assert said().endswith("\nTables, figures and curves: results/.\n")
    assert not re.search("Select jobs|Execute|Building DAG|jobid", said())


def test_a_job_that_fails(run, project):
    start, said = run
    path = project.folder / "results/.state"
    path.rename(project.folder / "state")
    path.touch()
    try:
        process = start(DATA, "--force", "--quiet", "all")
        assert process.wait() == 1
    finally:
        path.unlink()
        (project.folder / "state").rename(path)
    wait_for(said, "1 of 1 step failed")
    [reason, log] = [*lines(said(), "failed"), *lines(said(), "")]
    assert "results/.state: File exists; no file was left half-written" in reason
    assert log == "its log: results/logs/prepare_dataset.log"
    assert (project.folder / "results/logs/prepare_dataset.log").read_text().count(" ERROR ") == 1
    assert said().count("File exists") == 2
    assert "Traceback" not in said()
    assert "CalledProcessError" not in said()
    assert not lines(said(), "begun")
    assert start(DATA).wait() == 0


def test_a_start_that_fails(run):
    start, said = run
    assert start(DATA, model={"width": -1}).wait() == 1
    wait_for(said, "model.width: -1")
    assert "Traceback" not in said()
    assert not lines(said(), "begun")


@pytest.mark.parametrize("how", ["killed", "Ctrl-C"])
def test_a_job_that_is_stopped(run, project, how):
    """The job waits for its curve, which another process trains."""
    start, said = run
    with holding_curve(project.config, project.folder / "results"):
        process = start(GOAL, "--force")
        log = project.folder / "results/logs/train_model/conv_0.log"
        wait_for(
            lambda: log.read_text() if log.is_file() else "", f"held by process {os.getpid()} on "
        )
        if how == "killed":
            children = psutil.Process(process.pid).children(recursive=True)
            [script] = [one for one in children if one.cmdline()[-1].endswith(".train_model.py")]
            script.kill()
        else:
            os.killpg(process.pid, signal.SIGINT)
        assert process.wait() == 1
    log.unlink()
    wait_for(said, "Stopped. The logs are in results/logs/; the same command resumes.")
    what = "Training the conv network, replicate 0"
    if how == "killed":
        assert re.search(rf"{what} \(\d+ s\): ended by SIGKILL", lines(said(), "failed")[0])
        assert "1 of 1 step failed" in said()
    else:
        assert "the next run resumes" in lines(said(), "stopped")[0]
        assert "failed" not in said()
    assert lines(said(), "") == ["its log: results/logs/train_model/conv_0.log"]
    assert "Traceback" not in said()
    [complete] = re.findall(r"Complete log\(s\): (.*)", said())
    everything = Path(complete).read_text()
    assert "Select jobs to execute" in everything
    assert "Reason: " in everything
