"""The steps of a run, and their logs."""

import contextlib
import os
import re
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path

from convstudy.core.progress import duration
from convstudy.core.signals import RESUMES

LOG_LINE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d+ ([A-Z]+) (.*)")
TRACEBACK = "Traceback (most recent call last):"
MOST_DETAILS = 10


class Log:
    """The log of a step, read as it grows."""

    def __init__(self, path: Path) -> None:
        self.path, self.place, self.rest = path, 0, ""
        # An earlier attempt's, until this one begins its own.
        self.old = None
        with contextlib.suppress(FileNotFoundError):
            self.old = path.stat().st_mtime_ns

    def lines(self) -> list[str]:
        """Return the complete lines that were written since the last call."""
        # Snakemake deletes an earlier attempt's log as the job begins.
        with contextlib.suppress(FileNotFoundError), self.path.open("rb") as file:
            if os.fstat(file.fileno()).st_mtime_ns == self.old:
                return []
            self.old = None
            if file.seek(0, os.SEEK_END) < self.place:
                self.place, self.rest = 0, ""
            file.seek(self.place)
            *lines, self.rest = (self.rest + file.read().decode(errors="replace")).split("\n")
            self.place = file.tell()
            return lines
        return []


@dataclass
class Step:
    """A job that runs, or waits in a cluster's queue.

    Attributes:
        rule: Name of its rule.
        what: What it does.
        logs: Its logs; it writes to the first.
        waits: Whether it has not begun.
        began: When it began; in a queue, when it got there.
        told: When it last had a line of its own.
        makes: Whether it does anything itself, unlike the target `all`.
        last: What it said last, warnings and errors aside.
        progress: How far it is.
        news: Whether that had no line of its own yet.
        errors: The lines of each of its errors, or of why it stopped.
        status: The status with which its script ended, if that is known.
    """

    rule: str
    what: str
    logs: list[str]
    waits: bool
    makes: bool = True
    log: Log | None = field(init=False)
    began: float = field(default_factory=time.monotonic)
    told: float = field(default_factory=time.monotonic)
    last: str = ""
    progress: str = ""
    news: bool = False
    errors: list[list[str]] = field(default_factory=list)
    status: int = 0

    def __post_init__(self) -> None:
        """Open the log, which may be an earlier attempt's."""
        self.log = Log(Path(self.logs[0])) if self.logs else None

    def read(self) -> list[str]:
        """Take in what is new in the log, and return the warnings there."""
        warnings = []
        # A log on a network may be out of reach for a moment.
        with contextlib.suppress(OSError):
            for line in self.log.lines() if self.log else ():
                entry = LOG_LINE.fullmatch(line)
                if entry and entry[1] == "INFO":
                    self.last = entry[2].strip()
                    if re.search(r"\d of \d|waiting for", line):
                        self.progress, self.news = entry[2], True
                elif entry and entry[1] == "WARNING" and RESUMES not in line:
                    warnings.append(entry[2])
                elif entry:
                    self.errors.append([entry[2]])
                elif self.errors and line.strip():
                    self.errors[-1].append(line)
        return warnings

    @property
    def wrong(self) -> str:
        """Its last error, or why it stopped."""
        if not self.errors:
            return ""
        first, *others = self.errors[-1]
        # A traceback ends in the error itself.
        return f"{first}: {others[-1]}" if TRACEBACK in others else first

    @property
    def details(self) -> list[str]:
        """Its earlier errors, and the further lines of the last one."""
        *before, last = self.errors or [[""]]
        lines = [line for error in before for line in error]
        lines += [] if TRACEBACK in last else last[1:]
        more = len(lines) - MOST_DETAILS
        return lines if more <= 0 else [*lines[:MOST_DETAILS], f"... and {more} more in its log"]

    def why_it_ended(self, of_cluster: str) -> str:
        """Say why it failed, from its log, its status and what a cluster says of it."""
        own = self.wrong or _ended_by(self.status)
        if self.last and not own:
            own = f"no error in its log, which ends: {self.last}"
        return "; ".join(filter(None, [own, of_cluster])) or "it wrote nothing"

    @property
    def has_begun(self) -> bool:
        """Whether its log has, for a step that waits in a queue."""
        return self.log is not None and self.log.place > 0

    @property
    def took(self) -> str:
        """How long it has run."""
        return duration(time.monotonic() - self.began)


def _ended_by(status: int) -> str:
    """Name the signal that ended a script."""
    number = status - 128 if status > 128 else status
    if number not in (signal.SIGKILL, signal.SIGSEGV, signal.SIGILL, signal.SIGABRT, signal.SIGBUS):
        return ""
    hint = " (out of memory?)" if number == signal.SIGKILL else ""
    return f"ended by {signal.Signals(number).name}{hint}"
