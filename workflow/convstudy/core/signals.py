"""Stop requests: signals are recorded and handled between two steps of the work.

SLURM sends SIGTERM on `scancel`, on preemption and at a job's time limit, and SIGUSR1 some time
before the limit if configured (``--signal=USR1@120``). Ctrl-C is SIGINT, which a terminal sends to
Snakemake and its jobs. A signal to Snakemake alone does not reach them by itself.
"""

import contextlib
import logging
import os
import signal
import threading
import time
from pathlib import Path

logger = logging.getLogger(__name__)

# In what a job says that stops on request.
RESUMES = "the next run resumes"
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)
SECONDS_BETWEEN_LOOKS = 1.0

_asked_by: str | None = None


class Interrupted(Exception):  # noqa: N818
    """The work stopped on request, at a point from which it can resume."""


def install() -> None:
    """Treat the signals as stop requests from now on; a second Ctrl-C stops immediately."""
    for number in SIGNALS:
        signal.signal(number, _note)


def _note(number: int, frame: object) -> None:
    global _asked_by
    if _asked_by is not None and number == signal.SIGINT:
        raise KeyboardInterrupt
    _asked_by = signal.Signals(number).name


def stop_requested() -> bool:
    """Return whether a stop was requested."""
    return _asked_by is not None


def stop_if_asked(where: str, then: str = "from there") -> None:
    """Raise `Interrupted` if a stop was requested.

    Args:
        where: What had been reached.
        then: Where the next run resumes.
    """
    if stop_requested():
        raise Interrupted(f"{_asked_by}: stopped {where}; {RESUMES} {then}")


def reset() -> None:
    """Forget any request and restore the default signal handlers, as in a new process."""
    global _asked_by
    _asked_by = None
    for number in SIGNALS:
        usual = signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
        signal.signal(number, usual)


def request_stop() -> None:
    """Send this process SIGTERM, as SLURM does."""
    os.kill(os.getpid(), signal.SIGTERM)


def pass_on() -> None:
    """Let SIGTERM end this process as Ctrl-C in a terminal does: with all that it has started."""
    import psutil

    def stop(number: int, frame: object) -> None:
        for child in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                child.send_signal(signal.SIGTERM)
        raise KeyboardInterrupt

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)


def end_with_snakemake() -> None:
    """Send this process SIGTERM when the Snakemake that started it is gone, however that died."""
    runner = _snakemake()
    if runner is not None:
        threading.Thread(target=_watch, args=[runner], daemon=True).start()


def _snakemake() -> int | None:
    """Return the nearest Snakemake among this process's ancestors."""
    import psutil

    for ancestor in psutil.Process().parents():
        try:
            words = ancestor.cmdline()
        except psutil.Error:
            # Another user's, or just gone.
            continue
        if any(Path(word).name == "snakemake" for word in words):
            return ancestor.pid
    return None


def _watch(runner: int) -> None:
    while _is_ancestor(runner):
        time.sleep(SECONDS_BETWEEN_LOOKS)
    logger.warning("Snakemake (process %d), which started this job, is gone: stopping", runner)
    request_stop()


def _is_ancestor(runner: int) -> bool:
    """Return whether a process is still an ancestor; an orphan's new parent is another one."""
    import psutil

    try:
        return any(ancestor.pid == runner for ancestor in psutil.Process().parents())
    except psutil.NoSuchProcess:
        # An ancestor ended while the others were looked up, so the next look decides.
        return True
