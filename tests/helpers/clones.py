"""Clones with an environment of their own, in which nothing need be installed."""

import os
import shlex
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

# Stands for a Python that installs nothing, but checks what the project needs.
PYTHON = f"""#!/bin/sh
case "$1" in workflow/*) exec {sys.executable} "$@" ;; esac
test "$2" = venv || exit 0
for made; do :; done
mkdir -p "$made/bin" && cp "$0" "$made/bin/python"
"""


def executable(path: Path, script: str) -> Path:
    """Write a script that can be run."""
    path.write_text(script)
    path.chmod(0o755)
    return path


def python_that_installs_nothing(folder: Path) -> Path:
    return executable(folder / "python", PYTHON)


def make(folder: Path, *arguments: str, status: int = 0, **variables: str) -> str:
    """Run make, check its status, and return what it says."""
    # Not as a part of `make test`, which would announce each folder.
    alone = {key: value for key, value in os.environ.items() if not key.startswith("MAKE")}
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    # As a shell does, which may have come by a link.
    alone |= {"PWD": str(folder), **variables}
    done = subprocess.run(["make", *arguments], cwd=folder, env=alone, **streams)
    assert done.returncode == status, done.stdout
    return done.stdout


def environment_of(clone: Path, editable: bool = True) -> Path:
    """Make an environment with the packages of this one, and return its site-packages.

    Args:
        clone: Where; make takes it for its own.
        editable: Whether it imports the clone's library.
    """
    venv.create(clone / ".venv", symlinks=True)
    (clone / ".venv/ready").write_text(f"{clone}\n")
    # nbconvert's templates are not among the packages.
    (clone / ".venv/share").mkdir()
    (clone / ".venv/share/jupyter").symlink_to(f"{sys.prefix}/share/jupyter")
    python = shlex.quote(f"{clone}/.venv/bin/python")
    executable(clone / ".venv/bin/snakemake", f'#!/bin/sh\nexec {python} -m snakemake "$@"\n')
    minor = f"python{sys.version_info.major}.{sys.version_info.minor}"
    packages = clone / ".venv/lib" / minor / "site-packages"
    (packages / "packages.pth").write_text(sysconfig.get_paths()["purelib"])
    if editable:
        (packages / "editable.pth").write_text(str(clone / "workflow"))
    return packages


def snakemake(clone: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess:
    """Run Snakemake in a clone, with the Python of its environment."""
    command = [f"{clone}/.venv/bin/python", "-m", "snakemake", "--cores", "1", *arguments]
    usual = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    return subprocess.run(command, cwd=clone, env=usual | variables, **streams)
