import errno
import os
import signal
import subprocess
import sys
import time

import pytest
from convstudy.core import locks, signals
from convstudy.core.errors import UserError

HOLD = """
import sys, time
from pathlib import Path
from convstudy.core import locks
held = getattr(locks, sys.argv[1])(Path(sys.argv[2]))
if sys.argv[1] == "lock":
    held.acquire()
print("held", flush=True)
time.sleep(60)
"""


@pytest.fixture
def hold():
    """Return a function that starts a process holding a lock; it is killed at the end."""
    started = []

    def begin(function, path):
        command = [sys.executable, "-c", HOLD, function, str(path)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout.readline() == "held\n"
        return process

    yield begin
    for process in started:
        if process.poll() is None:
            process.kill()
            process.communicate()


@pytest.fixture
def listening():
    signals.install()
    yield
    signals.reset()


def test_a_lock_is_free_as_soon_as_its_owner_is_killed(tmp_path, hold):
    path = tmp_path / "thing"
    holder = hold("lock", path)
    assert not locks.is_free(path)
    holder.kill()
    holder.communicate()
    assert locks.is_free(path)


def test_who_waits_says_for_what_and_gets_the_lock(tmp_path, hold, caplog):
    caplog.set_level("INFO", logger="convstudy")
    path = tmp_path / "thing"
    holder = hold("lock", path)
    subprocess.Popen(["sh", "-c", f"sleep 0.7; kill -9 {holder.pid}"])
    began = time.monotonic()
    with locks.waiting_for(path, "the thing"):
        assert time.monotonic() - began > 0.5
    assert caplog.messages == ["waiting for the thing, held by another process"]


@pytest.mark.fault(
    "The file system has no locks (`flock` answers ENOLCK, ENOSYS or EOPNOTSUPP)",
    where="when a run starts, or a job requests a lock",
    lost="nothing: a one-line message with the remedy",
)
@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_is_named(tmp_path, monkeypatch, number):
    def refuse(descriptor, operation):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("fcntl.flock", refuse)
    with pytest.raises(UserError, match=f"{tmp_path} is on a file system .*; mount it with them"):
        locks.claim_folder(tmp_path)
    with pytest.raises(UserError, match=os.strerror(number)):
        locks.wait(locks.lock(tmp_path / "curve"), "a curve")


def test_waiting_ends_when_a_stop_is_asked_for(tmp_path, hold, listening):
    path = tmp_path / "thing"
    hold("lock", path)
    signals.request_stop()
    with (
        pytest.raises(signals.Interrupted, match="while waiting for the thing"),
        locks.waiting_for(path, "the thing"),
    ):
        pass


@pytest.mark.fault(
    "Two runs of the workflow started in one folder",
    where="when the second one starts",
    lost="nothing: the second run ends with a one-line message",
)
def test_a_folder_is_claimed_by_one_run(tmp_path, hold):
    owner = hold("claim_folder", tmp_path)
    with pytest.raises(UserError, match=rf"another run is using .*process {owner.pid} on "):
        locks.claim_folder(tmp_path)
    owner.kill()
    owner.communicate()
    locks.claim_folder(tmp_path)
    locks._claims.pop().release()


def test_a_second_ctrl_c_stops_at_once(listening):
    signal.raise_signal(signal.SIGINT)
    assert signals.stop_requested()
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    signals.reset()
    assert not signals.stop_requested()
