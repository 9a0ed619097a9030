"""How the report's figures were made, and by which jobs, as HTML fragments."""

from collections.abc import Iterable

import pandas as pd

from convstudy.core.environment import commit_name, machine, time_of_day
from convstudy.core.files import file_digest
from convstudy.display.columns import Column
from convstudy.provenance import job_records
from convstudy.report.html import Html, escape, table
from convstudy.results.run import Results

_COLUMNS = {
    "job": Column("Job"),
    "ended": Column("Ended"),
    "code": Column("Code", wraps=True),
    "machine": Column("Machine", wraps=True),
    "files": Column(
        "Files, with the first digits of their SHA-256", html=lambda value, _: str(value)
    ),
}


class ProvenancePanel:
    """The job records of a run."""

    def __init__(self, results: Results) -> None:
        self.results = results
        self.records, _ = job_records.read_records(results.folder / "provenance")
        self._made_by = job_records.producers(self.records)

    def for_file(self, name: str) -> Html:
        """Show, folded, how a file (a path below the results folder) was made."""
        if (self.results.folder / "reference.json").is_file():
            # A recorded run does not include job records.
            return Html("")
        path = f"results/{name}"
        record = self._made_by.get(path)
        digest = file_digest(self.results.path(name))
        if record is None or job_records.output_digest(record, path) != digest:
            state = "No job record for" if record is None else "Changed since its job wrote it:"
            return _folded(
                f"<p>{state} <code>{escape(path)}</code>, SHA-256 <code>{digest}</code>. To remake"
                f" it: <code>snakemake --cores all --force {escape(path)}</code></p>"
            )
        behind = job_records.lineage(path, self._made_by)
        jobs = f"{len(behind)} jobs, including this one" if len(behind) > 1 else "this job alone"
        numbers = job_records.seeds(self.results.run["config"])
        rows = {
            "Job": f'<a href="#{_anchor(record)}">{escape(job_records.job_name(record))}</a>,'
            f" {time_of_day(record['ended'])}",
            "Code": escape(commit_name(record)),
            "Machine": escape(machine(record["hardware"])),
            "Derived from": f"{jobs}, on {escape(_machines(behind))}",
            "Networks": f"trained on {escape(', '.join(sorted(set(self.results.devices))))}",
            "Data": f"SHA-256 <code>{escape(record['data_digest'] or 'none')}</code>",
            "Seeds": escape(", ".join(f"{key} {value}" for key, value in numbers.items())),
            "This file": f"<code>{escape(path)}</code>, SHA-256 <code>{digest}</code>",
        }
        listed = "".join(f"<div><dt>{key}</dt><dd>{text}</dd></div>" for key, text in rows.items())
        return _folded(f"<dl>{listed}</dl>")

    def jobs(self) -> Html:
        """Show the record of every job, folded by rule."""
        by_rule: dict[str, list[job_records.Record]] = {}
        for record in self.records:
            by_rule.setdefault(record["rule"], []).append(record)
        shown = "".join(_of_rule(rule, records) for rule, records in by_rule.items())
        return Html(
            f"<p>Each job leaves a record in <code>{job_records.RECORDS}</code>: code, settings,"
            " seeds, packages, machine, and the SHA-256 of every file that it read or wrote. To"
            " check all hashes again: <code>snakemake --cores 1 verify_provenance</code>. This"
            " page's own record is written after the page.</p>" + shown
        )


def _folded(inside: str) -> Html:
    return Html(f'<details class="made"><summary>How this was made</summary>{inside}</details>')


def _of_rule(rule: str, records: list[job_records.Record]) -> str:
    frame = pd.DataFrame(
        {
            "job": [" ".join(record["wildcards"].values()) or rule for record in records],
            "ended": [time_of_day(record["ended"]) for record in records],
            "code": [commit_name(record) for record in records],
            "machine": [machine(record["hardware"]) for record in records],
            "files": ["<br>".join(_files(record)) for record in records],
        }
    )
    number = len(records)
    return (
        f'<details class="made"><summary><code>{escape(rule)}</code>,'
        f" {number} {'job' if number == 1 else 'jobs'}</summary>"
        f"{table(frame, _COLUMNS, _caption(rule)).text}</details>"
    )


def _files(record: job_records.Record) -> Iterable[str]:
    for output in record["outputs"]:
        yield f"{escape(output['path'])} <code>{output['sha256'][:12]}</code>"


def _caption(rule: str) -> str:
    return f"Jobs of {rule}"


def _anchor(record: job_records.Record) -> str:
    # The id that the table derives from its caption.
    return f"table-jobs-of-{record['rule']}"


def _machines(records: Iterable[job_records.Record]) -> str:
    return "; ".join(sorted({machine(record["hardware"]) for record in records}))
