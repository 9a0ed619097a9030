"""Shared by the benchmarks: settings, the machine they ran on, and tables in documents."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from convstudy.config import settings
from convstudy.core.environment import commit, commit_name, hardware, now, versions

ROOT = Path(__file__).parents[1]


def config() -> dict[str, Any]:
    """Return the quick run's settings."""
    text = (ROOT / "config/config.yaml").read_text(encoding="utf-8")
    return settings.validate(yaml.safe_load(text), this_machine=False)


def packages(*names: str) -> str:
    """List the installed versions of these packages."""
    found = versions()
    return ", ".join(f"{name} {found[name]}" for name in names if name in found)


def machine(*names: str) -> str:
    """Describe date, machine, packages and commit of a measurement, in one line."""
    about = hardware()
    gpu = f", {', '.join(about['gpus'])}" if about["gpus"] else ""
    return (
        f"{now()[:10]}, {about['processor']}, {about['cores']} cores{gpu},"
        f" {packages('python', *names)}, {commit_name(commit())}"
    )


def markdown(table: pd.DataFrame) -> str:
    """Format a table as Markdown."""
    rows = [list(table.columns), ["---"] * len(table.columns), *table.astype(str).to_numpy()]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def with_parts(text: str, parts: Mapping[str, str]) -> str:
    """Insert each part between its marks in a document.

    Raises:
        ValueError: If the marks of a part are missing.
    """
    for name, part in parts.items():
        begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
        before, found, rest = text.partition(begin)
        _, closed, after = rest.partition(end)
        if not found or not closed:
            raise ValueError(f"the document has no marks for {name}")
        text = f"{before}{begin}\n{part}\n{end}{after}"
    return text
