"""Find GPUs, and lease one to each job on machines without a scheduler.

Snakemake counts GPUs but assigns none: https://github.com/snakemake/snakemake/issues/281
"""

import contextlib
import logging
import os
import re
import shutil
import socket
import stat
import subprocess
import time
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from convstudy.core import signals
from convstudy.core.errors import UserError
from convstudy.core.locks import lock

logger = logging.getLogger(__name__)

SECONDS_BETWEEN_LOOKS = 1.0
SECONDS_FOR_AN_ANSWER = 10.0
# Names the machine on which nvidia-smi gave none, so that each job there need not wait again.
NO_ANSWER = "CONVSTUDY_NO_GPUS"
# Where each user has a folder of leases: on the machine itself, as home folders may be shared.
SHARED = Path("/tmp")
# A line of nvidia-smi -L: a GPU, or below it one of the MIG devices into which it is split.
LISTED = re.compile(r"^ *(GPU|MIG) (?:\d+: )?(.*?) *\(UUID: (.*)\)$", re.MULTILINE)
# The device recorded for epochs whose job requested a GPU but found none.
NO_GPU = "cpu, in place of a GPU"

_wanted = False


def wanted() -> bool:
    """Return whether this process's job requests a GPU."""
    return _wanted


class Gpu(NamedTuple):
    """A GPU, with the UUIDs of the MIG devices into which it is split."""

    uuid: str
    name: str
    parts: list[str]


@cache
def found() -> list[Gpu]:
    """Return this machine's NVIDIA GPUs, without importing a backend.

    If nvidia-smi gives no answer, this process and those that it starts use none.
    """
    here = socket.gethostname()
    if shutil.which("nvidia-smi") is None or os.environ.get(NO_ANSWER) == here:
        return []
    try:
        listed = _answer()
    except (OSError, subprocess.TimeoutExpired) as error:
        why = error.strerror if isinstance(error, OSError) else f"no answer in {error.timeout:g} s"
        logger.warning("nvidia-smi -L: %s; going on as on a machine without GPUs", why)
        os.environ[NO_ANSWER] = here
        return []
    gpus: list[Gpu] = []
    for kind, name, uuid in LISTED.findall(listed):
        if kind == "GPU":
            gpus.append(Gpu(uuid, name, []))
        elif gpus:
            gpus[-1].parts.append(uuid)
    return gpus


def _answer() -> str:
    """Return what nvidia-smi lists; nothing if it fails."""
    command, silent = ["nvidia-smi", "-L"], subprocess.DEVNULL
    asked = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=silent, text=True)
    try:
        listed, _ = asked.communicate(timeout=SECONDS_FOR_AN_ANSWER)
    except subprocess.TimeoutExpired:
        # Not subprocess.run, which would wait for its end: a driver that hangs cannot be killed.
        asked.kill()
        raise
    return "" if asked.returncode else listed


def names() -> list[str]:
    """Return the names of this machine's GPUs."""
    return [gpu.name for gpu in found()]


def asked_for(resources: Mapping[str, Any]) -> bool:
    """Return whether a job's resources request a GPU, in either of SLURM's two forms."""
    return bool(resources.get("gpu")) or "gpu" in str(resources.get("gres") or "")


def visible() -> list[str]:
    """List what this process may use, by UUID: MIG devices, and GPUs that are not split.

    CUDA_VISIBLE_DEVICES is read as CUDA does: the list ends at the first entry that is not a GPU or
    of another form than the first, and is empty if a GPU is repeated. Sources: the CUDA C++
    Programming Guide (environment variables), and PyTorch's ``torch.cuda._parse_visible_devices``
    for repeated entries, mixed forms and numbers followed by other characters.
    """
    allowed = os.environ.get("CUDA_VISIBLE_DEVICES")
    if allowed is None:
        return [uuid for gpu in found() for uuid in gpu.parts or [gpu.uuid]]
    chosen: list[str] = []
    forms = set()
    for entry in map(str.strip, allowed.split(",")):
        forms.add(entry[:4] if entry.startswith(("GPU-", "MIG-")) else "number")
        uuids = _named(entry)
        if len(forms) > 1 or not uuids:
            break
        if set(uuids) & set(chosen):
            return []
        chosen += uuids
    return chosen


def _named(entry: str) -> list[str]:
    """Return what an entry of CUDA_VISIBLE_DEVICES stands for; nothing if it is invalid."""
    gpus = found()
    if number := re.match(r"\+?(\d+)", entry):
        if not gpus:
            return [number[1]]
        return [uuid for gpu in gpus[int(number[1]) :][:1] for uuid in gpu.parts or [gpu.uuid]]
    if not entry.startswith(("GPU-", "MIG-")):
        return []
    # A MIG device's older name, of its GPU and its numbers there; newer drivers list another.
    older = any(gpu.parts and entry.startswith(f"MIG-{gpu.uuid}/") for gpu in gpus)
    known = {uuid: [uuid] for gpu in gpus for uuid in gpu.parts}
    known |= {gpu.uuid: gpu.parts or [gpu.uuid] for gpu in gpus}
    same = [entry] if entry in known else [uuid for uuid in known if uuid.startswith(entry)]
    if len(same) == 1:
        return known[same[0]]
    return [entry] if older or not gpus else []


@contextlib.contextmanager
def lease(resources: Mapping[str, Any]) -> Iterator[str | None]:
    """Hold one GPU for a job that requests one, and hide the others from it.

    Two jobs of a user on a machine never hold the same GPU, whichever run they belong to; a job
    waits while all are taken. A lease ends with its process, however that dies.

    Yields:
        The GPU as CUDA_VISIBLE_DEVICES names it; None if none was requested or none is allowed.

    Raises:
        UserError: If the folder of the leases is not this user's.
    """
    global _wanted
    _wanted = asked_for(resources)
    if not _wanted:
        yield None
        return
    candidates = visible()
    if not candidates:
        allowed = os.environ.get("CUDA_VISIBLE_DEVICES")
        why = f"CUDA_VISIBLE_DEVICES={allowed} allows none" if found() else "this machine has none"
        logger.warning("a GPU was requested, but %s", why)
        yield None
        return
    gpu, held_lock = _take(candidates, _leases())
    logger.info("uses GPU %s", gpu)
    os.environ["CUDA_VISIBLE_DEVICES"] = gpu
    # Makes CUDA number the GPUs as nvidia-smi does.
    os.environ["CUDA_DEVICE_ORDER"] = "PCI_BUS_ID"
    try:
        yield gpu
    finally:
        held_lock.release()


def _leases() -> Path:
    """Return the folder of this user's leases on this machine, whatever TMPDIR is.

    Raises:
        UserError: If it is not a folder of this user; anybody may write beside it.
    """
    folder = SHARED / f"convstudy-gpus-{os.getuid()}"
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
        raise UserError(
            f"{folder}, which holds the GPU leases of user {os.getuid()}, is a link, a file or"
            " another user's; allowed is a folder of this user; have it removed"
        )
    return folder


def _card(gpu: str) -> str:
    """Return a name for a GPU that is the same in all jobs on a machine."""
    if gpu.isdigit():
        # Unlike a UUID, the same number may mean a different GPU in each job of a cluster.
        return f"{os.environ.get('SLURM_JOB_ID', 'local')}-{gpu}"
    return gpu.replace("/", "_")


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
