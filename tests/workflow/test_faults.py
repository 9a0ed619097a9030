"""Faults of the system during a run: disks, folders, clocks, damage."""

import contextlib
import os
import shutil
import signal
import subprocess
import time
import uuid
from datetime import datetime

import psutil
import pytest
from convstudy.core.files import read_json
from helpers.images import DIGITS, encoded, pixels, write_parquet
from helpers.pipeline import Project

GOAL = "results/training/curves/conv_0.json"
SUMMARY = "results/training/summary.csv"
TIMES = {"seconds", "images_per_second"}


def records(project):
    """Return the records of the exported curve, without times."""
    return [
        {key: value for key, value in record.items() if key not in TIMES}
        for record in read_json(project.folder / GOAL)["records"]
    ]


def curve_file(project):
    [path] = (project.folder / "results/.state/curves").glob("conv-conv_*/curve.json")
    return path


@pytest.fixture(scope="module")
def finished(root, tmp_path_factory):
    """Train the three networks."""
    project = Project(root, tmp_path_factory.mktemp("finished"))
    code, output = project.run(SUMMARY)
    assert code == 0, output
    return project


@pytest.fixture
def project(root, tmp_path, finished):
    """Copy the finished run."""
    project = Project(root, tmp_path / "project")
    for folder in ("results", ".snakemake"):
        shutil.copytree(finished.folder / folder, project.folder / folder, symlinks=True)
    return project


@contextlib.contextmanager
def mounted(folder, options):
    """Mount an in-memory file system, or skip."""
    folder.mkdir(exist_ok=True)
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "none", folder], capture_output=True, text=True
    )
    if done.returncode:
        pytest.skip(f"may not mount a small disk here: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", folder], check=True)


def remount(folder, options):
    subprocess.run(["mount", "-o", f"remount,{options}", folder], check=True)


@pytest.mark.fault(
    "The disk is full", where="when a checkpoint is written", lost="the current epoch"
)
def test_a_full_disk(root, tmp_path, finished):
    project = Project(root, tmp_path / "project")
    results = project.folder / "results"
    with mounted(results, "size=1000k"):
        code, output = project.run(GOAL)
        assert code != 0
        assert "No space left on device; no file was left half-written" in output
        assert "Traceback" not in output
        assert not (project.folder / GOAL).exists()
        assert not list((results / ".state/curves").rglob("*.keras"))
        remount(results, "size=50m")
        code, output = project.run(GOAL)
        assert code == 0, output
        assert records(project) == records(finished)


@pytest.mark.fault("The results folder is read-only", where="at the start", lost="nothing")
def test_a_read_only_folder(root, tmp_path):
    project = Project(root, tmp_path / "project")
    results = project.folder / "results"
    with mounted(results, "size=10m"):
        remount(results, "ro")
        code, output = project.run(GOAL)
        assert code != 0
        assert "Read-only file system: 'results/data'" in output
        assert "Traceback" not in output


@pytest.mark.fault(
    "The clock jumps: files date from 2035 and from 1990",
    where="before a run",
    lost="nothing: no curve is trained again",
)
@pytest.mark.parametrize("year", [1990, 2035])
def test_a_clock_that_jumps(project, finished, year):
    moment = datetime(year, 1, 1).timestamp()
    for path in (project.folder / "results").rglob("*"):
        if path.name != "conv_0.json":
            os.utime(path, (moment, moment))
    before = read_json(curve_file(project))["records"]
    code, output = project.run(GOAL)
    assert code == 0, output
    assert read_json(curve_file(project))["records"] == before
    assert records(project) == records(finished)


@pytest.mark.fault(
    "One bit of a training's result changes",
    where="in results/training/curves",
    lost="nothing: the message says how to make it again",
)
def test_a_damaged_result_is_not_read(project):
    path = project.folder / GOAL
    path.write_text(path.read_text().replace('"replicate": 0', '"replicate": 7'))
    code, output = project.run(SUMMARY, "--forcerun", "summarise_training")
    assert code != 0
    assert f"{GOAL} is damaged" in output
    assert "Traceback" not in output
    code, output = project.run(GOAL, "--force")
    assert code == 0, output
    code, output = project.run(SUMMARY)
    assert code == 0, output
    assert set(project.table("training/summary.csv")["replicate"]) == {0}


@pytest.mark.fault(
    "A second run starts in the same folder",
    where="while the first one is running",
    lost="nothing: the second run ends with a one-line message",
)
def test_two_runs_in_one_folder(root, tmp_path):
    project = Project(root, tmp_path / "project")
    # The first run must outlast the start of the second.
    longer = {"training": {"epochs": 40}}
    first = project.start(GOAL, **longer)
    owner = project.folder / ".snakemake/run.lock"
    wait_until(lambda: owner.is_file() and owner.read_text())
    second = subprocess.run(
        project.command(GOAL, **longer),
        cwd=project.folder,
        env=project.environment(),
        capture_output=True,
        text=True,
    )
    assert second.returncode != 0
    assert f"another run is using {project.folder} (process {first.pid} on" in second.stderr
    assert "Traceback" not in second.stderr
    assert first.wait() == 0, project.said()


@pytest.mark.fault(
    "A new shell lacks CONVSTUDY_CIFAR10; then the folder of the images is gone, too",
    where="before a run",
    lost="nothing: the run finds the folder of the last run, or ends with a one-line message",
)
def test_a_new_shell_finds_the_same_images(root, tmp_path, monkeypatch):
    for name in ("HOME", "KERAS_HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    folder = tmp_path / "images"
    folder.mkdir()
    for seed, (split, count) in enumerate({"train": 40, "test": 20}.items()):
        path = folder / f"{split}-00000-of-00001.parquet"
        write_parquet(path, map(encoded, pixels(count, seed)), DIGITS[:count])
    auto = {"source": "auto", "train_images": 20, "test_images": 20}
    project = Project(
        root, tmp_path / "project", tiny={"data": auto, "training": {"batch_size": 10}}
    )
    goal = "results/data/summary.json"
    monkeypatch.setenv("CONVSTUDY_CIFAR10", os.path.relpath(folder, project.folder))
    project.succeed(goal, new_shell=False)
    output = project.succeed(goal)
    assert f"Images: {folder}, as in the last run here." in output
    assert "Nothing to be done" in output
    shutil.move(folder, tmp_path / "elsewhere")
    code, output = project.run(goal)
    assert code != 0
    assert "the results here were made from better images (the folder images, SHA-256" in output
    assert "Traceback" not in output
    assert (project.folder / goal).is_file()
    monkeypatch.setenv("CONVSTUDY_CIFAR10", str(tmp_path / "elsewhere"))
    project.succeed(goal, new_shell=False)
    assert read_json(project.folder / goal)["origin"] == "the folder elsewhere"


# Seconds longer than it takes to send a signal after the first epoch.
LONGER = {"training": {"epochs": 16}}


@pytest.fixture(scope="module")
def undisturbed(root, tmp_path_factory):
    """Train one long curve."""
    project = Project(root, tmp_path_factory.mktemp("undisturbed"))
    project.succeed(GOAL, **LONGER)
    return records(project)


@pytest.mark.fault(
    "SIGKILL or SIGTERM to Snakemake alone, then the same command again immediately",
    where="while a training runs on one machine",
    lost="the current epoch: the training ends with its run",
)
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_training_ends_with_its_run(root, tmp_path, undisturbed, number):
    project = Project(root, tmp_path / "project")
    run = project.start(GOAL, **LONGER)
    wait_until(lambda: list((project.folder / "results/.state/curves").glob("*/curve.json")))
    jobs = psutil.Process(run.pid).children(recursive=True)
    assert jobs
    run.send_signal(number)
    _, alive = psutil.wait_procs(jobs, timeout=10)
    assert not alive
    assert run.wait() != 0
    assert "Traceback" not in project.said()
    trained = len(read_json(curve_file(project))["records"])
    assert 0 < trained < len(undisturbed)
    project.succeed(GOAL, **LONGER)
    log = project.folder / "results/logs/train_model/conv_0.log"
    assert f"resumes after epoch {trained}" in log.read_text()
    assert records(project) == undisturbed


def wait_until(done, seconds=60):
    for _ in range(10 * seconds):
        if done():
            return
        time.sleep(0.1)
    raise TimeoutError


def test_the_gpu_profile_gives_each_job_a_gpu_of_its_own(root, tmp_path, monkeypatch):
    tools = tmp_path / "tools"
    tools.mkdir()
    tool = tools / "nvidia-smi"
    # All runs of a user share the leases, so the names are this test's own.
    uuids = [f"GPU-{uuid.uuid4()}" for _ in range(2)]
    lines = (f"echo 'GPU {number}: A (UUID: {one})'\n" for number, one in enumerate(uuids))
    tool.write_text("".join(["#!/bin/sh\n", *lines]))
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    where = ("--profile", "workflow/profiles/gpu", "--resources", "gpu=2", "--cores", "4")
    project = Project(root, tmp_path / "project", where)
    code, output = project.run(SUMMARY)
    assert code == 0, output
    used = [
        (project.folder / f"results/logs/train_model/{kind}_0.log").read_text().split("uses GPU ")
        for kind in ("conv", "depthwise", "separable")
    ]
    assert {text[1].split()[0] for text in used} == set(uuids)
    # TensorFlow finds no real GPU behind these names.
    assert set(project.table("training/summary.csv")["device"]) == {"cpu, in place of a GPU"}
