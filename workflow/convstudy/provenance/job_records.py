"""Write and check a record of each job: what it read and wrote, with which code, on which machine.

Records are not declared outputs: no rule has to mention them, and Snakemake neither requires nor
removes them. So a job deletes its own record when it starts and writes it last, when its outputs
are complete; a job that dies leaves no record.
"""

import contextlib
import hashlib
import json
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from convstudy.core import environment
from convstudy.core.environment import commit_name
from convstudy.core.errors import UserError
from convstudy.core.files import file_digest, files_below, read_json, read_sealed, write_sealed
from convstudy.core.progress import counted

logger = logging.getLogger(__name__)

Record = dict[str, Any]

RECORDS = "results/provenance"
DATA = "results/data/summary.json"
REFERENCE = "results/reference"
ARCHIVE = "reports/convstudy-run.crate.zip"
# Files that no job declares: the curve store, logs, run times, the records themselves, and
# reference runs, which are in git.
UNRECORDED = ("results/.state", "results/logs", "results/benchmarks", RECORDS, REFERENCE)


@contextlib.contextmanager
def recorded(snakemake: Any, root: Path = Path()) -> Iterator[None]:
    """Write a job's record if it succeeds.

    A job without outputs gets no record.
    """
    if not snakemake.output:
        yield
        return
    path = root / record_path(snakemake.rule, dict(snakemake.wildcards.items()))
    path.unlink(missing_ok=True)
    # The commit when the job starts; it may change before the job ends.
    made = {"started": environment.now(), **environment.commit()}
    yield
    params = dict(snakemake.params.items())
    code = params.pop("code", None)
    inputs, outputs = (_described(files, root) for files in (snakemake.input, snakemake.output))
    read_or_written = {file["path"] for file in (*inputs, *outputs)}
    record = {
        "rule": snakemake.rule,
        "wildcards": dict(snakemake.wildcards.items()),
        **made,
        "ended": environment.now(),
        "code": code,
        "settings_digest": settings_digest(params),
        "data_digest": read_json(root / DATA)["digest"] if DATA in read_or_written else None,
        "seeds": seeds(params),
        "threads": snakemake.threads,
        "versions": environment.versions(),
        "hardware": environment.hardware(),
        "inputs": inputs,
        "outputs": outputs,
    }
    write_sealed(path, record)


def record_path(rule: str, wildcards: Mapping[str, str]) -> Path:
    """Return the path of a job's record in the project's folder: like its log's, but .json."""
    name = "_".join(wildcards.values())
    return Path(RECORDS, rule, f"{name}.json") if name else Path(RECORDS, f"{rule}.json")


def _described(files: Iterable[str], root: Path) -> list[dict[str, Any]]:
    return [
        {
            "path": str(file),
            "bytes": (root / file).stat().st_size,
            "sha256": file_digest(root / file),
        }
        for file in files
    ]


def settings_digest(value: Any) -> str:
    """Return a short digest of settings."""
    text = json.dumps(value, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def seeds(settings: Mapping[str, Any], within: str = "") -> dict[str, int]:
    """Find every ``seed`` in nested settings, by its dotted key."""
    found = {}
    for key, value in settings.items():
        name = f"{within}{key}"
        if isinstance(value, Mapping):
            found.update(seeds(value, f"{name}."))
        elif key == "seed":
            found[name] = value
    return found


def record_files(folder: Path) -> list[Path]:
    """List the records in a folder."""
    found = files_below(folder)
    return [path for path in found if path.suffix == ".json" and not path.name.startswith(".")]


def read_records(folder: Path) -> tuple[list[Record], list[str]]:
    """Read all records.

    Returns:
        The records, in the order in which the jobs ended.
        A line for each file that is not an intact record.
    """
    records, damaged = [], []
    for path in record_files(folder):
        try:
            records.append(read_sealed(path))
        except (OSError, ValueError) as error:
            name = path.relative_to(folder).as_posix()
            damaged.append(f"{RECORDS}/{name}: the record is damaged ({error}); delete it")
    return sorted(records, key=lambda record: (record["ended"], job_name(record))), damaged


def job_name(record: Record) -> str:
    """Return a job's name: its rule and its wildcards."""
    return " ".join([record["rule"], *record["wildcards"].values()])


def producers(records: Iterable[Record]) -> dict[str, Record]:
    """Map each file to the job that wrote it; if several did, to the last."""
    return {file["path"]: record for record in records for file in record["outputs"]}


def lineage(path: str, made_by: Mapping[str, Record]) -> list[Record]:
    """Return the job that made a file, then the jobs that made its inputs, and so on."""
    found: dict[str, Record] = {}
    waiting = [path]
    while waiting:
        record = made_by.get(waiting.pop())
        if record is not None and job_name(record) not in found:
            found[job_name(record)] = record
            waiting += [file["path"] for file in record["inputs"]]
    return list(found.values())


def output_digest(record: Record, path: str) -> str:
    """Return the SHA-256 of one of a job's outputs."""
    return next(file["sha256"] for file in record["outputs"] if file["path"] == path)


class Verification(NamedTuple):
    """The numbers of jobs and files compared, a line for each difference, and notes."""

    jobs: int
    files: int
    differences: list[str]
    notes: list[str]


def verify(root: Path, codes: Mapping[str, str | None]) -> Verification:
    """Hash all results again and compare them with their jobs' records.

    Args:
        root: The project's folder.
        codes: The current code digest of each rule of the workflow.
    """
    records, differences = read_records(root / RECORDS)
    made_by = producers(records)
    digest = cache(lambda path: file_digest(root / path) if (root / path).is_file() else None)
    for path, record in sorted(made_by.items()):
        differences += _compare_output(path, record, digest(path))
    for record in records:
        # A record whose outputs were all rewritten by later jobs has nothing left to compare.
        if any(made_by[file["path"]] is record for file in record["outputs"]):
            differences += _compare_inputs(record, made_by, digest)
    differences += _compare_code(records, codes)
    for path in unrecorded(root, made_by):
        differences.append(
            f"{path}: not in any job's record; {_anew(path)}, or delete it if no rule makes it"
        )
    return Verification(len(records), len(made_by), differences, _notes(records))


def _anew(path: str) -> str:
    return f"to make it again: snakemake --cores all --force {path}"


def _compare_output(path: str, record: Record, found: str | None) -> list[str]:
    expected = output_digest(record, path)
    if found == expected:
        return []
    if found is None:
        return [f"{path}: missing, although {job_name(record)} wrote it; {_anew(path)}"]
    return [
        f"{path}: changed since {job_name(record)} wrote it (SHA-256 {found[:12]}..., recorded"
        f" {expected[:12]}...); {_anew(path)}"
    ]


def _compare_inputs(
    record: Record, made_by: Mapping[str, Record], digest: Callable[[str], str | None]
) -> list[str]:
    """Compare a job's inputs with what their producers wrote, or with the sources as they are."""
    output = record["outputs"][0]["path"]
    found = []
    for file in record["inputs"]:
        path = file["path"]
        source = made_by.get(path)
        current = output_digest(source, path) if source else digest(path)
        if current == file["sha256"]:
            continue
        if current is None:
            what = f"{path}, which is missing"
        else:
            what = (
                f"another {path} than {f'{job_name(source)} wrote' if source else 'there is now'}"
            )
        found.append(f"{output}: {job_name(record)} read {what}; {_anew(output)}")
    return found


def _compare_code(records: Iterable[Record], codes: Mapping[str, str | None]) -> list[str]:
    found = []
    for record in records:
        rule, output = record["rule"], record["outputs"][0]["path"]
        if rule not in codes:
            found.append(
                f"{record_path(rule, record['wildcards'])}: the workflow has no rule {rule};"
                " delete it and its outputs"
            )
        elif record["code"] != codes[rule]:
            found.append(
                f"{output}: {job_name(record)} ran with code {record['code']}, but the workflow"
                f" now has {codes[rule]}; {_anew(output)}"
            )
    return found


def unrecorded(root: Path, made_by: Mapping[str, Record]) -> list[str]:
    """List the files of results and reports that no job's record names."""
    return [path for path in result_files(root) if path not in made_by]


def result_files(root: Path) -> list[str]:
    """List the files in ``results`` and ``reports`` that jobs declare, sorted by name."""
    found = []
    for top in ("results", "reports"):
        for path in files_below(root / top):
            name = path.relative_to(root)
            apart = any(name.is_relative_to(folder) for folder in UNRECORDED)
            if not apart and name.name != ".gitkeep":
                found.append(name.as_posix())
    return sorted(found)


def _notes(records: Iterable[Record]) -> list[str]:
    """Compare the code of the jobs with the code here, by commit or by the digest of the sources.

    Other code is no difference by itself: what a job used of it is in its code digest.
    """
    here = commit_name(environment.commit())
    notes = [
        f"{counted(jobs, 'job')} ran at {name}" + ("" if name == here else ", not the code here")
        for name, jobs in Counter(map(commit_name, records)).items()
    ]
    return [*notes, f"the code here is at {here}"]


def require_as_recorded(root: Path, codes: Mapping[str, str | None]) -> None:
    """Verify the results, and log a line for each difference and a summary.

    Raises:
        UserError: If anything differs from its record, or there are no records.
    """
    found = verify(root, codes)
    compared = f"{counted(found.files, 'file')} of {counted(found.jobs, 'job')}"
    for line in found.notes:
        logger.info("%s", line)
    for line in found.differences:
        logger.error("%s", line)
    if found.differences:
        number = counted(len(found.differences), "difference")
        raise UserError(
            f"{compared}: {number} from the records; run the commands above with the run's"
            " --configfile, if it had one, then snakemake --cores all for everything downstream"
        )
    if not found.jobs:
        raise UserError(f"{RECORDS} has no records yet; run the workflow: snakemake --cores all")
    logger.info("%s: everything matches the records", compared)
