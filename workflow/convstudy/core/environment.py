"""What produced a result: commit, packages and machine."""

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
    """Give the versions of Python and of the packages that matter, where installed."""
    found = {"python": platform.python_version()}
    for package in PACKAGES.split():
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


# What a processor can multiply, the best first: its flag and our name for it.
UNITS = {"amx_bf16": "AMX", "avx512_bf16": "AVX512-BF16", "avx512f": "AVX-512", "avx2": "AVX2"}


@cache
def _cpuinfo() -> dict[str, str]:
    """Read what Linux says of the first processor; empty elsewhere."""
    info = Path("/proc/cpuinfo")
    first = info.read_text().partition("\n\n")[0] if info.is_file() else ""
    pairs = (line.partition(":") for line in first.splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs}


def unit() -> str:
    """Name the processor's best unit for products, as in `UNITS`; else its architecture."""
    flags = _cpuinfo().get("flags", "").split()
    return next((name for flag, name in UNITS.items() if flag in flags), platform.machine())


def processor() -> str:
    """Name the processor's class: equal classes and versions give equal bits."""
    info = _cpuinfo()
    if "cpu family" not in info:
        return f"{hardware()['processor']}, {unit()}"
    # Cloud providers hide the model's name, and one name may stand for several generations.
    which = f"family {info['cpu family']}, model {info['model']}"
    return f"{info['model name']} ({which}), {unit()}"


@cache
def hardware() -> dict[str, Any]:
    """Describe the machine: system, processor, cores, GPUs. Its name is left out."""
    processor = _cpuinfo().get("model name") or platform.processor() or platform.machine()
    if platform.system() == "Darwin":
        asked = ["sysctl", "-n", "machdep.cpu.brand_string"]
        processor = subprocess.run(asked, capture_output=True, text=True).stdout.strip()
    return {
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "processor": processor,
        "cores": os.cpu_count(),
        "gpus": gpus.names(),
    }


def machine(described: Mapping[str, Any]) -> str:
    """Name a machine in a line, from what `hardware` gave."""
    cores = f"{described['processor']}, {described['cores']} cores"
    return ", ".join([cores, *described["gpus"]])


@cache
def commit(folder: Path) -> dict[str, Any]:
    """Give the git commit of a folder, and whether files differ from it.

    Returns:
        ``commit`` and ``dirty``, both None where there is no git or no repository.
    """
    try:
        head = _git(folder, "rev-parse", "HEAD")
        changed = _git(folder, "status", "--porcelain")
    except (OSError, subprocess.CalledProcessError):
        return {"commit": None, "dirty": None}
    return {"commit": head, "dirty": bool(changed)}


def _git(folder: Path, *arguments: str) -> str:
    asked = ["git", *arguments]
    done = subprocess.run(asked, cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def of_training(training: Mapping[str, Any]) -> dict[str, Any]:
    """Describe where a training runs, for the file of its curve."""
    return {
        "when": now(),
        "versions": versions(),
        "hardware": hardware(),
        "threads": training["threads"],
        **commit(Path(__file__).parent),
    }


def now() -> str:
    """Give the time, UTC, to the second."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def time_of_day(text: str) -> str:
    """Write what `now` gave for people, to the minute."""
    return text.replace("T", " ")[:16] + " UTC"


def describe(config: Mapping[str, Any]) -> dict[str, Any]:
    """Describe a run: time, code, settings, versions, machine, what trains."""
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
