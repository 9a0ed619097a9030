import os
import platform
import site
import sys

import pytest
from convstudy.core import prerequisites


@pytest.mark.parametrize(
    ("version", "system", "machine", "says"),
    [
        ((3, 10, 9), "linux", "x86_64", "Python 3.11 to 3.13 is required, but this is"),
        ((3, 14, 0), "linux", "x86_64", "Python 3.11 to 3.13 is required, but this is"),
        ((3, 12, 1), "darwin", "x86_64", "TensorFlow has no build for Macs with Intel processors"),
        ((3, 12, 1), "darwin", "arm64", ""),
        ((3, 11, 0), "linux", "x86_64", ""),
        ((3, 13, 9), "linux", "aarch64", ""),
    ],
)
def test_what_the_packages_need(monkeypatch, version, system, machine, says):
    monkeypatch.setattr(sys, "version_info", version)
    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr(platform, "machine", lambda: machine)
    said = prerequisites.mistake("/home/me/convstudy")
    assert said.startswith(says)
    assert bool(said) == bool(says)


def test_a_link_is_proposed_where_its_own_name_is_of_use(monkeypatch):
    monkeypatch.setenv("HOME", "/home/o'brien")
    said = prerequisites.unusable("/home/o'brien/it/.venv/bin/python", "/home/o'brien/it")
    assert "ln -s '/home/o'\"'\"'brien/it' /tmp/convstudy && cd /tmp/convstudy" in said
    # The environment is elsewhere.
    said = prerequisites.unusable("/opt/my tools/bin/python", "/home/me/it")
    assert said.endswith("as its path has ' '; install the packages elsewhere: make setup")
    assert not prerequisites.unusable("/home/é/日本/it/.venv/bin/python", "/home/my it")


@pytest.mark.fault(
    "~/.local holds other packages, and Python looks there (Conda)",
    where="before a run",
    lost="nothing: they are ignored, with a warning",
)
def test_packages_of_the_user_are_ignored(monkeypatch, tmp_path):
    own, library = tmp_path / "own", tmp_path / "clone/workflow"
    for folder in (own, library / "convstudy"):
        folder.mkdir(parents=True)
    monkeypatch.setattr(site, "ENABLE_USER_SITE", True)
    monkeypatch.setattr(site, "getusersitepackages", lambda: str(own))
    monkeypatch.setattr(sys, "path", [str(own), str(library), str(tmp_path), "/usr/lib"])
    monkeypatch.setenv("PYTHONPATH", f"{library}:{tmp_path}:")
    monkeypatch.setenv("PYTHONNOUSERSITE", "")
    assert prerequisites.ignore_other_packages() == [str(tmp_path), str(own)]
    assert sys.path == [str(library), "/usr/lib"]
    assert (os.environ["PYTHONPATH"], os.environ["PYTHONNOUSERSITE"]) == (str(library), "1")
