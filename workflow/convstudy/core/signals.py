"""Stop requests: signals are recorded and handled between two steps of the work.

SLURM sends SIGTERM on `scancel`, on preemption and at a job's time limit, and SIGUSR1 some time
before the limit if configured (``--signal=USR1@120``). Ctrl-C is SIGINT.
"""

import os
import signal

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)

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
        raise Interrupted(f"{_asked_by}: stopped {where}; the next run resumes {then}")


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
