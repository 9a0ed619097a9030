"""Tests of what a run says on the terminal."""

import io
import logging
import os
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import snakemake_logger_plugin_convstudy as terminal
from convstudy.core.progress import SHOWN
from helpers.waiting import wait_for
from snakemake.settings.enums import Quietness
from snakemake_interface_logger_plugins.common import LogEvent

TRAINING = "Training the conv network, replicate 0"


class Screen(io.StringIO):
    """A stream that may be a terminal."""

    def __init__(self, is_terminal):
        super().__init__()
        self.is_terminal = is_terminal

    def isatty(self):
        return self.is_terminal


class Run:
    """A run of Snakemake, as its logger sees it."""

    def __init__(self, folder, screen, **settings):
        usual = {"stdout": False, "dryrun": False, "nocolor": False, "quiet": None}
        usual |= {"verbose": False, "debug_dag": False}
        self.folder, self.screen = folder, screen
        self.handler = terminal.LogHandler(SimpleNamespace(**{**usual, **settings}), None)

    def log(self, text="", level="INFO", **attributes):
        record = logging.LogRecord("snakemake", logging.getLevelName(level), "", 0, text, (), None)
        record.__dict__ |= attributes
        self.handler.handle(record)

    def begin(self, number=1, message=TRAINING, rule="train_model", **attributes):
        usual = {"local": False, "reason": "Missing output files: a", "output": ["a"]}
        usual |= {"log": [str(self.path(number))], "rule_name": rule, "rule_msg": message}
        self.log(event=LogEvent.JOB_INFO, jobid=number, **{**usual, **attributes})

    def path(self, number=1):
        return self.folder / f"{number}.log"

    def write(self, *lines, number=1):
        with self.path(number).open("a") as file:
            file.writelines(f"2026-01-31 12:00:00,123 {line}\n" for line in lines)

    def finish(self, number=1, done=1, total=3):
        self.log(event=LogEvent.JOB_FINISHED, job_id=number)
        self.log(event=LogEvent.PROGRESS, done=done, total=total)

    def fail(self, number=1, rule="train_model", message=None):
        own = [str(self.path(number))]
        about = {"jobid": number, "rule_name": rule, "rule_msg": message, "log": own}
        self.log("Error", "ERROR", event=LogEvent.JOB_ERROR, **about)

    @property
    def said(self):
        return self.screen.getvalue()


@pytest.fixture
def start(tmp_path, monkeypatch):
    """Return a function that starts a run, in a terminal or not."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.delenv(SHOWN, raising=False)
    runs = []

    def start(is_terminal=False, **settings):
        screen = Screen(is_terminal)
        for stream in ("stdout", "stderr"):
            monkeypatch.setattr(f"sys.{stream}", screen)
        runs.append(Run(tmp_path, screen, **settings))
        return runs[-1]

    yield start
    for run in runs:
        run.handler.close()
    os.environ.pop(SHOWN, None)


def test_a_step_has_a_line_when_it_begins_and_one_with_its_result(start):
    run = start()
    run.log("Select jobs to execute...")
    run.begin()
    run.write("INFO conv-conv: epoch 8 of 8, test accuracy 50.7 %")
    run.finish(done=6, total=26)
    [begun, ended] = run.said.splitlines()
    assert begun[8:] == f"  begun     {TRAINING}"
    assert ended[8:] == (
        f"  6 of 26   {TRAINING} (0 s): conv-conv: epoch 8 of 8, test accuracy 50.7 %"
    )


def test_what_is_not_known_to_be_noise_is_shown(start):
    run = start()
    run.log("Building DAG of jobs...")
    run.log("Nothing to be done.")
    run.log("The disk is nearly full", "WARNING")
    run.log("Error in the Snakefile", "ERROR", event=LogEvent.ERROR)
    assert run.said.splitlines() == [
        "Nothing to be done.",
        "The disk is nearly full",
        "Error in the Snakefile",
    ]


def test_a_step_that_runs_again_says_why(start):
    run = start()
    run.begin(reason="Code has changed since last execution")
    run.begin(2, reason="Input files updated by another job: x")
    assert [line[8:] for line in run.said.splitlines()] == [
        f"  begun     {TRAINING} (its code changed)",
        f"  begun     {TRAINING}",
    ]


def test_a_log_may_be_deleted_while_it_is_looked_at(start, monkeypatch):
    is_there = Path.is_file

    def delete(path):
        there = is_there(path)
        path.unlink(missing_ok=True)
        return there

    run = start()
    run.write("INFO of an earlier attempt")
    monkeypatch.setattr(Path, "is_file", delete)
    run.begin()
    run.path().unlink(missing_ok=True)
    run.finish()
    assert "1 of 3" in run.said
    assert "Traceback" not in run.said


def test_a_failure_says_why_and_where_and_is_repeated_at_the_end(start):
    run = start()
    run.log(event=LogEvent.RUN_INFO, stats={"train_model": 3, "total": 3})
    run.begin()
    run.begin(2, "Training another", log=[])
    run.write("ERROR No space left on device; free some", "INFO never mind")
    run.fail()
    run.fail(2)
    run.log("Exiting because a job execution failed. Look above", "ERROR")
    assert f"failed    {TRAINING} (0 s): No space left on device; free some" in run.said
    assert f"its log: {run.path()}" in run.said
    assert "failed    Training another (0 s): it wrote nothing" in run.said
    last = run.said.partition("2 of 3 steps failed:\n")[2]
    assert f"  {TRAINING}: No space left on device; free some\n    {run.path()}\n" in last


def test_a_job_that_could_not_be_submitted_has_failed(start):
    run = start()
    run.fail(message="SLURM sbatch failed. The error message was 'invalid account'.")
    assert "failed    train_model (0 s): SLURM sbatch failed." in run.said


def test_each_error_is_told_up_to_ten(start):
    run = start()
    run.begin()
    run.write("ERROR a.csv: changed", "ERROR 2 differences:\n  b.csv: changed\n  c.csv: missing")
    run.fail()
    said = [line.strip() for line in run.said.splitlines()[1:]]
    assert said[0].endswith("(0 s): 2 differences:")
    assert [line[8:].strip() for line in said[1:-1]] == [
        "a.csv: changed",
        "b.csv: changed",
        "c.csv: missing",
    ]
    run.begin(2)
    run.write(*[f"ERROR {number} is wrong" for number in range(30)], number=2)
    run.fail(2)
    assert run.said.count("is wrong") == 1 + terminal.step.MOST_DETAILS
    assert "... and 19 more in its log" in run.said


def test_a_traceback_is_told_by_its_last_line(start):
    run = start()
    run.begin()
    run.write("ERROR train_model failed with an unexpected error")
    with run.path().open("a") as file:
        file.write("Traceback (most recent call last):\n  File x\nKeyError: 'epochs'\n")
    run.fail()
    assert "train_model failed with an unexpected error: KeyError: 'epochs'" in run.said


@pytest.mark.parametrize(
    "status", ["died with <Signals.SIGKILL: 9>", "returned non-zero exit status 137"]
)
def test_a_killed_step_says_so(start, status):
    run = start()
    run.begin()
    run.write("INFO conv-conv: epoch 3 of 8")
    script = f"Command 'python tmp1.train_model.py' {status}."
    run.log(f"RuleException:\n{script}", "ERROR", event=LogEvent.ERROR)
    run.fail()
    assert run.said.splitlines()[1].endswith("ended by SIGKILL (out of memory?)")


def test_a_step_that_stops_on_request_has_not_failed(start):
    run = start()
    run.begin()
    run.write("WARNING SIGTERM: stopped in trial 2; the next run resumes from there")
    run.fail()
    run.log("Exiting because a job execution failed", "ERROR")
    assert "stopped   Training" in run.said
    assert "failed" not in run.said
    assert run.said.count("stopped in trial 2") == 1


@pytest.mark.parametrize("quiet", [Quietness.ALL, Quietness.RULES, Quietness.PROGRESS])
def test_quiet_still_shows_errors(start, quiet):
    run = start(quiet=[quiet])
    run.log(event=LogEvent.RUN_INFO, stats={"train_model": 1, "total": 1})
    run.begin()
    run.log("Some news")
    assert run.said == ""
    run.write("ERROR No space left on device")
    run.fail()
    assert "No space left on device" in run.said
    assert str(run.path()) in run.said


def test_a_step_on_a_cluster_is_queued_until_its_log_begins(start, monkeypatch):
    monkeypatch.setattr(terminal, "LOOK", 0.01)
    run = start()
    # Of an earlier attempt.
    run.write("ERROR out of memory")
    run.log(event=LogEvent.RESOURCES_INFO, nodes=100)
    run.begin()
    run.log("Job 1 has been submitted with SLURM jobid 77 (log: x).")
    assert f"queued    {TRAINING} (SLURM job 77)" in run.said
    time.sleep(0.1)
    assert "begun" not in run.said
    run.path().unlink()
    run.write("INFO training on cpu")
    wait_for(lambda: run.said, f"begun     {TRAINING}")
    run.fail(message="SLURM-job '77' failed, SLURM status is: 'TIMEOUT'\nmore")
    run.log("Trying to restart job 1.")
    run.log("Exiting because a job execution failed", "ERROR")
    assert (
        "no error in its log, which ends: training on cpu;"
        " SLURM-job '77' failed, SLURM status is: 'TIMEOUT'\n" in run.said
    )
    assert "out of memory" not in run.said
    # It was tried again.
    assert "steps failed" not in run.said


def test_progress_has_a_line_now_and_then_and_warnings_at_once(start, monkeypatch):
    monkeypatch.setattr(terminal, "LOOK", 0.01)
    run = start()
    run.begin()
    run.write("INFO conv-conv: epoch 1 of 8", "WARNING a GPU was requested, but there is none")
    wait_for(lambda: run.said, "warning   [train_model] a GPU was requested, but there is none")
    assert "epoch 1" not in run.said
    monkeypatch.setattr(terminal, "STEP", 0.0)
    wait_for(lambda: run.said, "[train_model] conv-conv: epoch 1 of 8")
    run.write("INFO   within the epoch: step 79 of 391", "INFO conv-conv: epoch 2 of 8")
    wait_for(lambda: run.said, "epoch 2 of 8")
    time.sleep(0.1)
    assert run.said.count("epoch 1 of 8") == run.said.count("epoch 2 of 8") == 1
    assert "step 79" not in run.said
    run.write("INFO waiting for the curve c, held by process 7 on one")
    wait_for(lambda: run.said, "[train_model] waiting for the curve c, held by process 7 on one")


def test_a_terminal_ends_in_a_line_that_changes(start, monkeypatch):
    monkeypatch.setattr(terminal, "LOOK", 0.01)
    run = start(is_terminal=True)
    run.log("Left to train: much", left=lambda steps: 100.0 * steps["train_model"])
    run.log(event=LogEvent.RUN_INFO, stats={"train_model": 2, "total": 2})
    run.begin()
    run.write("INFO   within the epoch: step 79 of 391")
    wait_for(lambda: run.said, "\r\033[K0 of 2 steps, 1 running, about 3 min")
    wait_for(lambda: run.said, "left | within the epoch: step 79 of …")
    run.handler.estimated = -100
    run.finish(done=1, total=2)
    assert "1 of 2    Training the conv network, replicate 0 (0 s): within" in run.said
    assert "about 1 min 40 s left" in run.said
    run.handler.close()
    assert run.said.endswith("\r\033[K")
    # Each line begins where the changing one was erased.
    assert all(line.startswith("\r\033[K") for line in run.said.split("\n") if line)


def test_an_estimate_that_fails_is_said_once(start):
    run = start()
    run.log("cost", left=lambda steps: 1 / 0)
    for number in (1, 2):
        run.begin(number)
        run.finish(number, done=number)
    assert run.said.count("without an estimate of the time left: ZeroDivisionError") == 1


@pytest.mark.parametrize("how", ["not a terminal", "NO_COLOR", "nocolor", "dumb"])
def test_colours_are_for_terminals_that_want_them(start, monkeypatch, how):
    if how == "NO_COLOR":
        monkeypatch.setenv("NO_COLOR", "1")
    if how == "dumb":
        monkeypatch.setenv("TERM", "dumb")
    run = start(is_terminal=how != "not a terminal", nocolor=how == "nocolor")
    run.log("careful", "WARNING")
    assert "\033[33m" not in run.said
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    coloured = start(is_terminal=True)
    coloured.log("careful", "WARNING")
    assert "\033[33mcareful\033[0m" in coloured.said


def test_a_dry_run_ends_in_what_would_run_why_and_at_what_cost(start):
    run = start(dryrun=True, stdout=True)
    run.log("Left to train: 16 epochs", left=lambda steps: 0.0)
    stats = {"train_model": 2, "render_report": 1, "all": 1, "total": 4}
    run.log(event=LogEvent.RUN_INFO, stats=stats)
    run.begin(reason="Params have changed since last execution: Missing output files: x")
    run.begin(2, reason="Params have changed since last execution: y")
    run.begin(
        3, "Rendering the report", "render_report", reason="Input files updated by another job: z"
    )
    run.begin(4, None, "all", output=[], log=[])
    run.log("This was a dry-run (flag -n).")
    assert run.said == ""
    run.handler.close()
    run.handler.close()
    assert run.said.splitlines() == [
        "",
        "3 steps would run:",
        f"   2  train_model    {TRAINING}, and 1 more  its settings changed",
        f"   1  render_report  Rendering the report{' ' * 32}an input is made again",
        "",
        "Left to train: 16 epochs",
        "Nothing was run; the same command without -n (--dry-run) does it.",
    ]


def test_verbose_shows_snakemakes_own_lines(start):
    run = start(verbose=True)
    run.handler.setFormatter(logging.Formatter("Snakemake: %(message)s"))
    run.log("Select jobs to execute...")
    assert run.said == "Snakemake: Select jobs to execute...\n"
