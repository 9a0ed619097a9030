import subprocess

from convstudy.core import environment


def test_a_commit_and_changes_to_it(tmp_path):
    def git(*arguments):
        identity = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
        subprocess.run(["git", *identity, *arguments], cwd=tmp_path, check=True)

    git("init", "-q")
    (tmp_path / "file").write_text("1")
    git("add", ".")
    git("commit", "-q", "-m", "one")
    environment.commit.cache_clear()
    found = environment.commit(tmp_path)
    assert len(found["commit"]) == 40
    assert found["dirty"] is False
    (tmp_path / "file").write_text("2")
    environment.commit.cache_clear()
    assert environment.commit(tmp_path)["dirty"] is True


def test_no_repository_is_no_error(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    environment.commit.cache_clear()
    assert environment.commit(tmp_path) == {"commit": None, "dirty": None}


def test_versions_and_machine_are_named():
    described = environment.describe({"training": {"backend": "tensorflow", "device": "auto"}})
    assert {"python", "keras", "optuna"} <= described["versions"].keys()
    assert described["hardware"]["cores"] >= 1
    assert described["created"].endswith("+00:00")
