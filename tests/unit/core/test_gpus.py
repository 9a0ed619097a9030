import itertools
import os
import subprocess
import sys
import time

import pytest
from convstudy.core import gpus, signals
from convstudy.training.engine import backends

LEASE = """
import sys, time
from convstudy.core import gpus
from convstudy.core.signals import install
install()
with gpus.lease({"gpu": 1}) as gpu:
    print(gpu, time.monotonic(), flush=True)
    time.sleep(float(sys.argv[1]))
    print(gpu, time.monotonic(), flush=True)
"""


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """Return a function that makes nvidia-smi show a given number of GPUs."""
    tools = tmp_path / "tools"
    tools.mkdir()
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    # Leases are kept in the folder for temporary files.
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(gpus.tempfile, "tempdir", None)
    for variable in ("CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER", "SLURM_JOB_ID"):
        # Set first, so that monkeypatch restores what a lease changes.
        monkeypatch.setenv(variable, "")
        monkeypatch.delenv(variable)

    def show(number):
        lines = [f"GPU {n}: NVIDIA H100 80GB HBM3 (UUID: GPU-{n}{n})" for n in range(number)]
        tool = tools / "nvidia-smi"
        tool.write_text("#!/bin/sh\n" + "".join(f"echo '{line}'\n" for line in lines))
        tool.chmod(0o755)
        gpus.found.cache_clear()

    yield show
    gpus.found.cache_clear()
    gpus._wanted = False


def start(seconds):
    command = [sys.executable, "-c", LEASE, str(seconds)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.fixture
def queue(machine):
    """Return a job that holds the only GPU, and one that waits for it."""
    machine(1)
    holder = start(60)
    assert holder.stdout.readline().startswith("GPU-00 ")
    waiting = start(0)
    time.sleep(1.5)
    assert waiting.poll() is None
    yield holder, waiting
    holder.kill()
    holder.communicate()


def test_gpus_are_named(machine):
    machine(2)
    assert gpus.names() == ["NVIDIA H100 80GB HBM3"] * 2
    assert gpus.visible() == ["GPU-00", "GPU-11"]


def test_a_machine_without_nvidia_smi_has_none(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    gpus.found.cache_clear()
    assert gpus.names() == []
    gpus.found.cache_clear()


@pytest.mark.parametrize(
    ("resources", "asks"),
    [({}, False), ({"gpu": 0}, False), ({"gpu": 1}, True), ({"gres": "gpu:a100:1"}, True)],
)
def test_both_forms_ask_for_a_gpu(resources, asks):
    assert gpus.asked_for(resources) is asks


def test_two_jobs_never_hold_one_gpu(machine):
    machine(2)
    jobs = [start(0.6) for _ in range(5)]
    spans = []
    for job in jobs:
        output, said = job.communicate()
        assert job.returncode == 0, said
        (gpu, begin), (_, end) = (line.split() for line in output.splitlines())
        spans.append((gpu, float(begin), float(end)))
    assert {gpu for gpu, _, _ in spans} == {"GPU-00", "GPU-11"}
    for gpu in ("GPU-00", "GPU-11"):
        held = sorted((begin, end) for name, begin, end in spans if name == gpu)
        assert all(end <= begin for (_, end), (begin, _) in itertools.pairwise(held))


@pytest.mark.fault("SIGKILL of a job that holds a GPU", where="on one machine", lost="nothing")
def test_a_killed_jobs_gpu_is_free(queue):
    holder, waiting = queue
    holder.kill()
    output, _ = waiting.communicate(timeout=20)
    assert output.startswith("GPU-00 ")


def test_a_job_that_waits_can_be_stopped(queue):
    _, waiting = queue
    waiting.terminate()
    _, said = waiting.communicate(timeout=20)
    assert "Interrupted: SIGTERM: stopped while waiting for a GPU" in said


def test_a_lease_hides_the_other_gpus_and_heeds_what_is_allowed(machine, monkeypatch):
    machine(4)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,3")
    with gpus.lease({"gpu": 1}) as first:
        assert os.environ["CUDA_VISIBLE_DEVICES"] == first == "2"
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-22,3")
        # GPU-22 is the card "2", which is taken.
        with gpus.lease({"gpu": 1}) as second:
            assert second == "3"
        assert gpus.wanted()


def test_cards_of_unknown_name_are_those_of_their_job(machine, monkeypatch):
    """Two jobs of a cluster may both call their own card 0."""
    machine(0)
    names = set()
    for job in ("17", "18"):
        monkeypatch.setenv("SLURM_JOB_ID", job)
        names.add(gpus._card("0"))
    assert len(names) == 2


@pytest.mark.fault(
    "A job requests a GPU on a machine without one",
    where="at the job's start",
    lost="nothing: it runs on the CPU, and the results and the report say so",
)
def test_without_a_gpu_the_cpu_works_and_says_so(machine, caplog):
    machine(0)
    caplog.set_level("WARNING", logger="convstudy")
    with gpus.lease({"gpu": 1}) as gpu:
        assert gpu is None
        assert "this machine has none" in caplog.text
        assert backends.use_backend("tensorflow") == "cpu, in place of a GPU"
        assert backends.use_backend("tensorflow", device="cpu") == "cpu"
    with gpus.lease({}):
        assert backends.use_backend("tensorflow") == "cpu"
    assert not signals.stop_requested()
