"""Find GPUs, and lease one to each job on machines without a scheduler.

Snakemake counts GPUs but assigns none: https://github.com/snakemake/snakemake/issues/281
"""

import contextlib
import logging
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from convstudy.core import signals
from convstudy.core.locks import lock

logger = logging.getLogger(__name__)

SECONDS_BETWEEN_LOOKS = 1.0
# The device recorded for epochs whose job requested a GPU but found none.
NO_GPU = "cpu, in place of a GPU"

_wanted = False


def wanted() -> bool:
    """Return whether this process's job requests a GPU."""
    return _wanted


@cache
def found() -> dict[str, str]:
    """Return the names of this machine's NVIDIA GPUs by UUID, without importing a backend."""
    if shutil.which("nvidia-smi") is None:
        return {}
    listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True)
    if listed.returncode != 0:
        return {}
    gpus = {}
    for line in listed.stdout.splitlines():
        if line.startswith("GPU "):
            name, _, uuid = line.partition(": ")[2].partition(" (UUID: ")
            gpus[uuid.rstrip(")")] = name
    return gpus


def names() -> list[str]:
    """Return the names of this machine's GPUs."""
    return list(found().values())


def asked_for(resources: Mapping[str, Any]) -> bool:
    """Return whether a job's resources request a GPU, in either of SLURM's two forms."""
    return bool(resources.get("gpu")) or "gpu" in str(resources.get("gres") or "")


def visible() -> list[str]:
    """List the GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them."""
    allowed = os.environ.get("CUDA_VISIBLE_DEVICES")
    if allowed is None:
        return list(found())
    return [gpu.strip() for gpu in allowed.split(",") if gpu.strip() not in ("", "-1")]


@contextlib.contextmanager
def lease(resources: Mapping[str, Any]) -> Iterator[str | None]:
    """Hold one GPU for a job that requests one, and hide the others from it.

    Two jobs on a machine never hold the same GPU, whichever run they belong to; a job waits while
    all are taken. A lease ends with its process, however that dies.

    Yields:
        The GPU as CUDA_VISIBLE_DEVICES names it; None if none was requested or none exists.
    """
    global _wanted
    _wanted = asked_for(resources)
    if not _wanted:
        yield None
        return
    candidates = visible()
    if not candidates:
        logger.warning("a GPU was requested, but this machine has none")
        yield None
        return
    folder = Path(tempfile.gettempdir()) / f"convstudy-gpus-{os.getuid()}"
    gpu, held_lock = _take(candidates, folder)
    logger.info("uses GPU %s", gpu)
    os.environ["CUDA_VISIBLE_DEVICES"] = gpu
    # Makes CUDA number the GPUs as nvidia-smi does.
    os.environ["CUDA_DEVICE_ORDER"] = "PCI_BUS_ID"
    try:
        yield gpu
    finally:
        held_lock.release()


def _card(gpu: str) -> str:
    """Return a name for a card that is the same in all jobs on a machine.

    On a cluster, the same number may mean a different card in each job; the UUID is unique.
    """
    uuids = list(found())
    if not gpu.isdigit():
        return gpu
    if int(gpu) < len(uuids):
        return uuids[int(gpu)]
    return f"{os.environ.get('SLURM_JOB_ID', 'local')}-{gpu}"


def _take(candidates: list[str], folder: Path) -> tuple[str, Any]:
    """Lock the first free candidate, waiting for one if necessary."""
    from filelock import Timeout

    said = False
    while True:
        for gpu in candidates:
            held_lock = lock(folder / _card(gpu))
            try:
                held_lock.acquire(blocking=False)
                return gpu, held_lock
            except Timeout:
                continue
        if not said:
            logger.info("waiting for a GPU: all %d are in use", len(candidates))
            said = True
        signals.stop_if_asked("while waiting for a GPU")
        time.sleep(SECONDS_BETWEEN_LOOKS)
