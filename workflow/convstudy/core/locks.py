"""Locks that the operating system frees when their owner dies: no stale locks to clean up."""

import contextlib
import errno
import logging
import os
import socket
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from convstudy.core import signals
from convstudy.core.errors import UserError

logger = logging.getLogger(__name__)

# What flock answers where the file system, or a server behind it, has no locks.
UNSUPPORTED = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)

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


def wait(ours: Any, what: str) -> None:
    """Acquire a lock; if it is taken, log what is waited for.

    Raises:
        Interrupted: If a stop is requested while waiting.
    """
    from filelock import Timeout

    try:
        ours.acquire(blocking=False)
        return
    except Timeout:
        logger.info("waiting for %s, held by another process", what)
    try:
        ours.acquire(poll_interval=0.2, cancel_check=signals.stop_requested)
    except Timeout:
        signals.stop_if_asked(f"while waiting for {what}")
        raise


@contextlib.contextmanager
def waiting_for(path: Path, what: str) -> Iterator[None]:
    """Wait for a lock, then hold it."""
    held_lock = lock(path)
    wait(held_lock, what)
    try:
        yield
    finally:
        held_lock.release()


def claim_folder(folder: Path) -> None:
    """Keep other runs of the workflow out of a folder while this process lives.

    Raises:
        UserError: If another run is using the folder.
    """
    from filelock import Timeout

    folder_lock, owner = lock(folder / "run"), folder / "run.owner"
    try:
        folder_lock.acquire(blocking=False)
    except Timeout:
        who = owner.read_text(encoding="utf-8").strip() if owner.is_file() else "unknown"
        raise UserError(
            f"another run is using {folder.resolve().parent} ({who}); only one run per folder is"
            " allowed; wait for it to finish, stop it, or use another clone"
        ) from None
    owner.write_text(f"process {os.getpid()} on {socket.gethostname()}\n", encoding="utf-8")
    _claims.append(folder_lock)
