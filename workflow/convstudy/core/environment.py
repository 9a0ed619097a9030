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
def commit(folder: Path) -> dict[str, Any]:
    """Return the git commit of a folder, and whether there are uncommitted changes.

    Returns:
        ``commit`` and ``dirty``, both None without git or outside a repository.
    """
    try:
        head = _git(folder, "rev-parse", "HEAD")
        changed = _git(folder, "status", "--porcelain")
    except (OSError, subprocess.CalledProcessError):
        return {"commit": None, "dirty": None}
    return {"commit": head, "dirty": bool(changed)}


def _git(folder: Path, *arguments: str) -> str:
    command = ["git", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def of_training(training: Mapping[str, Any]) -> dict[str, Any]:
    """Describe the environment of a training, to be stored with its curve."""
    return {
        "when": now(),
        "versions": versions(),
        "hardware": hardware(),
        "threads": training["threads"],
        **commit(Path(__file__).parent),
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
        **commit(Path(__file__).parent),
        "config_digest": hashlib.sha256(text.encode()).hexdigest()[:12],
        "versions": versions(),
        "hardware": hardware(),
        "backend": config["training"]["backend"],
        "device": config["training"]["device"],
    }
