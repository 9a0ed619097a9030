"""GPUs: which there are, and one for each job on a machine without a scheduler of its own."""

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
# What results say of epochs whose job asked for a GPU and found none.
NO_GPU = "cpu, in place of a GPU"

_wanted = False


def wanted() -> bool:
    """Tell whether this process's job asks for a GPU."""
    return _wanted


@cache
def found() -> dict[str, str]:
    """Give the names of this machine's NVIDIA GPUs by UUID, without importing a backend."""
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
    """Name the GPUs of this machine."""
    return list(found().values())


def asked_for(resources: Mapping[str, Any]) -> bool:
    """Tell whether a job's resources ask for a GPU, by either of SLURM's two forms."""
    return bool(resources.get("gpu")) or "gpu" in str(resources.get("gres") or "")


def visible() -> list[str]:
    """List the GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them."""
    allowed = os.environ.get("CUDA_VISIBLE_DEVICES")
    if allowed is None:
        return list(found())
    return [one.strip() for one in allowed.split(",") if one.strip() not in ("", "-1")]


@contextlib.contextmanager
def lease(resources: Mapping[str, Any]) -> Iterator[str | None]:
    """Hold one GPU for a job that asks for one, and hide the others from it.

    Two jobs on a machine never hold the same GPU, whichever run they belong to; who finds all
    taken waits. A lease ends with the process, however that dies.

    Yields:
        The GPU as CUDA_VISIBLE_DEVICES names it; None if none was asked for or there is none.
    """
    global _wanted
    _wanted = asked_for(resources)
    if not _wanted:
        yield None
        return
    candidates = visible()
    if not candidates:
        logger.warning("a GPU was asked for, but this machine shows none")
        yield None
        return
    folder = Path(tempfile.gettempdir()) / f"convstudy-gpus-{os.getuid()}"
    gpu, ours = _take(candidates, folder)
    logger.info("uses GPU %s", gpu)
    os.environ["CUDA_VISIBLE_DEVICES"] = gpu
    # Numbers then mean what nvidia-smi shows.
    os.environ["CUDA_DEVICE_ORDER"] = "PCI_BUS_ID"
    try:
        yield gpu
    finally:
        ours.release()


def _card(gpu: str) -> str:
    """Name a card in the same way for all jobs of a machine.

    A number may mean another card in each job of a cluster; the UUID is the card's own.
    """
    uuids = list(found())
    if not gpu.isdigit():
        return gpu
    if int(gpu) < len(uuids):
        return uuids[int(gpu)]
    return f"{os.environ.get('SLURM_JOB_ID', 'local')}-{gpu}"


def _take(candidates: list[str], folder: Path) -> tuple[str, Any]:
    """Lock the first candidate that is free, waiting for one if need be."""
    from filelock import Timeout

    said = False
    while True:
        for gpu in candidates:
            ours = lock(folder / _card(gpu))
            try:
                ours.acquire(blocking=False)
                return gpu, ours
            except Timeout:
                continue
        if not said:
            logger.info("waiting for a GPU: all %d are in use", len(candidates))
            said = True
        signals.stop_if_asked("while it waited for a GPU")
        time.sleep(SECONDS_BETWEEN_LOOKS)
