"""The workflow on a real SLURM: undisturbed, and with everything that goes wrong on clusters."""

import re
import shlex
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from convstudy.core.files import read_json
from helpers.images import encoded, pixels, write_parquet
from helpers.pipeline import SHALLOW, TINY, Project, merged
from helpers.waiting import wait_for

SLURM = (
    "--profile",
    "workflow/profiles/slurm",
    # The profile's own numbers are larger, for real clusters.
    "--slurm-init-seconds-before-status-checks",
    "3",
    "--seconds-between-status-checks",
    "1",
    "--latency-wait",
    "10",
)
# Drawn at random and never pruned, so that it finds the same with any number of workers.
ANY_WORKERS = {"sampler": {"name": "random"}, "pruner": {"name": "none"}}
# Long enough to be interrupted within an epoch.
CHANGES = {
    "data": {"train_images": 3000},
    "model": SHALLOW,
    "training": {"epochs": 20},
    "search": {"epochs": 3, "studies": {"accuracy": ANY_WORKERS}},
}
LONGER = merged(TINY, CHANGES)
NOT_TIMES = ("epoch", "loss", "train_accuracy", "test_loss", "test_accuracy", "learning_rate")
FOUND = ["number", "state", "layer1", "layer2", "replicate", "epochs", "objective"]


def goals() -> list[str]:
    return [
        "results/training/summary.csv",
        *(f"results/search/{study}/study.json" for study in ("accuracy", "penalised")),
    ]


def curves(project: Project) -> dict[str, list[dict]]:
    """Return all records of the store, without times."""
    return {
        path.parent.name: [
            {key: record[key] for key in NOT_TIMES} for record in read_json(path)["records"]
        ]
        for path in (project.folder / "results/.state/curves").glob("*/curve.json")
    }


@dataclass
class Job:
    """A job as SLURM describes it."""

    number: str
    rule: str
    state: str
    node: str
    gpu: str
    restarts: int

    @property
    def log(self) -> str:
        """The job's own log, if it trains or searches."""
        return re.sub("^(train_model|search_modules)_(.+)", r"results/logs/\1/\2.log", self.rule)


def queue() -> list[Job]:
    """List all jobs that SLURM remembers."""
    text = subprocess.run(
        ["scontrol", "--details", "--oneliner", "show", "job"], capture_output=True, text=True
    ).stdout
    jobs = []
    for line in text.splitlines():
        fields = dict(re.findall(r"(\w+)=(\S*)", line))
        if "Comment" in fields:
            rule = fields["Comment"].removeprefix("rule_").replace("_wildcards", "")
            node = fields["NodeList"]
            card = re.search(r"GRES=(gpu:\d\(IDX:[\d,-]+\))", line)
            gpu = f"{node} {card[1]}" if card else ""
            restarts = int(fields.get("Restarts", 0))
            jobs.append(Job(fields["JobId"], rule, fields["JobState"], node, gpu, restarts))
    return jobs


def processes(project: Project, log: str) -> list[int]:
    """Find the processes that run a rule's script and write a log of this project."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            arguments = (folder / "cmdline").read_bytes().split(b"\0")
            opened = [str(path.readlink()) for path in (folder / "fd").iterdir()]
        except OSError:
            continue
        if b"python" in arguments[0] and str(project.folder / log) in opened:
            found.append(int(folder.name))
    return found


@pytest.fixture(scope="module", autouse=True)
def empty_queue(slurm):
    """Leave no job behind."""
    yield
    subprocess.run(["scancel", "--user", "root"])


@pytest.fixture(scope="module")
def undisturbed(root, tmp_path_factory):
    """Run the same goals once without faults, on this machine."""
    project = Project(root, tmp_path_factory.mktemp("undisturbed"), tiny=LONGER)
    code, output = project.run(*goals())
    assert code == 0, output
    return project


def assert_same(project: Project, undisturbed: Project) -> None:
    """Check that every curve and both studies are the same, and no trial is left running."""
    assert curves(project) == curves(undisturbed)
    columns = ["kind", "test_accuracy_best", "epochs", "status"]
    name = "training/summary.csv"
    pd.testing.assert_frame_equal(project.table(name)[columns], undisturbed.table(name)[columns])
    assert_same_trials(project, undisturbed, "accuracy", "penalised")


def assert_same_trials(project: Project, undisturbed: Project, *studies: str) -> None:
    for study in studies:
        name = f"search/{study}/trials.csv"
        pd.testing.assert_frame_equal(project.table(name)[FOUND], undisturbed.table(name)[FOUND])
        summary = read_json(project.folder / f"results/search/{study}/study.json")
        assert summary["trials"] == summary["budget"]
        assert "RUNNING" not in summary["states"]


def test_the_whole_workflow_from_start_to_report(root, tmp_path, slurm):
    """A study with two workers; exactly the jobs that request a GPU have one."""
    project = Project(root, tmp_path / "project", SLURM)
    project.lay_verification()
    process = project.start(search={"workers": 2, "studies": {"penalised": None}})
    seen: dict[str, Job] = {}
    while process.poll() is None:
        now = [job for job in queue() if job.state == "RUNNING"]
        cards = [job.gpu for job in now if job.gpu]
        assert len(cards) == len(set(cards)), now
        seen |= {job.rule: job for job in now}
        time.sleep(0.5)
    output = project.said()
    assert process.returncode == 0, output
    training = "Training the conv network, replicate 0"
    for line in (
        rf"queued    {training} \(SLURM job \d+\)",
        f"begun     {training}",
        r"(\d+) of \1 ",
    ):
        assert re.search(line, output), output
    assert re.search(rf"of \d+ +{training} \(.+\): conv-conv.* epoch 2 of 2", output), output
    with_gpu = {rule for rule, job in seen.items() if job.gpu}
    assert {rule for rule in seen if rule.startswith(("train_model", "search_modules"))} == with_gpu
    assert len(with_gpu) >= 5
    log = (project.folder / "results/logs/train_model/conv_0.log").read_text()
    assert re.search(r"uses GPU [01]\n", log)
    # These fake GPUs compute nothing, and the results say so.
    assert set(project.table("training/summary.csv")["device"]) == {"cpu, in place of a GPU"}
    report = (project.folder / "reports/report.html").read_text()
    assert "A GPU was requested but not available" in report
    assert read_json(project.folder / "results/search/accuracy/study.json")["trials"] == 4


@dataclass
class Fault:
    """A disturbance of one job, once it has stored some epochs.

    Attributes:
        rule, wildcards: The job's rule and wildcards.
        strike: Disturbs the job; called with it and the process that runs its script.
        struck: Whether that has happened.
    """

    rule: str
    wildcards: str
    strike: Callable[[Job, int], None]
    struck: bool = False

    @property
    def job(self) -> str:
        """The job's comment in SLURM."""
        return f"{self.rule}_{self.wildcards}"

    @property
    def log(self) -> str:
        """The job's own log."""
        return f"results/logs/{self.rule}/{self.wildcards}.log"


def command(*arguments: str) -> None:
    subprocess.run(arguments, check=True)


def send(name: str, script: int) -> None:
    command("kill", f"-{name}", str(script))


def send_job(name: str, job: Job) -> None:
    """Cancel a job (TERM), or warn it as SLURM does before its time limit (USR1)."""
    command("scancel", *([] if name == "TERM" else [f"--signal={name}"]), job.number)


def requeue(job: Job, _: int) -> None:
    command("scontrol", "requeue", job.number)


def start_now(job: Job) -> None:
    """Start a requeued job at once, as SLURM would wait two minutes; it may already be running."""
    subprocess.run(["scontrol", "update", f"JobId={job.number}", "StartTime=now"])


def restart_slurmctld() -> None:
    command("pkill", "-x", "slurmctld")
    while subprocess.run(["pgrep", "-x", "slurmctld"], capture_output=True).returncode == 0:
        time.sleep(0.1)
    time.sleep(3)
    command("slurmctld")


@pytest.fixture(scope="module")
def disturbed(root, tmp_path_factory, undisturbed):
    """Run the same on SLURM, with a fault in every job that trains."""
    project = Project(root, tmp_path_factory.mktemp("disturbed"), SLURM, LONGER)
    project.faults = {
        "limit": Fault("train_model", "conv_0", lambda _, script: send("STOP", script)),
        "scancel": Fault("train_model", "depthwise_0", lambda job, _: send_job("TERM", job)),
        "requeue": Fault("train_model", "separable_0", requeue),
        "kill": Fault("search_modules", "accuracy_0", lambda _, script: send("KILL", script)),
        "warning": Fault("search_modules", "penalised_0", lambda job, _: send_job("USR1", job)),
    }
    before = {job.number for job in queue()}
    # SLURM's shortest limit is a minute; the profile's warning would come before the start.
    profile = project.folder / "workflow/profiles/slurm/config.yaml"
    text = profile.read_text().replace("    runtime: 240 * attempt\n", "    runtime: 1 * attempt\n")
    lines = [line for line in text.splitlines() if not line.startswith("    slurm_extra:")]
    profile.write_text("\n".join(lines) + "\n")
    process = project.start(*goals())
    restarted = False
    while process.poll() is None:
        for job in queue():
            if job.state == "PENDING" and job.restarts and job.number not in before:
                start_now(job)
            for fault in project.faults.values():
                running = job.rule == fault.job and job.state == "RUNNING"
                due = running and job.number not in before and not fault.struck
                if due and has_epochs(project, fault.log, 2):
                    # There is none if the job has ended in the meantime.
                    for script in processes(project, fault.log):
                        fault.struck = True
                        fault.strike(job, script)
        if not restarted and sum(fault.struck for fault in project.faults.values()) >= 3:
            restarted = True
            restart_slurmctld()
        time.sleep(0.1)
    project.restarted = restarted
    project.jobs_of_run = [job for job in queue() if job.number not in before]
    assert process.returncode == 0, project.said()
    return project


def has_epochs(project: Project, log: str, number: int) -> bool:
    path = project.folder / log
    return path.is_file() and path.read_text().count(", test accuracy") >= number


@pytest.mark.parametrize(
    ("which", "states"),
    [
        pytest.param(
            "scancel",
            ["CANCELLED", "COMPLETED"],
            marks=pytest.mark.fault(
                "`scancel` of a training", where="after its second epoch", lost="the current epoch"
            ),
        ),
        pytest.param(
            "requeue",
            ["COMPLETED"],
            marks=pytest.mark.fault(
                "`scontrol requeue` of a training, as in preemption",
                where="after its second epoch",
                lost="the current epoch",
            ),
        ),
        pytest.param(
            "limit",
            ["TIMEOUT", "COMPLETED"],
            marks=pytest.mark.fault(
                "A training exceeds its time limit (it hangs: SIGSTOP)",
                where="after its second epoch",
                lost="the current epoch",
            ),
        ),
        pytest.param(
            "kill",
            ["FAILED", "COMPLETED"],
            marks=pytest.mark.fault(
                "SIGKILL of a search worker",
                where="during an epoch of a trial",
                lost="the current epoch",
            ),
        ),
        pytest.param(
            "warning",
            ["FAILED", "COMPLETED"],
            marks=pytest.mark.fault(
                "SIGUSR1 to a search worker, SLURM's warning before the limit",
                where="during an epoch of a trial",
                lost="the current epoch",
            ),
        ),
    ],
)
def test_a_disturbed_job_goes_on(disturbed, undisturbed, which, states):
    fault = disturbed.faults[which]
    assert fault.struck, disturbed.said()
    jobs = [job for job in disturbed.jobs_of_run if job.rule == fault.job]
    assert [job.state for job in jobs] == states
    assert sum(job.restarts for job in jobs) == (which == "requeue")
    for job in jobs[:-1]:
        line = f"SLURM-job '{job.number}' failed, SLURM status is: '{job.state}'"
        assert line in disturbed.said()
        assert f"log: {fault.log}" in disturbed.said()
    assert_same(disturbed, undisturbed)


@pytest.mark.fault(
    "slurmctld is down for three seconds, then restarts", where="while jobs run", lost="nothing"
)
def test_slurmctld_restarted(disturbed, undisturbed):
    assert disturbed.restarted
    assert_same(disturbed, undisturbed)


def wait_for_epochs(project: Project, number: int) -> None:
    """Wait until the store has this many epochs."""
    for _ in range(1200):
        if sum(map(len, curves(project).values())) >= number:
            return
        time.sleep(0.1)
    pytest.fail(f"fewer than {number} epochs in two minutes")


def press_ctrl_c(project: Project, process: subprocess.Popen) -> int:
    """Interrupt Snakemake once it has submitted jobs, and return its exit status."""
    for _ in range(600):
        if "(SLURM job " in project.said():
            break
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    return process.wait(timeout=60)


def unfinished(before: set[str]) -> list[Job]:
    """List the later jobs that are running or waiting."""
    ended = ("CANCELLED", "COMPLETED", "FAILED", "TIMEOUT")
    return [job for job in queue() if job.number not in before and job.state not in ended]


@pytest.fixture(scope="module")
def restarted(root, tmp_path_factory, undisturbed):
    """Kill Snakemake, start it again, interrupt it, and start it again."""
    project = Project(root, tmp_path_factory.mktemp("restarted"), SLURM, LONGER)
    process = project.start(*goals())
    wait_for_epochs(project, 2)
    process.send_signal(signal.SIGKILL)
    process.wait()
    project.left_by_kill = len(unfinished(set()))
    before = {job.number for job in queue()}
    process = project.start(*goals())
    wait_for_epochs(project, 12)
    project.code_after_ctrl_c = press_ctrl_c(project, process)
    deadline = time.monotonic() + 60
    while unfinished(before) and time.monotonic() < deadline:
        time.sleep(0.5)
    project.left_by_ctrl_c = unfinished(before)
    code, output = project.run(*goals())
    assert code == 0, output
    return project


@pytest.mark.fault(
    "SIGKILL of Snakemake, then the same command again immediately",
    where="while its jobs run on the cluster",
    lost="nothing: the old jobs continue, and the new ones wait for them",
)
def test_sigkill_of_snakemake(restarted, undisturbed):
    assert restarted.left_by_kill > 0
    assert_same(restarted, undisturbed)


@pytest.mark.fault(
    "Ctrl-C on Snakemake",
    where="while its jobs run on the cluster",
    lost="nothing: its jobs are cancelled, and the next run resumes",
)
def test_ctrl_c_cancels_the_jobs(restarted, undisturbed):
    assert restarted.code_after_ctrl_c != 0
    assert restarted.left_by_ctrl_c == []
    assert_same(restarted, undisturbed)


@pytest.mark.fault(
    "SNAKEMAKE_PROFILE names the profile, the folder of the images has a space and a quote, and"
    " Snakemake itself runs in a job of two CPUs",
    where="on the cluster",
    lost="nothing: each job is submitted once",
)
def test_from_a_job_with_the_profile_in_the_environment(root, tmp_path, slurm):
    """Run in a job, with images from a folder, GPUs by `gres`, and the trainings as an array."""
    project = Project(root, tmp_path / "project", SLURM[2:])
    profile = project.folder / "profiles/slurm/config.yaml"
    text = profile.read_text()
    text = text.replace("    gpu: 1\n", "    gres: gpu:1\n")
    profile.write_text(text.replace("# slurm-array-jobs:", "slurm-array-jobs:"))
    images = tmp_path / "my images (o'brien)"
    images.mkdir()
    for seed, (split, count) in enumerate((("train", 200), ("test", 100))):
        made, labels = map(encoded, pixels(count, seed)), np.arange(count) % 10
        write_parquet(images / f"{split}-0.parquet", made, labels)
    before = {job.number for job in queue()}
    environment = project.environment() | {
        "SNAKEMAKE_PROFILE": "profiles/slurm",
        "CONVSTUDY_CIFAR10": str(images),
    }
    kinds = ("conv", "depthwise")
    targets = [f"results/training/curves/{kind}_0.json" for kind in kinds]
    command = project.command(*targets, data={"source": "directory"})
    # Not --wait, which looks less and less often.
    wrapped = f"{shlex.join(command)}; echo ended with $?"
    submit = ["sbatch", "--cpus-per-task=2", "--output=output.txt", "--wrap", wrapped]
    subprocess.run(submit, cwd=project.folder, env=environment, check=True)
    output = project.folder / "output.txt"
    wait_for(lambda: output.read_text() if output.is_file() else "", "ended with 0", seconds=300)
    for kind in kinds:
        log = (project.folder / f"results/logs/train_model/{kind}_0.log").read_text()
        assert re.search(r"uses GPU [01]\n", log)
        curve = read_json(project.folder / f"results/training/curves/{kind}_0.json")
        devices = {record["device"] for record in curve["records"]}
        assert devices == {"cpu, in place of a GPU"}
    # Jobs on the node have the profile, too, and must not submit again.
    rules = [job.rule for job in queue() if job.number not in before]
    assert [rule for rule in rules if not rule.startswith("train_model_")] == ["prepare_dataset"]
    assert len(rules) == 3


def with_an_epoch(project: Project, before: set[str]) -> tuple[str, dict[str, int]]:
    """Wait until two jobs on a node have stored an epoch; return it, and their processes by log."""
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline:
        running = [job for job in queue() if job.state == "RUNNING" and job.number not in before]
        for node in ("one", "two"):
            logs = [job.log for job in running if job.node == node]
            found = {log: processes(project, log) for log in logs if has_epochs(project, log, 1)}
            if len(found) == 2 and all(found.values()):
                return node, {log: script for log, [script] in found.items()}
        time.sleep(0.1)
    pytest.fail("no node trained twice within three minutes")


@pytest.mark.fault(
    "A node is lost (SIGKILL of its slurmd), while its jobs go on; one freezes, and one is killed",
    where="while trainings and four workers of a study on PostgreSQL run on two nodes",
    lost="the current epoch of the one that is killed: SLURM starts both jobs again, which wait for"
    " the old processes, and say so",
)
def test_a_lost_node(root, tmp_path, undisturbed, postgres):
    project = Project(root, tmp_path / "project", tiny=LONGER)
    project.succeed("results/data/summary.json")
    project.where = SLURM
    # Four jobs at a time, not two.
    profile = project.folder / "workflow/profiles/slurm/config.yaml"
    profile.write_text(profile.read_text().replace("    gpu: 1\n", ""))
    before = {job.number for job in queue()}
    trainings = [f"results/training/curves/{kind}_0.json" for kind in ("conv", "depthwise")]
    study = "results/search/accuracy/study.json"
    search = {"workers": 4, "storage": "postgresql"}
    process = project.start(*trainings, study, search=search)
    scripts: dict[str, int] = {}
    try:
        node, scripts = with_an_epoch(project, before)
        used = {job.node for job in queue() if job.state == "RUNNING"}
        for script in scripts.values():
            send("STOP", script)
        send("KILL", int(Path(f"/run/slurmd-{node}.pid").read_text()))
        for how, (log, script) in zip(("CONT", "KILL"), scripts.items(), strict=True):
            wait_for_line(project, log, f"held by process {script} on {node} since ")
            send(how, script)
        assert process.wait() == 0, project.said()
    finally:
        process.terminate()
        for script in scripts.values():
            subprocess.run(["kill", "-KILL", str(script)], stderr=subprocess.DEVNULL)
        # Starts what does not run.
        command(str(Path(__file__).with_name("start_slurm.sh")))
    assert used == {"one", "two"}
    again = [job for job in queue() if job.number not in before and job.restarts]
    assert {job.log for job in again} == set(scripts)
    assert {job.state for job in again} == {"COMPLETED"}
    assert_same_trials(project, undisturbed, "accuracy")
    found, expected = curves(project), curves(undisturbed)
    assert found == {name: expected[name] for name in found}
    trials = project.table("search/accuracy/trials.csv")
    assert list(trials["epochs_trained"]) == list(trials["epochs"])


def wait_for_line(project: Project, log: str, text: str) -> None:
    """Wait until a log has a line, starting jobs that SLURM has requeued at once."""
    for _ in range(90):
        path = project.folder / log
        if path.is_file() and text in path.read_text():
            return
        for job in queue():
            if job.state == "PENDING" and job.restarts:
                start_now(job)
        time.sleep(1)
    pytest.fail(f"{log} does not say: {text}")
