"""What produced a result: commit, package versions and machine."""

import datetime
import hashlib
import importlib.metadata
import json
import os
import platform
import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from convstudy.core import gpus
from convstudy.core.files import files_below

PACKAGE = Path(__file__).parents[1]
PACKAGES = (
    "snakemake keras tensorflow tensorflow-cpu jax torch optuna numpy pandas seaborn "
    "matplotlib papermill nbconvert"
)


def versions() -> dict[str, str]:
    """Return the versions of Python and of those `PACKAGES` that are installed."""
    installed = {"python": platform.python_version()}
    for package in PACKAGES.split():
        try:
            installed[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return installed


# Vector and matrix extensions, best first: the CPU flag and our name for it.
UNITS = {"amx_bf16": "AMX", "avx512_bf16": "AVX512-BF16", "avx512f": "AVX-512", "avx2": "AVX2"}


@cache
def _cpuinfo() -> dict[str, str]:
    """Return the first processor's entry in Linux's /proc/cpuinfo; empty on other systems."""
    info = Path("/proc/cpuinfo")
    first = info.read_text().partition("\n\n")[0] if info.is_file() else ""
    pairs = (line.partition(":") for line in first.splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs}


def unit() -> str:
    """Return the processor's best extension in `UNITS`, or its architecture if it has none."""
    flags = _cpuinfo().get("flags", "").split()
    return next((name for flag, name in UNITS.items() if flag in flags), platform.machine())


def processor() -> str:
    """Name the processor's class: the same class and package versions give identical bits."""
    info = _cpuinfo()
    if "cpu family" not in info:
        return f"{hardware()['processor']}, {unit()}"
    # Cloud providers hide the model name, and one name can cover several generations.
    which = f"family {info['cpu family']}, model {info['model']}"
    return f"{info['model name']} ({which}), {unit()}"


@cache
def hardware() -> dict[str, Any]:
    """Describe the machine (system, processor, cores, GPUs), without its host name."""
    processor = _cpuinfo().get("model name") or platform.processor() or platform.machine()
    if platform.system() == "Darwin":
        command = ["sysctl", "-n", "machdep.cpu.brand_string"]
        processor = subprocess.run(command, capture_output=True, text=True).stdout.strip()
    return {
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "processor": processor,
        "cores": os.cpu_count(),
        "gpus": gpus.names(),
    }


def machine(described: Mapping[str, Any]) -> str:
    """Format the result of `hardware` as one line."""
    cores = f"{described['processor']}, {described['cores']} cores"
    return ", ".join([cores, *described["gpus"]])


@cache
def commit(package: Path = PACKAGE) -> dict[str, Any]:
    """Say which code this is: the project's git commit, or else a digest of its sources.

    A commit counts only if the project is the top of its repository: that of another repository,
    in which the sources were unpacked, says nothing about them.

    Args:
        package: The library's folder. With the workflow's Snakefile beside it, it is part of a
            project; otherwise, it is installed.

    Returns:
        ``commit``, and ``dirty``: whether there are uncommitted changes. Without a commit, both are
        None, ``sources`` is a digest of library, rules and scripts, and ``installed`` the version
        of an installed library.
    """
    workflow = package.parent
    if not (workflow / "Snakefile").is_file():
        version = importlib.metadata.version(package.name)
        return {**_no_commit(package), "installed": version}
    try:
        head, top = _git(workflow, "rev-parse", "HEAD", "--show-toplevel").split("\n", 1)
        if Path(top).samefile(workflow.parent):
            return {"commit": head, "dirty": bool(_git(workflow.parent, "status", "--porcelain"))}
    except (OSError, subprocess.CalledProcessError):
        pass
    return _no_commit(package, workflow / "rules", workflow / "scripts")


def _no_commit(*folders: Path) -> dict[str, Any]:
    hashed = hashlib.sha256()
    for folder in folders:
        for path in files_below(folder):
            if "__pycache__" not in path.parts:
                hashed.update(path.relative_to(folder.parent).as_posix().encode() + b"\0")
                hashed.update(path.read_bytes())
    return {"commit": None, "dirty": None, "sources": hashed.hexdigest()[:12]}


def _git(folder: Path, *arguments: str) -> str:
    command = ["git", *arguments]
    # Variables such as GIT_DIR, which git itself sets in a hook, name another repository.
    ours = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    done = subprocess.run(command, cwd=folder, env=ours, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def commit_name(code: Mapping[str, Any]) -> str:
    """Format the result of `commit`, also within a record or a run's provenance."""
    if code["commit"]:
        return f"commit {code['commit'][:12]}" + " with uncommitted changes" * bool(code["dirty"])
    # Earlier versions did not record sources.
    if "sources" not in code:
        return "an unknown commit"
    where = f"installed version {code['installed']}" if "installed" in code else "no commit"
    return f"{where}; sources {code['sources']}"


def of_training(training: Mapping[str, Any]) -> dict[str, Any]:
    """Describe the environment of a training, to be stored with its curve."""
    return {
        "when": now(),
        "versions": versions(),
        "hardware": hardware(),
        "threads": training["threads"],
        **commit(),
    }


def now() -> str:
    """Return the current UTC time in ISO format, to the second."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def time_of_day(text: str) -> str:
    """Format a time from `now` for display, to the minute."""
    return text.replace("T", " ")[:16] + " UTC"


def describe(config: Mapping[str, Any]) -> dict[str, Any]:
    """Describe a run: time, commit, settings, versions, machine, backend and device."""
    text = json.dumps(config, sort_keys=True)
    return {
        "created": now(),
        **commit(),
        "config_digest": hashlib.sha256(text.encode()).hexdigest()[:12],
        "versions": versions(),
        "hardware": hardware(),
        "backend": config["training"]["backend"],
        "device": config["training"]["device"],
    }
