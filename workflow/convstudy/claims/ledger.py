"""The claims as data: config/claims.yaml, checked, with the article's figures put in."""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

from convstudy.article import facts
from convstudy.config.schema import schema_mistakes
from convstudy.core.errors import UserError

SCHEMA = files("convstudy.claims") / "ledger.schema.yaml"
TESTS = ("equality", "tolerance", "ordering", "interval")
# The source of what the article does not state.
OWN = "this project"
# A figure of the article in a statement, and its format.
FIGURE = re.compile(r"\{([\w.]+)(?::([^{}]+))?\}")

Json = dict[str, Any]


@dataclass(frozen=True)
class Claim:
    """A claim; ledger.schema.yaml describes each attribute."""

    id: str
    topic: str
    statement: str
    source: str
    basis: str
    file: str
    test: Json
    unit: str
    refuted_by: str
    readings: tuple[str, ...] = ()
    draws: str = ""


def load(path: Path, drawn: Collection[str] | None = None) -> list[Claim]:
    """Read claims, with the article's figures put in.

    Args:
        drawn: Ids of what replayed studies are asked about; only their claims may have ``draws``.

    Raises:
        UserError: With one line for each mistake: file, claim, key, what is allowed, the fix.
    """
    import yaml

    try:
        topics = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path} is missing; it lists the claims: restore it") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        where = getattr(error, "problem_mark", None)
        line = f" in line {where.line + 1}" if where else ""
        what = getattr(error, "problem", None) or "it is not UTF-8"
        raise UserError(f"{path} is no YAML{line}: {what}; correct it there") from None
    schema = yaml.safe_load(SCHEMA.read_text(encoding="utf-8"))
    entries: list[Json] = []
    mistakes = list(schema_mistakes(topics, schema, "the topics of claims"))
    if not mistakes:
        try:
            entries = expanded(topics)
        except KeyError as error:
            what = f"uses ${error.args[0]}, which each does not give; add it there"
            mistakes = [f"an entry with each {what}"]
        except ValueError:
            mistakes = ["an entry with each has a $ that names nothing; write $$"]
    if not mistakes:
        ids = (one.get("id", f"number {place}") for place, one in enumerate(entries, start=1))
        names = {place: f"claim {name}" for place, name in enumerate(ids)}
        flat = {"$defs": schema["$defs"], "items": {"$ref": "#/$defs/claim"}}
        mistakes = list(schema_mistakes(entries, flat, "the claims", names))
    if not mistakes:
        mistakes = list(_further_mistakes(entries, drawn))
    if mistakes:
        head = f"{path} has a mistake" if len(mistakes) == 1 else f"{path} has mistakes"
        raise UserError("\n  ".join([f"{head}:", *mistakes]))
    return [_claim(entry) for entry in entries]


def expanded(topics: Json) -> list[Json]:
    """Give every claim as a mapping of its own, with what its topic and ``each`` say."""
    entries = []
    for topic, part in topics.items():
        shared = {key: value for key, value in part.items() if key != "claims"}
        for entry in part["claims"]:
            own = {key: value for key, value in entry.items() if key != "each"}
            for row in entry.get("each", [None]):
                entries.append(
                    {"topic": topic, **shared, **(_put_in(own, row) if row is not None else own)}
                )
    return entries


def _put_in(part: Any, row: Json) -> Any:
    """Replace ``$key`` in all texts."""
    if isinstance(part, dict):
        return {key: _put_in(value, row) for key, value in part.items()}
    if isinstance(part, list):
        return [_put_in(value, row) for value in part]
    return Template(part).substitute(row) if isinstance(part, str) else part


def _claim(entry: Json) -> Claim:
    """Make a claim of a checked entry."""
    [kind] = _tests(entry)
    others = {key: value for key, value in entry.items() if key != kind}
    others["statement"] = _filled(entry["statement"])
    return Claim(**others, test={"type": kind, **entry[kind]})


def _tests(entry: Json) -> list[str]:
    return [kind for kind in TESTS if kind in entry]


def _further_mistakes(entries: list[Json], drawn: Collection[str] | None) -> Iterator[str]:
    """Find what the schema cannot: ids given twice, two tests, figures that are not there."""
    seen: set[str] = set()
    for entry in entries:
        name = f"claim {entry['id']}"
        if entry["id"] in seen:
            yield f"{name}: id stands twice; allowed is each id once; rename one"
        seen.add(entry["id"])
        if len(tests := _tests(entry)) > 1:
            yield f"{name} has {' and '.join(tests)}; allowed is one of them; remove the others"
        if "draws" in entry and drawn is not None and entry["id"] not in drawn:
            yield f"{name} has draws; allowed are the claims {', '.join(drawn)}; remove it"
        for path, form in figures(entry):
            try:
                format(facts.figure(path), form or "")
            except UserError as error:
                yield f"{name}: {error}; write one of these"
            except (ValueError, TypeError) as error:
                yield f"{name}: statement has the format {form!r} ({error}); write for example :.2%"


def figures(entry: Json) -> list[tuple[str, str | None]]:
    """List the article's figures that a claim speaks of, each with its format in the statement."""
    stated = FIGURE.findall(entry["statement"])
    return [
        *((path, form or None) for path, form in stated),
        *((one, None) for one in _named(entry)),
    ]


def _named(part: Any) -> Iterator[str]:
    """Give the article's figures that a test names, at any depth."""
    if isinstance(part, dict):
        if isinstance(part.get("article"), str):
            yield part["article"]
        for value in part.values():
            yield from _named(value)
    elif isinstance(part, list):
        for value in part:
            yield from _named(value)


def _filled(statement: str) -> str:
    """Put the article's figures in a statement."""

    def write(found: re.Match[str]) -> str:
        value = facts.figure(found[1])
        form = found[2] or ("," if isinstance(value, int) else "")
        return format(value, form).replace("%", " %")

    return FIGURE.sub(write, statement)
