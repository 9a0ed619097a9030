"""The claims as data: config/claims.yaml, checked, with the article's figures put in."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from convstudy import article
from convstudy.errors import UserError
from convstudy.settings import schema_mistakes

SCHEMA = Path(__file__).parents[1] / "schemas" / "claims.schema.yaml"
# A figure of the article in a statement, and its format.
FIGURE = re.compile(r"\{([\w.]+)(?::([^{}]+))?\}")

Json = dict[str, Any]


@dataclass(frozen=True)
class Claim:
    """A claim; workflow/schemas/claims.schema.yaml describes each attribute."""

    id: str
    topic: str
    statement: str
    source: str
    basis: str
    file: str
    columns: list[str]
    test: Json
    unit: str
    refuted_by: str


def load(path: Path) -> list[Claim]:
    """Read claims, with the article's figures put in.

    Raises:
        UserError: With one line for each mistake: file, claim, key, what is allowed, the fix.
    """
    import yaml

    try:
        entries = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path} is missing; it lists the claims: restore it") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        where = getattr(error, "problem_mark", None)
        line = f" in line {where.line + 1}" if where else ""
        what = getattr(error, "problem", None) or "it is not UTF-8"
        raise UserError(f"{path} is no YAML{line}: {what}; correct it there") from None
    schema = yaml.safe_load(SCHEMA.read_text(encoding="utf-8"))
    mistakes = list(schema_mistakes(entries, schema, "the list of claims", _name_claim(entries)))
    if not mistakes:
        mistakes = list(_further_mistakes(entries))
    if mistakes:
        head = f"{path} has a mistake" if len(mistakes) == 1 else f"{path} has mistakes"
        raise UserError("\n  ".join([f"{head}:", *mistakes]))
    return [Claim(**{**entry, "statement": _filled(entry["statement"])}) for entry in entries]


def _name_claim(entries: Any) -> dict[int, str]:
    """Call each claim by its id in messages, or by its place."""
    named = {}
    for place, entry in enumerate(entries if isinstance(entries, list) else []):
        identifier = entry.get("id") if isinstance(entry, dict) else None
        named[place] = f"claim {identifier or f'number {place + 1}'}"
    return named


def _further_mistakes(entries: list[Json]) -> Iterator[str]:
    """Find what the schema cannot: ids given twice, figures and columns that are not there."""
    seen: set[str] = set()
    for entry in entries:
        name = f"claim {entry['id']}"
        if entry["id"] in seen:
            yield f"{name}: id stands twice; allowed is each id once; rename one"
        seen.add(entry["id"])
        for path, form in figures(entry):
            try:
                format(article.figure(path), form or "")
            except UserError as error:
                yield f"{name}: {error}; write one of these"
            except (ValueError, TypeError) as error:
                yield f"{name}: statement has the format {form!r} ({error}); write for example :.2%"
        for column in sorted(_used(entry["test"]) - set(entry["columns"])):
            yield f"{name}: test uses {column}, which columns does not list; add it there"


def figures(entry: Json) -> list[tuple[str, str | None]]:
    """List the article's figures that a claim speaks of, each with its format in the statement."""
    stated = FIGURE.findall(entry["statement"])
    tested = [(value, None) for key, value in _walk(entry["test"]) if key == "article"]
    return [*((path, form or None) for path, form in stated), *tested]


def _used(test: Json) -> set[str]:
    """Collect the columns that a test names, save those within its selections."""
    named = [value for key, value in _walk(test) if key in ("column", "named_by", "interval")]
    return {one for name in named for one in (name if isinstance(name, list) else [name])} - {
        "accuracy"
    }


def _walk(part: Any) -> Iterator[tuple[str, Any]]:
    """Give every key with its value, at any depth."""
    if isinstance(part, dict):
        for key, value in part.items():
            yield key, value
            yield from _walk(value)
    elif isinstance(part, list):
        for value in part:
            yield from _walk(value)


def _filled(statement: str) -> str:
    """Put the article's figures in a statement."""

    def write(found: re.Match[str]) -> str:
        value = article.figure(found[1])
        form = found[2] or ("," if isinstance(value, int) else "")
        return format(value, form).replace("%", " %")

    return FIGURE.sub(write, statement)
