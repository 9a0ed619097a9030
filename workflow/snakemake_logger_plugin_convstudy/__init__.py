"""What a run says on the terminal: a line for each step begun and ended, and the time left.

A logger plugin of Snakemake, named in profiles/default. Steps write to their own logs, and this
shows their progress and warnings from there, on whichever machine they run.
"""

import contextlib
import logging
import math
import os
import re
import shutil
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TextIO

from convstudy.core.progress import SHOWN, counted, duration
from convstudy.core.signals import RESUMES
from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent

from snakemake_logger_plugin_convstudy.arguments import READERS, mistake
from snakemake_logger_plugin_convstudy.plan import CHANGES, summary, why
from snakemake_logger_plugin_convstudy.step import Step

# Seconds between two looks at the logs, two lines on a step, two estimates, two lines on the run.
LOOK, STEP, ESTIMATE, RUN = 1.0, 30.0, 20.0, 600.0
# What Snakemake says between the steps; its own log in .snakemake/log keeps it.
NOISE = re.compile(
    r"Select jobs to execute|Execute \d+ jobs|Building DAG of jobs|Using shell:|Elapsed time:"
    r"|Assuming unrestricted shared|Using workflow specific profile|Rules claiming more threads"
    r"|Config file .* is extended|Removing output files of failed job|SLURM run ID|Reasons:"
    r"|Cleaning up SLURM log files"
    r"|This was a dry-run|Some jobs were triggered by|Rules with provenance triggered"
    r"|WorkflowError:\s+At least one job did not complete"
)
QUEUED = re.compile(r"Job (\d+) has been submitted with SLURM jobid (\S+)")
AGAIN = re.compile(r"Trying to restart job (\d+)")
# The end of what the executor for SLURM says of a failed job, whose logs are told here.
SEE_ELSEWHERE = re.compile(r"\n| Detailed failure reason unavailable|For further error details")
# How a script ended, and its rule; a shell reports a signal as 128 and its number.
ENDED = re.compile(r"\.(\w+)\.py' (?:returned non-zero|died with).*?(\d+)")
RED, YELLOW, DIM = 31, 33, 2


class LogHandler(LogHandlerBase):
    """Shows a run: in lines, and on a terminal also in a last line that changes.

    A record with the attribute `left` says what the run will cost, and brings a function: from how
    many steps of each rule are left to the seconds left of the run.
    """

    writes_to_stream, writes_to_file, needs_rulegraph = True, False, False
    # What `--quiet` leaves out is decided here, as errors are always shown.
    has_filter, has_formatter = True, False

    def __post_init__(self) -> None:
        """Choose the stream, and what is shown there."""
        settings = self.common_settings
        self.stream: TextIO = sys.stdout if settings.stdout else sys.stderr
        self.in_place = self.stream.isatty() and os.environ.get("TERM") not in (None, "dumb")
        self.coloured = self.in_place and not settings.nocolor and not os.environ.get("NO_COLOR")
        left_out = {str(one) for one in settings.quiet or ()}
        self.quiet = bool(left_out & {"all", "rules", "progress"}) and not settings.dryrun
        self.steps: dict[int, Step] = {}
        self.failed: dict[int, tuple[Step, str]] = {}
        self.finished: Step | None = None
        # By rule, the status with which a script of it ended.
        self.statuses: dict[str, int] = {}
        self.planned: list[Any] = []
        self.done = self.total = 0
        self.on_cluster = False
        self.day = time.strftime("%x")
        self.began = self.told = time.monotonic()
        self.cost = ""
        self.left: Callable[[Mapping[str, int]], float] | None = None
        self.rules: Counter[str] = Counter()
        self.seconds, self.estimated = math.nan, -ESTIMATE
        self.drawn = ""
        self.ended = threading.Event()
        self.watch = threading.Thread(target=self._watch, daemon=True)
        # The steps then leave the terminal to this process.
        os.environ[SHOWN] = "1"

    def emit(self, record: Any) -> None:
        """Show what Snakemake reports."""
        try:
            if hasattr(record, "left"):
                self.left, self.cost = record.left, record.getMessage()
            if self.common_settings.verbose or self.common_settings.debug_dag:
                self._print(self.format(record))
                return
            show = {
                LogEvent.RUN_INFO: self._plan,
                LogEvent.RESOURCES_INFO: self._learn_where,
                LogEvent.JOB_INFO: self._begin,
                LogEvent.JOB_FINISHED: self._finish,
                LogEvent.PROGRESS: self._count,
                LogEvent.JOB_ERROR: self._fail,
                LogEvent.GROUP_ERROR: self._pass_on,
                LogEvent.ERROR: self._pass_on,
                None: self._pass_on,
            }.get(getattr(record, "event", None))
            if show:
                show(record)
        except Exception:
            self.handleError(record)

    def close(self) -> None:
        """Show what was left to show."""
        with self._locked():
            self.ended.set()
            for step in self.steps.values():
                self._read(step)
            if self.planned:
                self._print(summary(self.planned, self.cost))
                self.planned = []
            self._erase()
        super().close()

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        self.acquire()
        try:
            yield
        finally:
            self.release()

    # --- What Snakemake reports ------------------------------------------------------------------

    def _plan(self, record: Any) -> None:
        self.rules = Counter(record.stats)
        self.total = self.rules.pop("total")
        if not self.common_settings.dryrun and not self.quiet:
            self._print(f"{counted(self.total, 'step')}.\n")

    def _learn_where(self, record: Any) -> None:
        self.on_cluster = self.on_cluster or hasattr(record, "nodes")

    def _begin(self, record: Any) -> None:
        if self.common_settings.dryrun:
            # The target itself makes nothing.
            self.planned += [record] if record.output or record.log else []
            return
        waits = self.on_cluster and not record.local
        makes = bool(record.output or record.log)
        what = record.rule_msg or (record.rule_name if makes else "everything is made")
        step = Step(record.rule_name, what, record.log, waits, makes)
        self.steps[record.jobid] = step
        if makes and not waits:
            again = why(record.reason)
            self._tell("begun", step.what + (f" ({again})" if again in CHANGES else ""))
        if not self.watch.is_alive():
            self.watch.start()

    def _finish(self, record: Any) -> None:
        self.finished = self.steps.pop(record.job_id, None)
        if self.finished:
            self._read(self.finished)
            self.rules[self.finished.rule] -= 1

    def _count(self, record: Any) -> None:
        self.done, self.total = record.done, record.total
        step = self.finished
        if step:
            parts = [step.what]
            if step.makes:
                parts = [f"{step.what} ({step.took}){': ' if step.last else ''}{step.last}"]
            if self.done == self.total:
                parts.append(f"all in {duration(time.monotonic() - self.began)}")
            else:
                parts.append(self._time_left(after=2.0))
            self._tell(f"{self.done} of {self.total}", "; ".join(filter(None, parts)))

    def _fail(self, record: Any) -> None:
        step = self.steps.pop(record.jobid, None)
        if step is None:
            # It could not even be submitted.
            step = Step(record.rule_name, record.rule_name, record.log, waits=False)
        self._read(step)
        step.status = self.statuses.pop(step.rule, 0)
        reason = step.why_it_ended(SEE_ELSEWHERE.split(record.rule_msg or "")[0].strip())
        stopped = RESUMES in step.wrong
        if not stopped:
            self.failed[record.jobid] = step, reason
        mark, colour = ("stopped", YELLOW) if stopped else ("failed", RED)
        self._tell(mark, f"{step.what} ({step.took}): {reason}", colour)
        for line in [*step.details, *(f"its log: {path}" for path in record.log)]:
            self._tell("", line.strip(), colour)

    def _pass_on(self, record: Any) -> None:
        text = record.getMessage().rstrip("\n")
        if ended := ENDED.search(text):
            self.statuses[ended[1]] = int(ended[2])
        elif (queued := QUEUED.match(text)) and int(queued[1]) in self.steps:
            self._tell("queued", f"{self.steps[int(queued[1])].what} (SLURM job {queued[2]})")
        elif again := AGAIN.match(text):
            self.failed.pop(int(again[1]), None)
        elif text.startswith("Exiting because a job execution failed"):
            self._repeat_failures()
        elif self._is_noise(text):
            pass
        elif any(name in text for name in READERS) and (wrong := mistake(sys.argv[1:])):
            self._print(wrong, RED)
        elif record.levelno >= logging.WARNING or not self.quiet:
            self._print(text, {logging.WARNING: YELLOW, logging.ERROR: RED}.get(record.levelno))

    def _is_noise(self, text: str) -> bool:
        if text.startswith("Complete log"):
            return self.done == self.total
        told_at_the_end = self.common_settings.dryrun and text == self.cost
        return told_at_the_end or text in ("", "None") or bool(NOISE.match(text))

    def _repeat_failures(self) -> None:
        """Repeat at the end what failed, as that may be hours above."""
        if not self.failed:
            return
        self._print(f"\n{len(self.failed)} of {counted(self.total, 'step')} failed:", RED)
        for step, reason in self.failed.values():
            self._print("\n    ".join([f"  {step.what}: {reason}", *step.logs]), RED)

    # --- What the steps write to their logs ------------------------------------------------------

    def _watch(self) -> None:
        """Look at the logs from time to time, until the run ends."""
        while not self.ended.wait(LOOK):
            with self._locked():
                for step in self.steps.values():
                    self._read(step)
                    # What is indented is a detail.
                    news = step.news and not step.progress.startswith(" ")
                    if news and time.monotonic() - step.told > STEP:
                        self._tell("", f"[{step.rule}] {step.progress}")
                        step.told, step.news = time.monotonic(), False
                if self.in_place:
                    self._draw()
                elif time.monotonic() - self.told > RUN:
                    self.told = time.monotonic()
                    self._tell("", self._state())

    def _read(self, step: Step) -> None:
        warnings = step.read()
        if step.waits and step.has_begun:
            step.waits, step.began, step.told = False, time.monotonic(), time.monotonic()
            self._tell("begun", step.what)
        for warning in warnings:
            self._tell("warning", f"[{step.rule}] {warning}", YELLOW)

    # --- The terminal ----------------------------------------------------------------------------

    def _state(self) -> str:
        waiting = sum(step.waits for step in self.steps.values())
        return ", ".join(
            [
                f"{self.done} of {counted(self.total, 'step')}",
                f"{len(self.steps) - waiting} running",
                *([f"{waiting} queued"] if waiting else []),
                *filter(None, [self._time_left()]),
            ]
        )

    def _time_left(self, after: float = ESTIMATE) -> str:
        """Format the time left, estimated again `after` seconds."""
        if self.left and time.monotonic() - self.estimated > after:
            self.estimated = time.monotonic()
            try:
                self.seconds = self.left(self.rules)
            except Exception as error:
                self.left, self.seconds = None, math.nan
                self._print(f"From here on without an estimate of the time left: {error!r}", YELLOW)
        seconds = self.seconds - (time.monotonic() - self.estimated)
        return f"about {duration(max(1.0, seconds))} left" if self.seconds > 0 else ""

    def _tell(self, mark: str, text: str, colour: int | None = None) -> None:
        """Print what happened, with the time."""
        if self.quiet and colour != RED:
            return
        if self.day != time.strftime("%x"):
            self.day = time.strftime("%x")
            self._print(time.strftime("%A, %d %B %Y"), DIM)
        self._print(f"{time.strftime('%H:%M:%S')}  {mark:<10}{text}", colour)

    def _print(self, text: str, colour: int | None = None) -> None:
        self._erase()
        print(
            f"\033[{colour}m{text}\033[0m" if colour and self.coloured else text, file=self.stream
        )
        self._draw()

    def _draw(self) -> None:
        """Show the state of the run in the terminal's last line, without ending it."""
        if self.in_place and self.steps and not self.quiet and not self.ended.is_set():
            width = shutil.get_terminal_size().columns - 1
            running = [step.progress.strip() for step in self.steps.values()]
            state = " | ".join(filter(None, [self._state(), *running]))
            state = state if len(state) <= width else f"{state[: width - 1]}…"
            if state != self.drawn:
                self.stream.write(f"\r\033[K{state}")
                self.drawn = state
        self.stream.flush()

    def _erase(self) -> None:
        if self.in_place:
            self.stream.write("\r\033[K")
            self.drawn = ""
