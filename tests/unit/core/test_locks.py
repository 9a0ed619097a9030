import errno
import os
import re
import signal
import subprocess
import sys
import threading

import pytest
from convstudy.core import locks, signals
from convstudy.core.errors import UserError

HOLD = """
import sys
from pathlib import Path
from convstudy.core import locks
if sys.argv[1] == "claim_folder":
    locks.claim_folder(Path(sys.argv[2]))
else:
    held = locks.waiting_for(Path(sys.argv[2]), "it")
    held.__enter__()
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def hold():
    """Return a function that starts a process holding a lock; it ends when its input does."""
    started = []

    def begin(function, path, **variables):
        process = subprocess.Popen(
            [sys.executable, "-c", HOLD, function, str(path)],
            env=os.environ | variables,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
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
    holder = hold("waiting_for", path)
    assert not locks.is_free(path)
    holder.kill()
    holder.communicate()
    assert locks.is_free(path)


@pytest.mark.fault(
    "A process freezes (SIGSTOP), then goes on or is killed",
    where="while it holds a lock for which another one waits",
    lost="nothing: the one that waits says every minute for what and whom, and how to end that",
)
@pytest.mark.parametrize(
    ("then", "holders", "ours", "how"),
    [
        (signal.SIGCONT, "", "7", "kill -9 {pid} on one"),
        (signal.SIGKILL, "7", "", "scancel 7, or kill -9 {pid} on one"),
        # SLURM requeued it as its node was lost.
        (signal.SIGCONT, "7", "7", "kill -9 {pid} on one"),
    ],
)
def test_who_waits_says_for_whom(tmp_path, hold, caplog, monkeypatch, then, holders, ours, how):
    caplog.set_level("INFO", logger="convstudy")
    monkeypatch.setattr(locks, "SECONDS_UNTIL_A_LINE", 0.2)
    monkeypatch.setattr(locks, "SECONDS_BETWEEN_LINES", 0.5)
    monkeypatch.setenv("SLURM_JOB_ID", ours)
    path = tmp_path / "thing"
    holder = hold("waiting_for", path, SLURMD_NODENAME="one", SLURM_JOB_ID=holders)
    holder.send_signal(signal.SIGSTOP)
    holder.stdin.close()
    end = threading.Timer(1.5, holder.send_signal, [then])
    end.start()
    with locks.waiting_for(path, "the thing"):
        end.join()
        assert 2 <= len(caplog.messages) <= 4
    job = r" \(SLURM job 7\)" if holders else ""
    line = (
        rf"waiting for the thing, held by process {holder.pid} on one since [\d-]+ [\d:]+ UTC{job}"
    )
    for message in caplog.messages:
        assert re.fullmatch(f"{line}; to end that: {how.format(pid=holder.pid)}", message)


def test_a_lock_whose_file_says_nothing_is_waited_for(tmp_path, hold, caplog, monkeypatch):
    """As after a full disk."""
    caplog.set_level("INFO", logger="convstudy")
    monkeypatch.setattr(locks, "SECONDS_UNTIL_A_LINE", 0.2)
    path = tmp_path / "thing"
    holder = hold("waiting_for", path)
    (tmp_path / "thing.lock").write_text("")
    threading.Timer(0.7, holder.kill).start()
    with locks.waiting_for(path, "the thing"):
        assert caplog.messages == ["waiting for the thing, held by another process"]


def test_a_lock_that_another_process_was_given_is_not_held(tmp_path, hold):
    path = tmp_path / "thing"
    with locks.waiting_for(path, "the thing"):
        locks.require_held(path)
        # As a file server does that forgets the locks of a machine.
        (tmp_path / "thing.lock").unlink()
        other = hold("waiting_for", path)
        with pytest.raises(UserError, match=f"thing was given to process {other.pid} on "):
            locks.require_held(path)


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
    hold("waiting_for", path)
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
