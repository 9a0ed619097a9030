import subprocess

from convstudy import provenance


def test_the_digest_follows_the_source_of_the_named_modules(tmp_path, monkeypatch):
    (tmp_path / "a.py").write_text("1")
    (tmp_path / "b.py").write_text("1")
    monkeypatch.setattr(provenance, "__file__", str(tmp_path / "provenance.py"))
    one, everything = provenance.code_digest("a"), provenance.code_digest()
    (tmp_path / "b.py").write_text("2")
    assert provenance.code_digest("a") == one
    assert provenance.code_digest() != everything


def test_a_commit_and_changes_to_it(tmp_path):
    def git(*arguments):
        identity = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
        subprocess.run(["git", *identity, *arguments], cwd=tmp_path, check=True)

    git("init", "-q")
    (tmp_path / "file").write_text("1")
    git("add", ".")
    git("commit", "-q", "-m", "one")
    provenance.commit.cache_clear()
    found = provenance.commit(tmp_path)
    assert len(found["commit"]) == 40
    assert found["dirty"] is False
    (tmp_path / "file").write_text("2")
    provenance.commit.cache_clear()
    assert provenance.commit(tmp_path)["dirty"] is True


def test_no_repository_is_no_error(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    provenance.commit.cache_clear()
    assert provenance.commit(tmp_path) == {"commit": None, "dirty": None}


def test_versions_and_machine_are_named():
    described = provenance.describe({"training": {"backend": "tensorflow", "device": "auto"}})
    assert {"python", "keras", "optuna"} <= described["versions"].keys()
    assert described["hardware"]["cores"] >= 1
    assert described["created"].endswith("+00:00")
