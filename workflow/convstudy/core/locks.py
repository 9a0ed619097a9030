"""Locks that the operating system frees when their owner dies: no stale locks to clean up.

A lock's file says who took it last, for those who wait: it means nothing once the lock is free.
"""

import contextlib
import datetime
import errno
import json
import logging
import os
import socket
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from convstudy.core import signals
from convstudy.core.errors import UserError

logger = logging.getLogger(__name__)

# What flock answers where the file system, or a server behind it, has no locks.
UNSUPPORTED = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)
# Before a waiting process says so: a lock may be taken for a moment, or its file not yet written.
SECONDS_UNTIL_A_LINE = 1.0
SECONDS_BETWEEN_LINES = 60.0

# A lock is released when its object is garbage-collected, so claims are kept here.
_claims: list[Any] = []


@cache
def _lock_class() -> type:
    # Imported late, as it takes longer than all else here.
    from filelock import FileLock

    class Lock(FileLock):
        def _acquire(self) -> None:
            try:
                super()._acquire()
            except (NotImplementedError, OSError) as error:
                cause = error if isinstance(error, OSError) else error.__cause__
                number = getattr(cause, "errno", None)
                if number not in UNSUPPORTED:
                    raise
                raise UserError(
                    f"{Path(self.lock_file).parent} is on a file system without locks (flock:"
                    f" {os.strerror(number)}), so two jobs could write the same file; mount it"
                    " with them (Lustre: -o flock; NFS: version 4), or clone to another disk"
                ) from None

    return Lock


def lock(path: Path) -> Any:
    """Return the lock of a file or folder, ``PATH.lock``.

    Raises:
        UserError: On use, if the file system does not support such locks.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    return _lock_class()(f"{path}.lock", fallback_to_soft=False)


def is_free(path: Path) -> bool:
    """Return whether nobody holds a lock."""
    from filelock import Timeout

    try:
        with lock(path).acquire(blocking=False):
            return True
    except Timeout:
        return False


class Holder(NamedTuple):
    """Who holds a lock, and since when; `job` is its SLURM job, if any."""

    process: int
    node: str
    job: str | None
    since: str

    @classmethod
    def this_process(cls) -> "Holder":
        """Describe this process, at this time."""
        return cls(
            os.getpid(),
            os.environ.get("SLURMD_NODENAME") or socket.gethostname(),
            os.environ.get("SLURM_JOB_ID"),
            f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d %H:%M:%S} UTC",
        )

    def __str__(self) -> str:
        """Say who it is, where and since when."""
        job = f" (SLURM job {self.job})" if self.job else ""
        return f"process {self.process} on {self.node} since {self.since}{job}"

    def how_to_end(self) -> str:
        """Return what ends it, even if it is frozen."""
        kill = f"kill -9 {self.process} on {self.node}"
        # SLURM requeues a lost node's job under its number: scancel would end the one that waits.
        ours = self.job == os.environ.get("SLURM_JOB_ID")
        return kill if ours or not self.job else f"scancel {self.job}, or {kill}"


def _sign(ours: Any) -> None:
    """Write into a lock's file that this process holds it."""
    # On a full disk, those who wait do not learn who it is.
    with contextlib.suppress(OSError):
        text = json.dumps(Holder.this_process()._asdict())
        Path(ours.lock_file).write_text(text, encoding="utf-8")


def _holder(theirs: Any) -> Holder | None:
    """Return who holds a lock that is taken, if its file says so."""
    with contextlib.suppress(OSError, ValueError, TypeError):
        return Holder(**json.loads(Path(theirs.lock_file).read_text(encoding="utf-8")))
    return None


def say_who(what: str, holder: Holder | None) -> None:
    """Log what is waited for, and who holds it, if that is known."""
    by = f"{holder}; to end that: {holder.how_to_end()}" if holder else "another process"
    logger.info("waiting for %s, held by %s", what, by)


def wait(ours: Any, what: str) -> None:
    """Acquire a lock; while it is taken, log every minute what is waited for and who holds it.

    Raises:
        Interrupted: If a stop is requested while waiting.
    """
    from filelock import Timeout

    seconds = SECONDS_UNTIL_A_LINE
    while True:
        try:
            ours.acquire(seconds, poll_interval=0.2, cancel_check=signals.stop_requested)
            break
        except Timeout:
            signals.stop_if_asked(f"while waiting for {what}")
        say_who(what, _holder(ours))
        seconds = SECONDS_BETWEEN_LINES
    _sign(ours)


@contextlib.contextmanager
def waiting_for(path: Path, what: str) -> Iterator[None]:
    """Wait for a lock, then hold it."""
    held_lock = lock(path)
    wait(held_lock, what)
    try:
        yield
    finally:
        held_lock.release()


def require_held(path: Path) -> None:
    """Check that no other process has taken a lock that this one holds.

    A file server frees the locks of a machine that it has not heard of for a while.

    Raises:
        UserError: If another process has.
    """
    holder, this = _holder(lock(path)), Holder.this_process()
    if holder and (holder.process, holder.node) != (this.process, this.node):
        raise UserError(
            f"{path.name} was given to {holder}, as the file system freed this process's lock;"
            " that process goes on, and this one ends"
        )


def claim_folder(folder: Path) -> None:
    """Keep other runs of the workflow out of a folder while this process lives.

    Raises:
        UserError: If another run is using the folder.
    """
    from filelock import Timeout

    folder_lock = lock(folder / "run")
    try:
        folder_lock.acquire(blocking=False)
    except Timeout:
        raise UserError(
            f"another run is using {folder.resolve().parent} ({_holder(folder_lock) or 'unknown'});"
            " only one run per folder is allowed; wait for it to finish, stop it, or use another"
            " clone"
        ) from None
    _sign(folder_lock)
    _claims.append(folder_lock)
