"""The whole workflow, on a tiny configuration."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pandas as pd
import pytest
import yaml
from convstudy.config import settings
from convstudy.core.files import file_digest, read_json
from convstudy.provenance.job_records import ARCHIVE
from helpers.clones import environment_of, snakemake
from helpers.pipeline import Project
from rocrate.rocrate import ROCrate

KINDS_OF_CRATE = ("process", "workflow", "provenance")
# Other environments may have the plugin for SLURM.
in_the_usual_environment = pytest.mark.skipif(
    Path(sys.prefix).name != ".venv", reason="tests the environment of `make setup`"
)


@pytest.fixture(scope="module")
def project(root, tmp_path_factory):
    """Run everything once, in a folder whose name needs quotes."""
    project = Project(root, tmp_path_factory.mktemp("o'brien's {a} drive (R&D)"))
    project.output = project.succeed()
    return project


def test_a_run_makes_everything_and_says_so(project):
    assert "The report: reports/report.html" in project.output
    report = (project.folder / "reports/report.html").read_text()
    assert "synthetic" in report
    assert len(project.table("training/summary.csv")) == 3
    assert len(project.table("counts/models.csv")) == 30
    for study in ("accuracy", "penalised"):
        trials = project.table(f"search/{study}/trials.csv")
        assert len(trials) == 4
        assert set(trials["state"]) <= {"COMPLETE", "PRUNED"}
    for name in ("examples", "identities", "grid", "counts"):
        assert project.table(f"verification/{name}.csv")["passed"].all()
    claims = project.table("claims.csv")
    assert set(claims.loc[claims["basis"] == "arithmetic", "verdict"]) == {
        "reproduced",
        "not reproduced",
        "holds",
    }
    assert set(claims.loc[claims["basis"] == "training", "verdict"]) == {"undecided"}


def test_progress_is_shown(project):
    assert "epoch 2 of 2, test accuracy" in project.output
    assert "trial 4 of 4" in project.output
    log = project.folder / "results/logs/train_model/conv_0.log"
    assert "epoch 2 of 2, test accuracy" in log.read_text()


def test_a_second_run_has_nothing_to_do(project):
    assert "Nothing to be done" in project.succeed()


def test_results_are_as_recorded_until_a_byte_changes(project):
    assert "everything matches the records" in project.succeed("verify_provenance")
    table = project.folder / "results/tables/data.csv"
    content = table.read_bytes()
    table.write_bytes(content.replace(b"200", b"201"))
    try:
        code, output = project.run("verify_provenance")
    finally:
        table.write_bytes(content)
    assert code != 0
    assert "1 difference from the records" in output
    assert "results/tables/data.csv: changed since write_tables wrote it" in output


def test_the_archive_is_a_crate_of_the_run_without_images_or_folders(project):
    assert "contains a path of this machine" not in project.succeed("archive_run")
    path = project.folder / ARCHIVE
    crate = ROCrate(path)
    assert crate.mainEntity.id == "Snakefile"
    assert crate.mainEntity["programmingLanguage"]["name"] == "Snakemake"
    actions = {action.id: action for action in crate.get_by_type("CreateAction")}
    assert actions["#run"]["instrument"] == crate.mainEntity
    assert "reports/report.html" in {file.id for file in actions["#run"]["result"]}
    training = actions["#job-train-model-conv-0"]
    assert training["object"].id == "results/data/summary.json"
    assert training["result"].id == "results/training/curves/conv_0.json"
    assert training["startTime"] <= training["endTime"]
    with zipfile.ZipFile(path) as archive:
        names = set(archive.namelist())
        assert not any(name.endswith(".npy") or "/.state/" in name for name in names)
        assert {"CITATION.cff", "profiles/slurm/config.yaml", "results/run.json"} <= names
        assert {"Makefile", "locks/gpu.lock", "workflow/profiles/slurm/config.yaml"} <= names
        assert "results/provenance/plot_figures.json" in names
        for name in names:
            content = archive.read(name).decode("utf-8", "replace")
            for folder in (f"{project.folder}/", f"{Path.home()}/", f"{sys.prefix}/"):
                assert folder not in content, name
    for file in crate.get_by_type("File", exact=True):
        assert file["sha256"] == file_digest(project.folder / file.id)
    before = file_digest(path)
    project.succeed("archive_run", "--force")
    assert file_digest(path) == before
    assert crate.root_dataset["publisher"]["name"] == "The convstudy contributors"
    assert "ComputationalWorkflow" in crate.mainEntity["conformsTo"].id
    assert "url" not in crate.mainEntity


def test_the_run_is_made_again_from_its_archive(project, tmp_path):
    """Unpack the archive elsewhere, and follow its description."""
    project.succeed("archive_run")
    description = ROCrate(project.folder / ARCHIVE).root_dataset["description"]
    [command] = re.findall("To make the run again in the unpacked archive: (.*)", description)
    with zipfile.ZipFile(project.folder / ARCHIVE) as archive:
        archive.extractall(tmp_path)
    # In place of an installation, the environment of the tests.
    environment_of(tmp_path)
    # Verification, figures and report take as long again.
    profile = tmp_path / "until"
    profile.mkdir()
    until = ["record_run", "count_parameters", "summarise_training", "export_study"]
    (profile / "config.yaml").write_text(yaml.safe_dump({"until": until}))
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    environment = {**os.environ, "SNAKEMAKE_PROFILE": str(profile)}
    done = subprocess.run(["sh", "-c", command], cwd=tmp_path, env=environment, **streams)
    assert done.returncode == 0, done.stdout
    assert not (tmp_path / "results/claims.csv").exists()
    again = tmp_path / "results"
    tables = [path.relative_to(again) for path in again.glob("**/*.csv")]
    assert {"models.csv", "summary.csv", "trials.csv", "best.csv"} <= {one.name for one in tables}
    for table in tables:
        made, expected = pd.read_csv(again / table), project.table(table)
        # All but times, and which of two studies trained a curve that both needed.
        same = [column for column in expected if not re.search("second|epochs_", column)]
        pd.testing.assert_frame_equal(made[same], expected[same])
    assert read_json(again / "run.json") == read_json(project.folder / "results/run.json")
    # The job that writes the config is no danger to a run that was started with it.
    before = (again / "config.yaml").read_bytes()
    (tmp_path / "workflow/scripts/record_run.py").write_text("1 / 0")
    again_with = ("--force", "results/run.json", "--configfile", "results/config.yaml")
    done = snakemake(tmp_path, *again_with)
    assert done.returncode == 1
    assert "ZeroDivisionError" in done.stdout
    assert (again / "config.yaml").read_bytes() == before


def validated(program, *arguments):
    if not program.is_file():
        pytest.skip(f"{program.name} is not installed")
    command = ["java", "-jar"] if program.suffix == ".jar" else []
    return subprocess.run([*command, program, *arguments], capture_output=True, text=True)


def test_the_nu_html_checker_finds_no_error_in_the_report(project, root, validators):
    jar = validators / "package/build/dist/vnu.jar"
    pages = [project.folder / "reports/report.html", root / "docs/report.html"]
    found = validated(jar, "--errors-only", *pages)
    assert found.returncode == 0, found.stderr[:3000]


def test_cffconvert_accepts_the_citation_file(root, validators):
    found = validated(validators / "bin/cffconvert", "--validate", "-i", root / "CITATION.cff")
    assert found.returncode == 0, found.stdout + found.stderr


def test_roc_validator_finds_nothing_required_amiss_in_the_archive(project, validators):
    project.succeed("archive_run")
    options = ["--verbose", "--no-paging", "--no-auto-profile", "--output-line-width", "300"]
    for profile in ("ro-crate-1.1", *(f"{kind}-run-crate-0.5" for kind in KINDS_OF_CRATE)):
        found = validated(
            validators / "bin/rocrate-validator",
            *("--disable-color", "-y", "validate", "-p", profile, *options),
            project.folder / ARCHIVE,
        )
        said = found.stdout + found.stderr
        if re.search("URLError|NameResolutionError|Unable to retrieve the JSON-LD", said):
            pytest.skip("roc-validator cannot fetch the JSON-LD contexts: no network")
        assert found.returncode == 0, said[-3000:]


def test_with_a_public_address_the_archive_has_absolute_addresses(project):
    path = project.folder / "CITATION.cff"
    before = path.read_text()
    address = "https://example.org/convstudy"
    path.write_text(
        before.replace("contributors\n", f"contributors\n    website: {address}\n", 1)
        + f"repository-code: {address}\n"
    )
    try:
        project.succeed("archive_run", "--force")
    finally:
        path.write_text(before)
    crate = ROCrate(project.folder / ARCHIVE)
    tools = crate.get_by_type("SoftwareApplication")
    assert tools
    assert all(one.id.startswith(f"{address}#rule-") and one["url"] == address for one in tools)
    assert crate.root_dataset["publisher"]["url"] == address
    assert crate.mainEntity["url"] == address


def test_the_snakefile_at_the_top_is_that_of_the_workflow(root, tmp_path):
    text = (root / "Snakefile").read_text()
    assert re.findall(
        r"^(?:include|rule|checkpoint|use|module|configfile)\b.*", text, re.MULTILINE
    ) == ['include: "workflow/Snakefile"']
    project = Project(root, tmp_path)
    planned = project.jobs()
    assert {"train_model", "render_report"} <= planned
    project.where = (*project.where, "--snakefile", "workflow/Snakefile")
    assert project.jobs() == planned


@pytest.mark.parametrize("name", ["slurm", "gpu"])
def test_a_profile_has_the_same_name_here_and_below_workflow(root, tmp_path, name):
    project = Project(root, tmp_path)
    for folder in ("profiles", "workflow/profiles"):
        project.where = ("--profile", f"{folder}/{name}")
        said = project.succeed("--dry-run")
        assert (
            f"Using profiles {folder}/{name} and workflow specific profile profiles/default" in said
        )
        assert "render_report" in said
    assert (project.folder / "workflow/profiles").resolve() == project.folder / "profiles"


def test_the_slurm_profile_asks_for_account_and_partition_in_every_job(root, tmp_path):
    project = Project(root, tmp_path, ("--profile", "workflow/profiles/slurm"))
    path = project.folder / "workflow/profiles/slurm/config.yaml"
    profile = path.read_text()
    for line in ("slurm_account: my_group", "slurm_partition: cpu"):
        assert f"\n  # {line}\n" in profile
        profile = profile.replace(f"  # {line}\n", f"  {line}\n")
    path.write_text(profile)
    # A message replaces the resources in a job's line.
    for rules in (project.folder / "workflow/rules").iterdir():
        rules.write_text(re.sub(r"^ +message:\n.*\n", "", rules.read_text(), flags=re.M))
    # The nodes may have what this machine has not.
    lacking = {"device": "gpu", "threads": 1024}
    output = project.succeed("--dry-run", "--verbose", training=lacking)
    jobs = re.findall(r"\n    resources: (.*)", output)
    assert len(jobs) > 10
    for resources in jobs:
        assert "slurm_account=my_group, slurm_partition=cpu" in resources
    assert sum("mem_mb=2000," in resources for resources in jobs) > 5


@in_the_usual_environment
@pytest.mark.fault(
    "`scontrol` hangs, as SLURM's controller does not answer",
    where="when a run that does not use SLURM starts",
    lost="nothing, and no time",
)
def test_a_start_without_slurm_does_not_wait_for_its_controller(root, tmp_path, monkeypatch):
    """With the plugin, every start asks it for up to ten seconds."""
    tool = tmp_path / "scontrol"
    tool.write_text(f"#!/bin/sh\ntouch '{tmp_path}/asked'\nexec sleep 15\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    project = Project(root, tmp_path / "project")

    def seconds():
        began = time.monotonic()
        project.succeed("--dry-run")
        return time.monotonic() - began

    # Two seconds on an idle machine; a busy one has three attempts.
    assert any(seconds() < 8 for _ in range(3))
    assert not (tmp_path / "asked").exists()


@in_the_usual_environment
@pytest.mark.fault(
    "The environment lacks the plugin for SLURM",
    where="when a run on SLURM starts",
    lost="nothing: the profile names the message and the command that installs it",
)
def test_without_the_plugin_the_slurm_profile_names_the_command(root):
    command = [sys.executable, "-m", "snakemake", "--profile", "profiles/slurm", "--dry-run"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True)
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    said = "invalid choice: 'slurm'"
    assert said in done.stderr.splitlines()[-1]
    comment = (root / "profiles/slurm/config.yaml").read_text().partition("\n\n")[0]
    assert said in comment
    for text in (comment, (root / "README.md").read_text()):
        assert "make setup EXTRA=slurm" in text


def test_a_setting_of_the_report_renders_the_report_alone(project):
    assert project.jobs(report={"title": "Another title"}) == {"render_report"}


def test_another_run_is_compared_on_a_page_of_its_own(project):
    shutil.copytree(project.folder / "results", project.folder / "before")
    said = project.succeed(report={"compare": "before"})
    assert "Comparing with before" in said
    report, page = (
        (project.folder / f"reports/{name}.html").read_text() for name in ("report", "comparison")
    )
    assert '<a href="comparison.html">Compared with before</a>' in report
    found = read_json(project.folder / "results/comparison.json")
    assert found["outcome"] == "equal"
    assert found["lead"].startswith("No difference was found.")
    assert "before and this run, side by side" in page
    # Without the setting, the page is no part of the report.
    project.succeed()
    assert 'href="comparison.html"' not in (project.folder / "reports/report.html").read_text()


def test_a_setting_of_a_study_trains_no_network(project):
    jobs = project.jobs(search={"studies": {"accuracy": {"trials": 5}}})
    assert {"search_modules", "export_study"} <= jobs
    assert not jobs & {"train_model", "prepare_dataset", "verify_layers", "count_parameters"}


def test_another_sampler_reuses_the_curves(project):
    curves = project.folder / "results/.state/curves"
    before = {path: read_json(path)["records"] for path in curves.glob("*/curve.json")}
    assert before
    sampler = {"search": {"studies": {"accuracy": {"sampler": {"name": "random"}}}}}
    project.succeed("results/search/accuracy/study.json", **sampler)
    for path, records in before.items():
        # A curve may have grown, but its old epochs and their times are unchanged.
        assert read_json(path)["records"][: len(records)] == records
    summary = read_json(project.folder / "results/search/accuracy/study.json")
    assert summary["settings"]["sampler"]["name"] == "random"


def results(project):
    """Return the first curve without times."""
    records = read_json(project.folder / "results/training/curves/conv_0.json")["records"]
    return [{key: one[key] for key in ("epoch", "loss", "test_right")} for one in records]


@pytest.mark.fault(
    "Ctrl-C or SIGKILL of Snakemake and all its jobs",
    where="during training, on one machine",
    lost="the current epochs",
)
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL], ids=["interrupted", "killed"])
def test_a_stopped_run_goes_on_with_the_same_results(root, project, tmp_path, how):
    stopped = Project(root, tmp_path)
    goal = "results/training/curves/conv_0.json"
    process = stopped.start(goal)
    curves = stopped.folder / "results/.state/curves"
    for _ in range(600):
        if list(curves.glob("*/curve.json")):
            break
        time.sleep(0.1)
    os.killpg(process.pid, how)
    process.wait()
    assert not (stopped.folder / goal).exists()
    stopped.succeed(goal)
    assert results(stopped) == results(project)


@pytest.mark.parametrize(
    ("key", "config", "line"),
    [
        ("equality", {"model": {"width": -1}}, "model.width"),
        ("equality", {"report": {"compare": "nothing"}}, "report.compare: 'nothing' is neither"),
        ("equality", {"report": {"compare": "config"}}, "report.compare: config is no run"),
        ("equal", {}, ": equal: unknown key; allowed here are id, topic, statement"),
    ],
)
def test_a_mistake_in_config_or_claims_stops_before_any_job(root, tmp_path, key, config, line):
    project = Project(root, tmp_path)
    path = project.folder / "config/claims.yaml"
    path.write_text(path.read_text().replace("      equality:", f"      {key}:", 1))
    code, output = project.run(**config)
    assert code != 0
    assert line in output
    assert "Traceback" not in output
    assert "rule " not in output


NONSENSE = 10**30 + 0.5


def everything_wrong(section, misspelt):
    """Set every key to nonsense, or misspell it, leaving the sections."""
    return {
        f"{key}x" if misspelt and not isinstance(value, dict) else key: (
            everything_wrong(value, misspelt) if isinstance(value, dict) and value else NONSENSE
        )
        for key, value in section.items()
    }


@pytest.mark.parametrize("misspelt", [False, True])
def test_every_wrong_key_is_named_before_any_job(root, tmp_path, misspelt):
    project = Project(root, tmp_path)
    wrong = everything_wrong(settings.validate({}, this_machine=False), misspelt)
    project.tiny = {}
    code, output = project.run(**wrong)
    assert code != 0
    assert "Traceback" not in output
    assert "rule " not in output
    tree = yaml.compose((project.folder / "tiny.yaml").read_text())

    def leaves(node, path=""):
        for key, value in node.value:
            if isinstance(value, yaml.MappingNode):
                yield from leaves(value, f"{path}{key.value}.")
            else:
                yield key.start_mark.line + 1, f"{path}{key.value}"

    expected = [(f"tiny.yaml:{line}", key) for line, key in leaves(tree)]
    said = [line.strip().split(": ") for line in output.splitlines()]
    found = {(place, key) for place, key, *_ in (line for line in said if len(line) > 2)}
    assert len(expected) > 60
    assert [one for one in expected if one not in found] == []


def test_what_is_printed_is_what_is_recorded_and_what_jobs_get(project, monkeypatch):
    project.succeed("results/run.json")
    command = [sys.executable, "-m", "convstudy", "config", "tiny.yaml"]
    said = subprocess.run(command, cwd=project.folder, capture_output=True, text=True, check=True)
    printed = yaml.safe_load(said.stdout)
    recorded = read_json(project.folder / "results/run.json")["config"]
    assert {**recorded["data"], "directory": None} == printed["data"]
    assert {**recorded, "data": printed["data"], "report": printed["report"]} == printed
    # A job refuses to run if the settings have changed since the run began.
    monkeypatch.setenv("CONVSTUDY_CONFIG", "other")
    code, output = project.run("--dry-run")
    assert code != 0
    assert "tiny.yaml: changed since the run began; start the run again" in output


def test_mobilenets_block_on_real_images(root, real_data, tmp_path):
    """The example's question, to the report, with none of its networks made beforehand."""
    example = yaml.safe_load((root / "config/examples/mobilenet.yaml").read_text())
    project = Project(root, tmp_path)
    project.lay_verification()
    (project.folder / "results/verification/counts.csv").unlink()
    data = {"source": "directory", "directory": str(real_data)}
    # One stage, as networks take most of the time to be built.
    stages = [{"channels": 64, "layers": 2, "pooling": 2}]
    project.succeed(data=data, model={**example["model"], "stages": stages})
    counted = pd.read_csv(project.folder / "results/verification/counts.csv")
    assert counted["passed"].all()
    assert "mobilenet" in set(counted["model"])
    summary = read_json(project.folder / "results/data/summary.json")
    assert (summary["source"], summary["synthetic"]) == ("directory", False)
    assert "synthetic data" not in (project.folder / "reports/report.html").read_text()
