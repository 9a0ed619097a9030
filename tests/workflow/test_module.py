"""The workflow as a module of another one, which has only the installed library."""

import re
import shutil
import subprocess

import pytest
import yaml
from convstudy.core import locks
from convstudy.core.files import read_json
from helpers.clones import environment_of, snakemake
from helpers.pipeline import TINY, Project, lay_verification, merged

REPORT = "reports/report.html"
COUNTS = "results/counts/models.csv"
# One of the two studies that are there by default.
WITHOUT = {"search": {"studies": {"penalised": None}}}


@pytest.fixture(scope="module")
def place(root, tmp_path_factory):
    """Return a folder with a checkout whose library is only installed, and nothing else."""
    place = tmp_path_factory.mktemp("module")
    checkout = Project(root, place / "convstudy").folder
    packages = environment_of(place, editable=False)
    install = [place / ".venv/bin/python", "-m", "pip", "install", "--quiet", "--no-deps"]
    install += ["--no-build-isolation", "--disable-pip-version-check"]
    subprocess.run([*install, checkout], check=True)
    assert (packages / "convstudy/article/facts.yaml").is_file()
    for folder in ("build", "workflow/convstudy", "workflow/snakemake_logger_plugin_convstudy"):
        shutil.rmtree(checkout / folder)
    return place


@pytest.fixture
def mine(place, root):
    """Return a folder with the Snakefile of the documentation, and a tiny config."""
    mine = place / f"mine-{len(list(place.iterdir()))}"
    mine.mkdir()
    text = (root / "docs/own-workflow.md").read_text()
    [snakefile] = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert len([line for line in snakefile.splitlines() if line]) <= 10
    (mine / "Snakefile").write_text(snakefile)
    (mine / "config.yaml").write_text(yaml.safe_dump(merged(TINY, WITHOUT)))
    (mine / ".venv").symlink_to(place / ".venv")
    return mine


def test_the_documented_snakefile_runs_to_the_report(mine):
    # Which takes as long again.
    lay_verification(mine)
    done = snakemake(mine, "--cores", "2")
    assert done.returncode == 0, done.stdout
    assert (mine / REPORT).is_file()
    record = read_json(mine / "results/provenance/convstudy_train_model/conv_0.json")
    assert (record["commit"], record["installed"]) == (None, "0.1.0")
    claims = (mine / "results/claims.csv").read_text()
    assert "parameters_conv" in claims
    # Nothing is made again, and nothing is missed.
    done = snakemake(mine, "--dry-run", "convstudy_all")
    assert "Nothing to be done" in done.stdout


def test_a_part_of_it_and_a_changed_rule(mine):
    snakefile = mine / "Snakefile"
    changed = """
use rule count_parameters from convstudy as convstudy_count_parameters with:
    priority: 5
"""
    snakefile.write_text(snakefile.read_text() + changed)
    done = snakemake(mine, COUNTS)
    assert done.returncode == 0, done.stdout
    assert (mine / COUNTS).is_file()
    # Records have the rule's name in this workflow.
    done = snakemake(mine, "convstudy_verify_provenance")
    assert done.returncode == 0, done.stdout
    with (mine / COUNTS).open("a") as file:
        file.write("1")
    done = snakemake(mine, "convstudy_verify_provenance")
    assert done.returncode == 1
    log = (mine / "results/logs/verify_provenance.log").read_text()
    assert f"{COUNTS}: " in log


def test_local_rules_stay_local_under_other_names(root):
    """Snakemake does not give the names in `localrules:` the prefix of a module."""
    files = [root / "workflow/Snakefile", *(root / "workflow/rules").glob("*.smk")]
    assert not [path for path in files if re.search("^localrules:", path.read_text(), re.M)]


@pytest.mark.fault(
    "Two runs of a workflow that mounts this one start in one folder",
    where="when the second one starts",
    lost="nothing: the second run ends with a one-line message",
)
def test_two_runs_in_one_folder(mine):
    with locks.waiting_for(mine / ".snakemake/run", "the folder"):
        done = snakemake(mine, COUNTS)
    assert done.returncode == 1
    assert "another run is using" in done.stdout.splitlines()[-1]
    assert not (mine / COUNTS).exists()


TWICE = """
module another:
    snakefile: "../convstudy/workflow/Snakefile"
    config: config

use rule * from another as another_*
"""


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (lambda text: text + TWICE, "module another: convstudy is mounted twice, or with a prefix"),
        (
            lambda text: text.replace("config: config\n", "config: config\n    prefix: 'a'\n"),
            "module convstudy: convstudy is mounted twice, or with a prefix",
        ),
        (
            lambda text: text.replace("    config: config\n", ""),
            "module convstudy: add `config: config`",
        ),
    ],
)
def test_what_cannot_be_mounted_is_refused(mine, change, line):
    snakefile = mine / "Snakefile"
    snakefile.write_text(change(snakefile.read_text()))
    done = snakemake(mine, "--dry-run", COUNTS)
    assert done.returncode == 1
    assert done.stdout.splitlines()[-1].startswith(line)


def test_a_mistake_in_the_config_is_named(mine):
    (mine / "config.yaml").write_text("training: {epoch: 3}\n")
    done = snakemake(mine, "--dry-run", COUNTS)
    assert done.returncode == 1
    assert "config.yaml:1: training.epoch: unknown key" in done.stdout.splitlines()[-1]


def test_a_git_address_as_snakedeploy_writes_it(place, mine, root):
    """Fetch rules and scripts from a tag; the config is in a folder, and rules keep their names."""
    repository = place / "repository"
    shutil.copytree(place / "convstudy", repository)
    identity = ("-c", "user.name=a", "-c", "user.email=a@b")
    for command in (["init"], ["add", "."], ["commit", "--message", "a"], ["tag", "v0.1.0"]):
        quiet = [] if command[0] in ("add", "tag") else ["--quiet"]
        subprocess.run(["git", "-C", repository, *identity, *command, *quiet], check=True)
    for folder in ("config", "workflow"):
        (mine / folder).mkdir()
    (mine / "config.yaml").rename(mine / "config/config.yaml")
    (mine / "Snakefile").unlink()
    [address] = re.findall("`(snakefile: github.*)`", (root / "docs/own-workflow.md").read_text())
    (mine / "workflow/Snakefile").write_text(
        f"""configfile: "config/config.yaml"


module convstudy:
    {address}
    config: config


use rule * from convstudy
"""
    )
    # Git asks the repository here instead, and Snakemake's cache is empty.
    elsewhere = {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.{repository}.insteadOf",
        "GIT_CONFIG_VALUE_0": "https://github.com/OWNER/convstudy",
        "XDG_CACHE_HOME": str(place / "cache"),
    }
    done = snakemake(mine, COUNTS, **elsewhere)
    assert done.returncode == 0, done.stdout
    assert (mine / COUNTS).is_file()
    done = snakemake(mine, "--dry-run", **elsewhere)
    jobs = dict(re.findall(r"^(\w+) +(\d+)$", done.stdout, re.MULTILINE))
    assert {"check_claims", "render_report", "all"} <= jobs.keys(), done.stdout
    # What was made is not made again, and null removes what is there by default.
    assert "count_parameters" not in jobs
    assert jobs["search_modules"] == "1"


def test_another_version_of_the_library_is_refused(place, mine):
    snakefile = place / "convstudy/workflow/Snakefile"
    text = snakefile.read_text()
    snakefile.write_text(re.sub('VERSION = "(.*)"', 'VERSION = "9.9.9"', text))
    done = snakemake(mine, "--dry-run", COUNTS)
    snakefile.write_text(text)
    assert done.returncode == 1
    assert (
        "its workflow is of version 9.9.9, but the convstudy that is installed is of" in done.stdout
    )
