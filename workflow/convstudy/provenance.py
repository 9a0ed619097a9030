"""What produced a result: code, settings, packages and machine."""

import datetime
import hashlib
import importlib.metadata
import json
import os
import platform
import re
import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from convstudy import gpus

PACKAGES = (
    "snakemake",
    "keras",
    "tensorflow",
    "tensorflow-cpu",
    "jax",
    "torch",
    "optuna",
    "numpy",
    "pandas",
    "seaborn",
    "matplotlib",
    "papermill",
    "nbconvert",
)


def versions() -> dict[str, str]:
    """Give the versions of Python and of the packages that matter, where installed."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


# What a processor can multiply, the best first: its flag and our name for it.
UNITS = {
    "amx_bf16": "AMX",
    "avx512_bf16": "AVX512-BF16",
    "avx512f": "AVX-512",
    "avx2": "AVX2",
}


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


# The frame of a job, which changes none of its results: messages (and so its record, unless a
# script reads records), provenance, the lease of a GPU.
FRAME = ("logs", "provenance", "gpus")


def code_digest(script: Path | None = None, package: Path = Path(__file__).parent) -> str:
    """Hash the code of a job, so that its rule can depend on it.

    Args:
        script: The job's script: it and all that it imports of this package, directly or not, are
            hashed, with the data files of those modules, but for the modules of `FRAME`. Without
            it, all of the package is.
        package: The package's folder.
    """
    if script is None:
        parts = [path for path in package.rglob("*.*") if "__pycache__" not in path.parts]
    else:
        modules = imported(script, package)
        parts = [part for one in modules for part in one.parent.glob(f"{one.stem}.*")]
    hashed = hashlib.sha256()
    for file in [*([script] if script else []), *sorted(parts)]:
        hashed.update(file.read_bytes())
    return hashed.hexdigest()[:12]


def imported(script: Path, package: Path) -> list[Path]:
    """List the files of a package that a script imports, directly or not, from the source alone."""
    found: set[Path] = set()
    ahead = [script]
    while ahead:
        new = _imports(ahead.pop(), package) - found
        found |= new
        ahead += new
    return sorted(found)


# By text, since every start of Snakemake waits for it, and parsing takes several times as long.
IMPORT = re.compile(r"^ *(?:from ([\w.]+) import (\([^)]*\)|[^#\n]*)|import ([\w.]+))", re.M)
FOR_TYPES = re.compile(r"^if TYPE_CHECKING:\n(?: .*\n|\n)+", re.M)


@cache
def _imports(file: Path, package: Path) -> set[Path]:
    """Give the files of a package that one file names in its imports, wherever these stand."""
    names: set[str] = set()
    for start, several, alone in IMPORT.findall(FOR_TYPES.sub("", file.read_text("utf-8"))):
        names |= {f"{start}.{name}" for name in re.findall(r"\w+", several)} or {alone}
    found = set()
    for name in names:
        top, *parts = name.split(".")
        if top == package.name and not set(parts) & set(FRAME):
            # Python runs every parent's __init__, too. The last part may be no module.
            paths = [package.joinpath(*parts[:depth]) for depth in range(len(parts) + 1)]
            files = [one for path in paths for one in (path / "__init__.py", Path(f"{path}.py"))]
            found |= {one for one in files if one.is_file()}
    return found


def environment(training: Mapping[str, Any]) -> dict[str, Any]:
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
