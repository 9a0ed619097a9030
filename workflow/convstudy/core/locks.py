"""Locks that the system frees when their owner dies, so that none is ever left to clear by hand."""

import contextlib
import logging
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from convstudy.core import signals
from convstudy.core.errors import UserError

logger = logging.getLogger(__name__)

# A lock ends with its object.
_claims: list[Any] = []


def lock(path: Path) -> Any:
    """Make the lock of a file or folder, ``PATH.lock``.

    Raises:
        NotImplementedError: On use, if the file system has no such locks.
    """
    from filelock import FileLock

    path.parent.mkdir(parents=True, exist_ok=True)
    return FileLock(f"{path}.lock", fallback_to_soft=False)


def is_free(path: Path) -> bool:
    """Tell whether nobody holds a lock."""
    from filelock import Timeout

    try:
        with lock(path).acquire(blocking=False):
            return True
    except Timeout:
        return False


def wait(ours: Any, what: str) -> None:
    """Acquire a lock, saying what is waited for, and giving up when a stop is asked for.

    Raises:
        Interrupted: If a stop is asked for while waiting.
    """
    from filelock import Timeout

    try:
        ours.acquire(blocking=False)
        return
    except Timeout:
        logger.info("waiting for %s, which another process holds", what)
    try:
        ours.acquire(poll_interval=0.2, cancel_check=signals.stop_requested)
    except Timeout:
        signals.stop_if_asked(f"while it waited for {what}")
        raise


@contextlib.contextmanager
def waiting_for(path: Path, what: str) -> Iterator[None]:
    """Hold a lock, having waited for it."""
    ours = lock(path)
    wait(ours, what)
    try:
        yield
    finally:
        ours.release()


def claim_folder(folder: Path) -> None:
    """Keep other runs of the workflow out of a folder for as long as this process lives.

    Raises:
        UserError: If another run is at work in the folder.
    """
    from filelock import Timeout

    ours, owner = lock(folder / "run"), folder / "run.owner"
    try:
        ours.acquire(blocking=False)
    except Timeout:
        who = owner.read_text(encoding="utf-8").strip() if owner.is_file() else "unknown"
        raise UserError(
            f"another run is at work in {folder.resolve().parent} ({who}); only one run a folder"
            " is allowed; wait for it, stop it, or use another clone"
        ) from None
    owner.write_text(f"process {os.getpid()} on {socket.gethostname()}\n", encoding="utf-8")
    _claims.append(ours)
