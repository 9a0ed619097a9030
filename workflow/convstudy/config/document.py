"""Generate config.yaml with its comments, the tables of its README.md, and a JSON schema.

`make settings` writes them into config/; a test checks that they are up to date.
"""

import json
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from convstudy.config.mistakes import allowed, text
from convstudy.config.settings import Settings
from convstudy.core.section import json_schema

FOLDER = Path("config")
SCHEMA = "settings.schema.json"
HEAD = f"""\
# yaml-language-server: $schema={SCHEMA}
# The quick run: everything, small enough for a few minutes on two CPU cores. config/README.md
# explains every key. `make settings` writes this file: put your changes in a file of your own.
"""
BEGIN, END = "<!-- settings: begin -->", "<!-- settings: end -->"
WIDTH = 100

Part = dict[str, Any]


def documents(folder: Path = FOLDER) -> dict[Path, str]:
    """Return the text of each file, by its path."""
    readme = (folder / "README.md").read_text(encoding="utf-8")
    before, _, rest = readme.partition(BEGIN)
    _, _, after = rest.partition(END)
    schema = json_schema(Settings)
    tables = "\n".join(_tables(schema))
    for_editors = {"$schema": "https://json-schema.org/draft/2020-12/schema"} | _with_null(schema)
    return {
        folder / "config.yaml": HEAD + "\n".join(_yaml(schema, "")) + "\n",
        folder / "README.md": f"{before}{BEGIN}\n\n{tables}\n{END}{after}",
        folder / SCHEMA: json.dumps(for_editors, indent=1, ensure_ascii=False) + "\n",
    }


def _with_null(part: Any) -> Any:
    """Also allow null for a named section, which removes it."""
    if isinstance(part, list):
        return [_with_null(item) for item in part]
    if not isinstance(part, dict):
        return part
    return {
        key: {name: {"anyOf": [_with_null(each), {"type": "null"}]} for name, each in one.items()}
        if key == "patternProperties"
        else _with_null(one)
        for key, one in part.items()
    }


def _below(part: Part) -> Part:
    return part.get("properties", {})


def _first(part: Part) -> str:
    """Return the first paragraph of a description in one line, without the full stop."""
    return " ".join(part["description"].partition("\n\n")[0].split()).rstrip(".")


def _choices(part: Part) -> str:
    """List the allowed values, if they are a few words."""
    few = "enum" in part or {"const": "auto"}.items() <= (part.get("anyOf") or [{}])[0].items()
    return f" ({allowed(part).removeprefix('one of ').replace(' or ', ', ')})" if few else ""


def _yaml(part: Part, indent: str) -> Iterator[str]:
    """Write a section's keys, each after its comment."""
    for key, one in _below(part).items():
        if not indent:
            yield ""
        comment = f"{_first(one)}{_choices(one)}"
        mark = f"{indent}# "
        yield from textwrap.wrap(
            comment, WIDTH, initial_indent=mark, subsequent_indent=mark, break_on_hyphens=False
        )
        if _is_section(one):
            yield f"{indent}{key}:"
            yield from _yaml(one, f"{indent}  ")
        elif "patternProperties" in one:
            yield f"{indent}{key}:"
            yield from _named(one, f"{indent}  ")
        else:
            yield from _list(key, one, indent)


def _list(key: str, part: Part, indent: str) -> Iterator[str]:
    """Write a key on one line, or a list of sections on one line each."""
    if not _below(part.get("items", {})):
        yield f"{indent}{key}: {text(part['default'])}"
        return
    yield f"{indent}{key}:"
    for one in part["default"]:
        yield f"{indent}  - {_flow(one)}"


def _named(part: Part, indent: str) -> Iterator[str]:
    """Write user-named sections: the first of only defaults in full, others as differences."""
    [each] = part["patternProperties"].values()
    explained = False
    for name, given in part["default"].items():
        own = _changed(given, each)
        if not own and _defaults(each) and not explained:
            explained = True
            yield f"{indent}{name}:"
            yield from _yaml(each, f"{indent}  ")
        else:
            yield f"{indent}{name}: {_flow(own)}"


def _defaults(part: Part) -> bool:
    """Return whether every key has a default; the keys of a recipe have none."""
    return all("default" in key for key in _below(part).values())


def _is_section(part: Part) -> bool:
    """Return whether a key is a section of its own; changes to another section are one key."""
    return bool(_below(part)) and _defaults(part)


def _changed(value: Any, part: Part) -> Any:
    """Return what differs from the defaults."""
    if isinstance(value, dict):
        found = {key: _changed(one, _below(part).get(key, {})) for key, one in value.items()}
        return {key: one for key, one in found.items() if one not in ({}, None)}
    if value == part.get("default"):
        return None
    if items := _below(part.get("items", {})):
        return [_changed(one, {"properties": items}) for one in value]
    return None if value == part.get("default") else value


def _flow(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_flow(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return f"[{', '.join(map(_flow, value))}]"
    return text(value)


def _tables(part: Part, name: str = "") -> Iterator[str]:
    """Write a heading and a table for each section."""
    if name:
        level = "##" if "." not in name else "###"
        paragraphs = [textwrap.fill(one, WIDTH) for one in part["description"].split("\n\n")]
        yield f"{level} `{name}`\n\n" + "\n\n".join(paragraphs) + "\n"
    keys = {key: one for key, one in _below(part).items() if not _is_section(one)}
    if keys:
        yield "| key | allowed | default | meaning |\n| --- | --- | --- | --- |"
        for key, one in keys.items():
            meaning = " ".join(one["description"].split())
            named = "patternProperties" in one
            may = "a section each" if named else allowed(one).removeprefix("one of ")
            default = ", ".join(one["default"]) if named else text(one.get("default", "none"))
            if _below(one.get("items", {})):
                default = "see config.yaml"
            yield f"| `{key}` | {may} | {default} | {meaning} |"
        yield ""
    for key, one in _below(part).items():
        path = f"{name}.{key}" if name else key
        if _is_section(one):
            yield from _tables(one, path)
        elif "patternProperties" in one:
            [each] = one["patternProperties"].values()
            if _defaults(each):
                yield from _tables(each, f"{path}.NAME")
        elif _below(one.get("items", {})):
            yield from _tables(one["items"], f"{path}[]")
