import itertools
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from convstudy.core import gpus, signals
from convstudy.core.errors import UserError
from convstudy.training.engine import backends

LEASE = """
import pathlib, sys, time
from convstudy.core import gpus
from convstudy.core.signals import install
install()
gpus.SHARED = pathlib.Path(sys.argv[2])
with gpus.lease({"gpu": 1}) as gpu:
    print(gpu, time.monotonic(), flush=True)
    time.sleep(float(sys.argv[1]))
    print(gpu, time.monotonic(), flush=True)
"""


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """Return a function that makes nvidia-smi show a given number of GPUs, or the lines given."""
    tools = tmp_path / "tools"
    tools.mkdir()
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    # Other runs of these tests have GPUs of the same names.
    monkeypatch.setattr(gpus, "SHARED", tmp_path)
    for variable in ("CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER", "SLURM_JOB_ID"):
        # Set first, so that monkeypatch restores what a lease changes.
        monkeypatch.setenv(variable, "")
        monkeypatch.delenv(variable)

    def show(number=0, text=""):
        lines = [f"GPU {n}: NVIDIA H100 80GB HBM3 (UUID: GPU-{n}{n})" for n in range(number)]
        lines += text.splitlines()
        tool = tools / "nvidia-smi"
        tool.write_text("#!/bin/sh\n" + "".join(f"echo '{line}'\n" for line in lines))
        tool.chmod(0o755)
        gpus.found.cache_clear()

    yield show
    gpus.found.cache_clear()
    gpus._wanted = False


def start(seconds, **variables):
    return subprocess.Popen(
        [sys.executable, "-c", LEASE, str(seconds), str(gpus.SHARED)],
        env={**os.environ, **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


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


@pytest.mark.fault(
    "`nvidia-smi` hangs or cannot run",
    where="when a run starts",
    lost="ten seconds: a warning, and everything runs on the CPU",
)
@pytest.mark.parametrize(
    ("script", "why"),
    [("#!/bin/sh\nexec sleep 60\n", "no answer in 0.5 s"), ("\x7fELF", "Exec format error")],
)
def test_a_tool_that_does_not_answer_is_asked_once(machine, monkeypatch, caplog, script, why):
    machine()
    monkeypatch.setattr(gpus, "SECONDS_FOR_AN_ANSWER", 0.5)
    monkeypatch.setenv(gpus.NO_ANSWER, "another machine")
    tool = shutil.which("nvidia-smi")
    Path(tool).write_text(script)
    assert gpus.names() == []
    assert caplog.messages == [f"nvidia-smi -L: {why}; going on as on a machine without GPUs"]
    # As in a job, which is another process.
    gpus.found.cache_clear()
    monkeypatch.setattr(gpus, "_answer", pytest.fail)
    assert gpus.names() == []
    assert len(caplog.messages) == 1


@pytest.mark.parametrize(
    ("resources", "asks"),
    [({}, False), ({"gpu": 0}, False), ({"gpu": 1}, True), ({"gres": "gpu:a100:1"}, True)],
)
def test_both_forms_ask_for_a_gpu(resources, asks):
    assert gpus.asked_for(resources) is asks


def test_two_jobs_never_hold_one_gpu(machine, tmp_path):
    machine(2)
    for number in range(5):
        (tmp_path / f"tmp{number}").mkdir()
    # On a cluster each job may have its own folder for temporary files.
    jobs = [start(0.6, TMPDIR=str(tmp_path / f"tmp{number}")) for number in range(5)]
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
        assert os.environ["CUDA_VISIBLE_DEVICES"] == first == "GPU-22"
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-2,GPU-3")
        # GPU-2 is the card 2, which is taken.
        with gpus.lease({"gpu": 1}) as second:
            assert second == "GPU-33"
        assert gpus.wanted()


@pytest.mark.parametrize(
    ("allowed", "seen"),
    [
        ("1, 0", ["GPU-beef0", "GPU-ab1"]),
        ("0,7,1", ["GPU-ab1"]),
        ("0,-1,1", ["GPU-ab1"]),
        ("0,none,1", ["GPU-ab1"]),
        ("0,,1", ["GPU-ab1"]),
        ("0gpu,+1", ["GPU-ab1", "GPU-beef0"]),
        ("-1", []),
        ("", []),
        ("NoDevFiles", []),
        ("0,1,0", []),
        # UUIDs may be shortened while they are unambiguous.
        ("GPU-b,GPU-ab2", ["GPU-beef0", "GPU-ab2"]),
        ("GPU-b,GPU-ab,GPU-ab2", ["GPU-beef0"]),
        ("GPU-cd,GPU-b", []),
        ("GPU-b,GPU-beef0", []),
        ("GPU-b,0", ["GPU-beef0"]),
        ("0,GPU-b", ["GPU-ab1"]),
    ],
)
def test_the_list_is_read_as_cuda_does(machine, monkeypatch, allowed, seen):
    uuids = enumerate(("GPU-ab1", "GPU-beef0", "GPU-ab2"))
    machine(text="\n".join(f"GPU {number}: A (UUID: {uuid})" for number, uuid in uuids))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", allowed)
    assert gpus.visible() == seen


SPLIT = """GPU 0: NVIDIA A100-SXM4-40GB (UUID: GPU-5d)
  MIG 3g.20gb     Device  0: (UUID: MIG-c6)
  MIG 1c.3g.20gb  Device  1: (UUID: MIG-cb)
GPU 1: NVIDIA A100-SXM4-40GB (UUID: GPU-6e)
"""


@pytest.mark.parametrize(
    ("allowed", "seen"),
    [
        (None, ["MIG-c6", "MIG-cb", "GPU-6e"]),
        ("0", ["MIG-c6", "MIG-cb"]),
        ("1,0", ["GPU-6e", "MIG-c6", "MIG-cb"]),
        ("0,0", []),
        ("GPU-5", ["MIG-c6", "MIG-cb"]),
        ("MIG-cb", ["MIG-cb"]),
        ("MIG-cb,MIG-c6", ["MIG-cb", "MIG-c6"]),
        ("MIG-c,MIG-c6", []),
        ("MIG-cb,0", ["MIG-cb"]),
        ("MIG-GPU-5d/1/0,MIG-GPU-5d/2/0", ["MIG-GPU-5d/1/0", "MIG-GPU-5d/2/0"]),
        ("MIG-GPU-6e/1/0", []),
    ],
)
def test_a_split_gpu_counts_as_its_mig_devices(machine, monkeypatch, allowed, seen):
    machine(text=SPLIT)
    if allowed is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", allowed)
    assert gpus.visible() == seen
    assert gpus.names() == ["NVIDIA A100-SXM4-40GB"] * 2


def test_mig_devices_of_one_gpu_are_leased_one_by_one(machine, monkeypatch, tmp_path):
    # As drivers before 470 name them.
    older = "MIG-GPU-5d/1/0", "MIG-GPU-5d/2/0"
    lines = (f"  MIG 3g.20gb Device {n}: (UUID: {uuid})" for n, uuid in enumerate(older))
    machine(text="\n".join(["GPU 0: A100 (UUID: GPU-5d)", *lines]))
    with gpus.lease({"gpu": 1}) as first:
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
        with gpus.lease({"gpu": 1}) as second:
            assert (first, second) == older


@pytest.mark.fault(
    "The folder of the GPU leases is a link, a file or another user's",
    where="when a job requests a GPU",
    lost="nothing: a one-line message",
)
def test_leases_are_kept_in_a_folder_of_this_user_alone(machine, monkeypatch, tmp_path):
    machine(1)
    with gpus.lease({"gpu": 1}):
        [folder] = tmp_path.glob("convstudy-gpus-*")
        assert folder.stat().st_mode & 0o777 == 0o700
    theirs = tmp_path / "theirs"
    folder.rename(theirs)
    folder.symlink_to(theirs)
    with pytest.raises(UserError, match="is a link, a file or another"), gpus.lease({"gpu": 1}):
        pass
    folder.unlink()
    folder.write_text("")
    with pytest.raises(UserError, match="is a link, a file or another"), gpus.lease({"gpu": 1}):
        pass
    # A folder that another user has made under our name.
    another = os.getuid() + 1
    (tmp_path / f"convstudy-gpus-{another}").mkdir()
    monkeypatch.setattr(os, "getuid", lambda: another)
    with (
        pytest.raises(UserError, match=f"leases of user {another}, is a link"),
        gpus.lease({"gpu": 1}),
    ):
        pass


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
        assert "a GPU was requested, but this machine has none" in caplog.text
        assert backends.use_backend("tensorflow") == "cpu, in place of a GPU"
        assert backends.use_backend("tensorflow", device="cpu") == "cpu"
    with gpus.lease({}):
        assert backends.use_backend("tensorflow") == "cpu"
    assert not signals.stop_requested()


def test_a_list_that_allows_no_gpu_is_named(machine, monkeypatch, caplog):
    machine(1)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,0")
    with gpus.lease({"gpu": 1}) as gpu:
        assert gpu is None
    assert "a GPU was requested, but CUDA_VISIBLE_DEVICES=0,0 allows none" in caplog.text
