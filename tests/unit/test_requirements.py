"""The locks, environment.yml and pyproject.toml name the same packages."""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib

import pytest
import yaml
from helpers.clones import executable, make
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name


def pins(text):
    """Return the requirement lines of a lock, without their hashes."""
    lines = re.findall(r"^[a-z0-9][^ ]*==.*$", text, re.MULTILINE)
    return [Requirement(line.rstrip(" \\")) for line in lines]


def test_the_conda_environment_installs_what_the_lock_pins(root):
    environment = yaml.safe_load((root / "environment.yml").read_text())
    [pip] = [part["pip"] for part in environment["dependencies"] if isinstance(part, dict)]
    locked = pins((root / "locks/slurm.lock").read_text())
    assert len(locked) > 100
    assert [Requirement(line) for line in pip[:-1]] == locked
    assert pip[-1] == "--editable ."


def test_only_clusters_have_the_plugin_for_slurm(root):
    """Snakemake imports it at every start, and it then waits for SLURM's controller."""
    usual, slurm, gpu = (
        {str(pin) for pin in pins((root / lock).read_text())}
        for lock in ("requirements.lock", "locks/slurm.lock", "locks/gpu.lock")
    )
    plugin = {pin for pin in slurm if pin.startswith("snakemake-executor-plugin-slurm")}
    assert len(plugin) == 2
    assert slurm - plugin == usual
    assert plugin <= gpu


def test_every_locked_package_has_hashes_and_no_lock_names_an_index(root):
    for lock in [root / "requirements.lock", *(root / "locks").glob("*.lock")]:
        text = lock.read_text()
        assert "://" not in text, lock
        assert not re.search(r"^\s*-", text.replace("    --hash=", ""), re.MULTILINE), lock
        blocks = re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE)[1:]
        assert all("--hash=sha256:" in block for block in blocks), lock


def test_the_lock_holds_every_direct_dependency_and_the_extras_too(root):
    project = tomllib.loads((root / "pyproject.toml").read_text())
    direct = project["project"]["dependencies"]
    extras = project["project"]["optional-dependencies"]
    locks = {name: f"locks/{name}.lock" for name in extras} | {"cpu": "requirements.lock"}
    for extra, lock in locks.items():
        locked = {canonicalize_name(pin.name): pin for pin in pins((root / lock).read_text())}
        for line in [*direct, *extras[extra]]:
            wanted = Requirement(line)
            pin = locked[canonicalize_name(wanted.name)]
            [version] = [one.version for one in pin.specifier]
            assert wanted.specifier.contains(version), (lock, line)


@pytest.fixture
def makefile(root, tmp_path):
    """Lay in a folder what make needs, besides the project and its lock."""
    for name in ("Makefile", "workflow/convstudy/core/prerequisites.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(root / name, tmp_path / name)


@pytest.mark.usefixtures("makefile")
def test_a_new_lock_leaves_nothing_of_the_old_one_installed(root, tmp_path):
    for name in ("pyproject.toml", "requirements.lock"):
        shutil.copy(root / name, tmp_path)
    # Makes environments whose Python does nothing, as a real one would install everything.
    python = executable(
        tmp_path / "python",
        f"""#!/bin/sh
[ "$2" = venv ] || exec {sys.executable} "$@"
{sys.executable} "$@" --without-pip && ln -sf {shutil.which("true")} .venv/bin/python
""",
    )
    command = ["make", "setup", f"PYTHON={python}", "EXTRA="]
    subprocess.run(command, cwd=tmp_path, check=True)
    left = tmp_path / ".venv/left"
    left.touch()
    for changed, stays in (("pyproject.toml", True), ("requirements.lock", False)):
        names = ("pyproject.toml", "requirements.lock", ".venv/ready", changed)
        for second, name in enumerate(names):
            os.utime(tmp_path / name, (second, second))
        subprocess.run(command, cwd=tmp_path, check=True)
        assert left.exists() == stays
        assert (tmp_path / ".venv/ready").stat().st_mtime > 3


@pytest.mark.fault(
    "PIP_USER=1, and a pip.conf that installs elsewhere",
    where="at the set-up",
    lost="nothing: packages go into the project's environment",
)
@pytest.mark.usefixtures("makefile")
def test_the_users_settings_of_pip_do_not_matter(tmp_path):
    (tmp_path / "requirements.lock").touch()
    (tmp_path / "tiny.py").touch()
    (tmp_path / "pyproject.toml").write_text(
        "[project]\nname = 'tiny'\nversion = '1'\n[tool.setuptools]\npy-modules = ['tiny']\n"
    )
    # Makes environments that find pip and setuptools among the tests' packages.
    packages = sysconfig.get_paths()["purelib"]
    python = executable(
        tmp_path / "python",
        f"""#!/bin/sh
{sys.executable} "$@" || exit
[ "$2" = venv ] || exit 0
for site in .venv/lib/*/site-packages; do echo {packages} > "$site/packages.pth"; done
""",
    )
    elsewhere = tmp_path / "elsewhere"
    (tmp_path / "pip.conf").write_text(f"[install]\nuser = true\ntarget = {elsewhere}\n")
    done = make(
        tmp_path,
        "setup",
        f"PYTHON={python}",
        "EXTRA=",
        PIP_USER="1",
        PIP_CONFIG_FILE=str(tmp_path / "pip.conf"),
        PYTHONPATH=str(tmp_path / "elsewhere"),
    )
    assert "Installing into .venv" in done
    assert not elsewhere.exists()
    assert list((tmp_path / ".venv").glob("lib/*/site-packages/tiny-1.dist-info"))
