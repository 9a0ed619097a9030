"""A request to stop, made by a signal and heard between two steps of the work.

SLURM sends SIGTERM on `scancel`, on preemption and at a job's time limit, and SIGUSR1 some time
before, if it is asked to (``--signal=USR1@120``). Ctrl-C is SIGINT.
"""

import os
import signal

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)

_asked_by: str | None = None


class Interrupted(Exception):  # noqa: N818
    """The work stopped where it can go on, as it was asked to."""


def install() -> None:
    """Take the signals as requests from now on; a second Ctrl-C stops at once."""
    for number in SIGNALS:
        signal.signal(number, _note)


def _note(number: int, frame: object) -> None:
    global _asked_by
    if _asked_by is not None and number == signal.SIGINT:
        raise KeyboardInterrupt
    _asked_by = signal.Signals(number).name


def stop_requested() -> bool:
    """Tell whether a stop was asked for."""
    return _asked_by is not None


def stop_if_asked(where: str, then: str = "from there") -> None:
    """Raise `Interrupted` if a stop was asked for; say what was reached, and what comes then."""
    if stop_requested():
        raise Interrupted(f"{_asked_by}: stopped {where}; the next start goes on {then}")


def reset() -> None:
    """Start anew, as a new process does, and leave the signals to the system."""
    global _asked_by
    _asked_by = None
    for number in SIGNALS:
        usual = signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
        signal.signal(number, usual)


def request_stop() -> None:
    """Ask this process to stop, as SLURM does."""
    os.kill(os.getpid(), signal.SIGTERM)
