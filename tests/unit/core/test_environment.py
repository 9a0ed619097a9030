import subprocess

import pytest
from convstudy.core import environment


@pytest.fixture
def package(tmp_path):
    """Return the library's folder in a project."""
    for name in ("convstudy/core/files.py", "rules/a.smk", "scripts/a.py", "Snakefile"):
        path = tmp_path / "outer/project/workflow" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return tmp_path / "outer/project/workflow/convstudy"


def commit_all(folder):
    """Make a repository of a folder, and return its commit."""
    identity = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
    for arguments in (["init", "-q"], ["add", "."], [*identity, "commit", "-q", "-m", "one"]):
        subprocess.run(["git", *arguments], cwd=folder, check=True)
    command = ["git", "rev-parse", "HEAD"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True).stdout.strip()


def commit(package):
    environment.commit.cache_clear()
    return environment.commit(package)


def test_a_commit_and_changes_to_it(package):
    project = package.parents[1]
    head = commit_all(project)
    assert commit(package) == {"commit": head, "dirty": False}
    (project / "workflow/Snakefile").write_text("2")
    assert commit(package) == {"commit": head, "dirty": True}


def test_without_a_commit_a_digest_of_the_sources_stands_in(package):
    found = commit(package)
    digest = found.pop("sources")
    assert len(digest) == 12
    assert found == {"commit": None, "dirty": None}
    for name in ("convstudy/core/files.py", "rules/a.smk", "scripts/a.py"):
        path = package.parent / name
        text = path.read_text()
        path.write_text("changed")
        assert commit(package)["sources"] != digest, name
        path.write_text(text)
    (package / "__pycache__").mkdir()
    (package / "__pycache__/a.pyc").write_text("compiled")
    assert commit(package)["sources"] == digest


@pytest.mark.fault(
    "The sources are unpacked inside another git repository, or GIT_DIR names one",
    where="before a run",
    lost="nothing: its commit is not taken for theirs; the digest of the sources is recorded",
)
def test_the_commit_of_another_repository_is_not_ours(package, monkeypatch):
    alone = commit(package)
    other = commit_all(package.parents[2])
    assert commit(package) == alone
    project = package.parents[1]
    monkeypatch.setenv("GIT_DIR", str(package.parents[2] / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(project))
    assert commit(package) == alone
    monkeypatch.undo()
    ours = commit_all(project)
    monkeypatch.setenv("GIT_DIR", str(package.parents[2] / ".git"))
    assert commit(package) == {"commit": ours, "dirty": False}
    assert ours != other


def test_an_installed_library_is_named_by_its_version(package):
    project = package.parents[1]
    commit_all(project)
    installed = project / ".venv/site-packages/convstudy"
    installed.parent.mkdir(parents=True)
    package.rename(installed)
    found = commit(installed)
    version = environment.importlib.metadata.version("convstudy")
    assert (found["commit"], found["installed"]) == (None, version)


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ({"commit": "a" * 40, "dirty": False}, "commit aaaaaaaaaaaa"),
        ({"commit": "a" * 40, "dirty": True}, "commit aaaaaaaaaaaa with uncommitted changes"),
        ({"commit": None, "dirty": None, "sources": "b" * 12}, "no commit; sources bbbbbbbbbbbb"),
        (
            {"commit": None, "dirty": None, "sources": "b" * 12, "installed": "1.2"},
            "installed version 1.2; sources bbbbbbbbbbbb",
        ),
        # As earlier versions recorded it.
        ({"commit": None, "dirty": None}, "an unknown commit"),
    ],
)
def test_code_has_a_name(code, name):
    assert environment.commit_name(code) == name


def test_versions_and_machine_are_named():
    described = environment.describe({"training": {"backend": "tensorflow", "device": "auto"}})
    assert {"python", "keras", "optuna"} <= described["versions"].keys()
    assert described["hardware"]["cores"] >= 1
    assert described["created"].endswith("+00:00")
