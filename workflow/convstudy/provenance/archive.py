"""A run as one file: sources, settings, results, report and provenance, as an RO-Crate.

The archive follows the profiles Workflow Run Crate and Provenance Run Crate 0.5
(https://w3id.org/ro/wfrun/provenance/0.5) on RO-Crate 1.1: the run and each of its jobs are
actions that list the files they read and wrote.
"""

import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from convstudy.core import environment
from convstudy.core.environment import commit_name
from convstudy.core.files import file_digest, files_below, read_json, replacing
from convstudy.provenance import job_records

logger = logging.getLogger(__name__)

# What a run needs; tests, benchmarks and docs stay in the repository.
SOURCES = (
    "Makefile",
    "Snakefile",
    "config",
    "profiles",
    "workflow",
    "environment.yml",
    "requirements.lock",
    "locks",
    "pyproject.toml",
    "LICENSE",
    "CITATION.cff",
    "README.md",
)
# The newest profiles for RO-Crate 1.1, the latest version with stable profiles for runs.
PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.5": "Process Run Crate",
    "https://w3id.org/ro/wfrun/workflow/0.5": "Workflow Run Crate",
    "https://w3id.org/ro/wfrun/provenance/0.5": "Provenance Run Crate",
    "https://w3id.org/workflowhub/workflow-ro-crate/1.0": "Workflow RO-Crate",
}
MADE = ("results", "reports")
# Makes the run again where the archive was unpacked. The settings are kept from `make clean`.
AGAIN = "cp results/config.yaml run.yaml && make clean report CONFIG=run.yaml"
BIOSCHEMAS = "https://bioschemas.org/profiles/ComputationalWorkflow/1.0-RELEASE"
TERMS = "https://w3id.org/ro/terms/workflow-run/context"
# Not from `mimetypes`, which differs between systems: the archive must be the same everywhere.
FORMATS = {
    ".csv": "text/csv",
    ".html": "text/html",
    ".ipynb": "application/x-ipynb+json",
    ".json": "application/json",
    ".md": "text/markdown",
    ".optuna": "application/jsonl",
    ".png": "image/png",
    ".py": "text/x-python",
    ".svg": "image/svg+xml",
    ".yaml": "application/yaml",
    ".yml": "application/yaml",
}


def packed_files(root: Path) -> list[str]:
    """List the archive's files, relative to the project's folder, sorted by name.

    The images are left out, as we may not redistribute them.
    """
    found = {
        name
        for name in job_records.result_files(root)
        if name != job_records.ARCHIVE and not name.endswith(".npy")
    }
    for name in (*SOURCES, job_records.RECORDS, job_records.REFERENCE):
        path = root / name
        found |= {
            file.relative_to(root).as_posix()
            for file in ([path] if path.is_file() else files_below(path))
            if "__pycache__" not in file.parts
        }
    # A file that the config names, such as claims, may lie anywhere in the project.
    records, _ = job_records.read_records(root / job_records.RECORDS)
    read = {file["path"] for record in records for file in record["inputs"]}
    found |= {
        name
        for name in read - found
        if not Path(name).is_absolute()
        and name.partition("/")[0] not in MADE
        and (root / name).is_file()
    }
    return sorted(found)


def pack(root: Path, path: Path) -> None:
    """Write the archive of a run. The same files give the same archive, byte for byte."""
    names = packed_files(root)
    _warn_of_folders(root, names)
    crate = _Description(root, names).crate
    with replacing(path) as temporary:
        crate.write_zip(temporary)
    size = path.stat().st_size / 1e6
    logger.info("%s: %d files, %.1f MB, an RO-Crate", path, len(names) + 1, size)


def _warn_of_folders(root: Path, names: Iterable[str]) -> None:
    """Warn about files that contain paths of this machine, before they are published."""
    folders = {str(root.resolve()).encode(), str(Path.home()).encode() + b"/"}
    for name in names:
        content = (root / name).read_bytes()
        if any(folder in content for folder in folders):
            logger.warning("%s contains a path of this machine; check before publishing it", name)


class _Description:
    """The crate's metadata, built from CITATION.cff, the run's summaries and the jobs' records."""

    def __init__(self, root: Path, names: list[str]) -> None:
        from rocrate.rocrate import ROCrate

        self.root = root
        self.names = names
        self.crate = ROCrate(version="1.1")
        self.crate.metadata.extra_contexts.append(TERMS)
        self.records, _ = job_records.read_records(root / job_records.RECORDS)
        self.data = read_json(root / job_records.DATA)
        self.citation = yaml.safe_load((root / "CITATION.cff").read_text(encoding="utf-8"))
        # The project's public address, if CITATION.cff has one.
        self.home = self.citation.get("repository-code", "")
        self.address = {"url": self.home} if self.home else {}
        self.authors = [self._author(author) for author in self.citation["authors"]]
        self.works = [self._work(work) for work in self.citation["references"]]
        spdx = self.citation["license"]
        self.license = self._add(f"https://spdx.org/licenses/{spdx}", "CreativeWork", name=spdx)
        for name in names:
            self.crate.add_file(root / name, name, properties=self._file(name))
        self.workflow = self._workflow()
        self._describe_root()
        self._describe_run()
        for rule in sorted({record["rule"] for record in self.records}):
            self._describe_rule(rule)
        for record in self.records:
            self._describe_job(record)

    def _add(self, identifier: str, kind: str, **properties: Any) -> Any:
        """Add an entity that is not a file."""
        from rocrate.model import ContextEntity

        return self.crate.add(ContextEntity(self.crate, identifier, {"@type": kind, **properties}))

    def _author(self, author: Mapping[str, str]) -> Any:
        """Add an author from CITATION.cff: a group has only a name, a person has more keys."""
        parts = [author[key] for key in ("given-names", "family-names") if key in author]
        name = " ".join(parts) or author.get("name") or author["alias"]
        kind = "Organization" if author.keys() <= {"name", "website"} else "Person"
        address = {"url": author["website"]} if "website" in author else {}
        return self._add(author.get("orcid") or f"#{_slug(name)}", kind, name=name, **address)

    def _work(self, work: Mapping[str, Any]) -> Any:
        return self._add(
            work.get("url") or f"#{_slug(work['title'])}",
            "ScholarlyArticle" if work["type"] == "article" else "CreativeWork",
            name=work["title"],
            author=_reference([self._author(author) for author in work["authors"]]),
            datePublished=str(work.get("date-published", work["year"])),
            description=work["notes"],
        )

    def _file(self, name: str) -> dict[str, Any]:
        path = self.root / name
        return {
            "name": name,
            "contentSize": str(path.stat().st_size),
            "sha256": file_digest(path),
            "encodingFormat": FORMATS.get(path.suffix, "text/plain"),
        }

    def _workflow(self) -> Any:
        profile = self._add(BIOSCHEMAS, "CreativeWork", name="Bioschemas ComputationalWorkflow")
        return self.crate.add_workflow(
            self.root / "Snakefile",
            "Snakefile",
            main=True,
            lang="snakemake",
            lang_version=environment.versions()["snakemake"],
            properties={
                **self._file("Snakefile"),
                "@type": ["File", "SoftwareSourceCode", "ComputationalWorkflow", "HowTo"],
                "name": self.citation["title"],
                "version": self.citation["version"],
                "author": _reference(self.authors),
                "license": _reference([self.license]),
                "conformsTo": _reference([profile]),
                **self.address,
            },
        )

    def _describe_root(self) -> None:
        """Describe the archive: its contents, authors and references."""
        used, origin, digest = (self.data[key] for key in ("used", "origin", "digest"))
        reductions = read_json(self.root / "results/run.json")["reductions"]
        sentences = [
            "Sources, settings, environment, results, report and provenance of one run.",
            f"Its {used['train']:,} training and {used['test']:,} test images ({origin}) have the"
            f" SHA-256 {digest}. They are not in the archive, as the authors may not redistribute"
            f" {self.data.get('name', 'CIFAR-10')}; the workflow prepares them again.",
        ]
        if reductions:
            sentences.append(f"The run differs from the article's: {' '.join(reductions)}")
        if any(record["dirty"] for record in self.records):
            sentences.append("Some jobs ran with uncommitted changes.")
        sentences.append(f"To make the run again in the unpacked archive: {AGAIN}")
        top = self.crate.root_dataset
        top["name"] = f"A run of {self.citation['title']}"
        top["description"] = " ".join(sentences)
        top["datePublished"] = max(record["ended"] for record in self.records)
        top["license"] = self.license
        top["author"] = _reference(self.authors)
        top["publisher"] = self.authors[0]
        top["keywords"] = self.citation["keywords"]
        top["citation"] = _reference(self.works)
        top["conformsTo"] = _reference(
            self._add(profile, "CreativeWork", name=name, version=profile.rpartition("/")[2])
            for profile, name in PROFILES.items()
        )
        self.crate.get("README.md")["about"] = top

    def _describe_run(self) -> None:
        """Add the run as a whole: its inputs and everything it produced."""
        given = [
            name for name in self.names if name in ("config/config.yaml", "config/article.yaml")
        ]
        images = [work.id for work in self.works if "CIFAR-10" in work["description"]]
        if self.data["synthetic"] or "name" in self.data:
            images = []
        made = [name for name in self.names if name.startswith(("results/", "reports/"))]
        commits = set(map(commit_name, self.records))
        run = self._add(
            "#run",
            "CreateAction",
            name="The run of the workflow",
            description="snakemake --cores all --configfile results/config.yaml, at"
            f" {', '.join(sorted(commits))}; to make it again: {AGAIN}",
            instrument=_reference([self.workflow]),
            startTime=min(record["started"] for record in self.records),
            endTime=max(record["ended"] for record in self.records),
            agent=_reference(self.authors[:1]),
            object=_reference([*given, *images]),
            result=_reference(
                name
                for name in made
                if not name.startswith((job_records.RECORDS, job_records.REFERENCE))
            ),
        )
        self.crate.root_dataset.append_to("mentions", run)
        for name in made:
            if name.startswith(f"{job_records.RECORDS}/"):
                self.crate.get(name)["about"] = run

    def _describe_rule(self, rule: str) -> None:
        """Add a rule both as a tool of the workflow and as a step of it."""
        version = self.citation["version"]
        tool = self._add(
            f"{self.home}#rule-{rule}",
            "SoftwareApplication",
            name=rule,
            softwareVersion=version,
            **self.address,
        )
        step = self._add(f"#step-{rule}", "HowToStep", name=rule, workExample=_reference([tool]))
        self.workflow.append_to("hasPart", tool)
        self.workflow.append_to("step", step)

    def _describe_job(self, record: job_records.Record) -> None:
        """Add a job: its rule, when and where it ran, and the archived files it read and wrote."""
        name, rule = job_records.job_name(record), record["rule"]
        machine = environment.machine(record["hardware"])
        files = {
            key: _reference(file["path"] for file in record[part] if file["path"] in self.names)
            for key, part in (("object", "inputs"), ("result", "outputs"))
        }
        action = self._add(
            f"#job-{_slug(name)}",
            "CreateAction",
            name=name,
            description=f"On {machine}, at {commit_name(record)}",
            instrument={"@id": f"{self.home}#rule-{rule}"},
            startTime=record["started"],
            endTime=record["ended"],
            agent=_reference(self.authors[:1]),
            **{key: value for key, value in files.items() if value},
        )
        control = self._add(
            f"#control-{_slug(name)}",
            "ControlAction",
            name=f"Snakemake runs {name}",
            instrument={"@id": f"#step-{rule}"},
            object=_reference([action]),
        )
        self.crate.root_dataset.append_to("mentions", [action, control])


def _reference(entities: Iterable[Any]) -> Any:
    """Refer to entities, or to files by name; a single reference is not put into a list."""
    found = [{"@id": entity if isinstance(entity, str) else entity.id} for entity in entities]
    return found[0] if len(found) == 1 else found


def _slug(text: str) -> str:
    return "-".join("".join(sign if sign.isalnum() else " " for sign in text.lower()).split())
