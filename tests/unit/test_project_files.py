"""Files that other people's services read: citation, changelog, checks on GitHub, catalog."""

import re
import tomllib

import pytest
import yaml


@pytest.fixture
def project(root):
    return tomllib.loads((root / "pyproject.toml").read_text())["project"]


def test_the_version_is_the_same_everywhere(root, project):
    citation = yaml.safe_load((root / "CITATION.cff").read_text())
    assert citation["version"] == project["version"]
    assert f'VERSION = "{project["version"]}"\n' in (root / "workflow/Snakefile").read_text()
    newest = re.search(r"^## \[(\d.*)\] - (.*)$", (root / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert newest.groups() == (citation["version"], citation["date-released"])


def test_the_changelog_has_the_usual_sections(root):
    text = (root / "CHANGELOG.md").read_text()
    sections = re.findall("^### (.*)$", text, re.MULTILINE)
    assert set(sections) <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
    assert re.search(r"^## \[Unreleased\]$", text, re.MULTILINE)


def test_github_runs_the_projects_own_check_on_every_python(root, project):
    jobs = yaml.safe_load((root / ".github/workflows/check.yml").read_text())
    # YAML 1.1 reads the key `on` as true.
    assert {"push", "pull_request"} <= set(jobs[True])
    assert jobs["defaults"]["run"]["shell"] == "bash"
    [job] = jobs["jobs"].values()
    legs = job["strategy"]["matrix"]["include"]
    pythons = {leg["python"] for leg in legs if leg["os"].startswith("ubuntu")}
    low, high = re.findall(r"3\.(\d+)", project["requires-python"])
    assert pythons == {f"3.{minor}" for minor in range(int(low), int(high))}
    assert any(leg["os"].startswith("macos") for leg in legs)
    assert all(re.search(r"-\d", leg["os"]) for leg in legs), "runner labels are fixed"
    commands = [step.get("run", "") for step in job["steps"]]
    assert sum(".ci/run" in command for command in commands) == 2
    assert any("sys.version_info" in command for command in commands)
    assert any("--collect-only" in command for command in commands)


def test_the_workflow_catalog_finds_what_it_asks_for(root):
    usage = yaml.safe_load((root / ".snakemake-workflow-catalog.yml").read_text())["usage"]
    assert {"mandatory-flags", "software-stack-deployment", "report"} <= usage.keys()
    assert (root / "workflow/Snakefile").is_file()
    assert (root / "config/README.md").is_file()
