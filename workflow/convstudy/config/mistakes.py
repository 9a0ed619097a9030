"""Report everything wrong with a section at once, in plain words and one line per mistake."""

import difflib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from convstudy.config.yaml_file import YamlFile
from convstudy.core.section import LIMITS, Mistake, Section, json_schema

TYPES = {
    "integer": "a whole number",
    "number": "a number",
    "string": "text",
    "boolean": "true or false",
    "object": "a section with keys",
    "array": "a list",
    "null": "null",
}
WORDS = dict(zip(LIMITS.values(), ("at least", "more than", "at most", "less than"), strict=True))
# Sections whose keys are chosen by the user, and what these keys name.
NAMED = {
    ("model", "kinds"): "kind",
    ("search", "studies"): "study",
    ("recipes", "compared"): "recipe",
}


def find(section: type[Section], value: Any) -> Iterator[Mistake]:
    """Find the values that a section does not allow."""
    try:
        section.model_validate(value)
    except ValidationError as error:
        known = set()
        for details in error.errors(include_url=False):
            mistake = _mistake(json_schema(section), value, details)
            # A value that may have two types gets an error for each.
            if mistake.path not in known:
                known.add(mistake.path)
                yield mistake


def write(mistakes: Sequence[Mistake], value: Any, files: Sequence[YamlFile]) -> list[str]:
    """Format each mistake as one line that begins with its file and line, sorted by these."""
    found = [(place(path, value, files), dotted(path), what) for path, what in mistakes]
    found.sort(key=lambda parts: [part.zfill(9) for part in parts[0].rsplit(":", 1)])
    return [": ".join(part for part in parts if part) for parts in found]


def dotted(path: tuple[Any, ...]) -> str:
    """Join keys with dots, and put list indices in brackets."""
    keys = [f"[{key}]" if isinstance(key, int) else f".{key}" for key in path]
    return "".join(keys).removeprefix(".")


def place(path: tuple[Any, ...], value: Any, files: Sequence[YamlFile]) -> str:
    """Return the file and line of a key, or else of the deepest section around it."""
    for depth in range(len(path), 0, -1):
        for file in reversed(files):
            if (line := file.lines.get(path[:depth])) is not None:
                same = repr(at(file.content, path[:depth])) == repr(at(value, path[:depth]))
                return f"{file.name}:{line}" if same or depth < len(path) else "--config"
    return ""


def at(value: Any, path: tuple[Any, ...]) -> Any:
    """Return the value at a path, or None."""
    for key in path:
        try:
            value = value[key]
        except (KeyError, IndexError, TypeError):
            return None
    return value


def _mistake(schema: dict[str, Any], whole: Any, error: Mapping[str, Any]) -> Mistake:
    """Translate one of pydantic's errors into our own words."""
    part, value = schema, whole
    around, path = schema, list[Any]()
    [*where, last] = error["loc"] or ("",)
    for key in error["loc"]:
        below = part.get("properties", {}).get(key) or part.get("items")
        if "patternProperties" in part:
            [below] = part["patternProperties"].values()
        if below is None or key == "[key]":
            break
        around, part = part, _needed(below)
        path, value = [*path, key], at(value, (key,))
    kind = error["type"]
    if len(path) < len(where):
        # The further keys name one of several types.
        kind = "type"
    if kind in ("extra_forbidden", "invalid_key"):
        known = list(part["properties"])
        fix = suggestion(str(last), known)
        return Mistake((*where, last), f"unknown key; allowed here are {', '.join(known)}; {fix}")
    if kind == "missing":
        needed = ", ".join(around["required"])
        return Mistake(tuple(where), f"{last} is missing; required are {needed}; add it")
    if last == "[key]":
        what = NAMED[tuple(where[:-1])]
        return Mistake(
            tuple(where),
            f"{error['input']!r} is not a valid name for a {what}; use lower-case letters, digits"
            f" and _, starting with a letter, for example my_{what}",
        )
    if kind == "value_error":
        return Mistake(tuple(path), str(error["ctx"]["error"]))
    if tuple(path) in NAMED and value == {}:
        what = f"my_{NAMED[tuple(path)]}"
        return Mistake(tuple(path), f"at least one is needed; write {what}: {{}} below it")
    key = str(path[-1]) if path else ""
    shown = repr(value) if isinstance(value, str) else text(value)
    shown = shown if len(shown) <= 60 else f"{shown[:57]}..."
    return Mistake(
        tuple(path), f"{shown}, but it must be {allowed(part)}; {_fix(key, value, part)}"
    )


def _needed(part: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a key's value, without the alternative null."""
    others = [schema for schema in part.get("anyOf", ()) if schema != {"type": "null"}]
    return part | others[0] if len(others) == 1 else part


def suggestion(word: str, known: Sequence[str], otherwise: str = "remove it") -> str:
    """Suggest the known word that is closest to a misspelt one, if any, or something else."""
    close = difflib.get_close_matches(word, known, 1)
    return f"did you mean {close[0]}?" if close else otherwise


def _fix(key: str, value: Any, part: dict[str, Any]) -> str:
    """Suggest a corrected line."""
    name = f"{key}: " if key else ""
    choices = [str(choice) for choice in part.get("enum", ())]
    number = _number(value)
    if number is not None and part.get("type") in ("integer", "number") and fits(number, part):
        # YAML 1.1 reads 1e-3 as text, as it has no decimal point.
        quotes = ", without quotes" if isinstance(value, str) else ""
        return f"write {name}{plain(number)}{quotes}"
    if close := difflib.get_close_matches("none" if value is None else str(value), choices, 1):
        return f"write {name}{close[0]}"
    if part.get("type") == "object":
        return "put keys below it, or remove the line"
    if "default" in part:
        return f"write {name}{text(part['default'])}, the default"
    return f"write {name}{choices[0]}" if choices else "correct it"


def _number(value: Any) -> int | float | None:
    """Return the number that was probably meant, if any."""
    try:
        number = float(value) if isinstance(value, (str, float)) else math.nan
    except ValueError:
        return None
    if not math.isfinite(number):
        return None
    return int(number) if number.is_integer() else number


def fits(number: float, part: Mapping[str, Any]) -> bool:
    """Return whether a number is within a key's limits, and an integer if it must be."""
    return (
        (part["type"] == "number" or isinstance(number, int))
        and part.get("minimum", -math.inf) <= number <= part.get("maximum", math.inf)
        and part.get("exclusiveMinimum", -math.inf)
        < number
        < part.get("exclusiveMaximum", math.inf)
    )


def text(value: Any) -> str:
    """Format a value as YAML, in one line."""
    if isinstance(value, str):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return plain(value)
    return (
        json.dumps(value, default=str)
        if isinstance(value, (bool, dict, list, type(None)))
        else str(value)
    )


def plain(number: float) -> str:
    """Format a number without an exponent, as YAML reads 1e-3 as text."""
    short = repr(number)
    return short if "e" not in short else f"{number:.12f}".rstrip("0").rstrip(".")


def allowed(part: Mapping[str, Any]) -> str:
    """Describe the values that a key may have."""
    if "anyOf" in part:
        each = dict.fromkeys(allowed(choice) for choice in part["anyOf"])
        return " or ".join(
            kind for kind in each if kind != "a whole number" or "a number" not in each
        )
    if "enum" in part:
        return "one of " + ", ".join(map(text, part["enum"]))
    if "const" in part:
        return text(part["const"])
    if "pattern" in part:
        return "lower-case letters, digits and _, a letter first"
    if part["type"] == "array":
        least, most, items = part.get("minItems"), part.get("maxItems"), allowed(part["items"])
        size = f" of {least}{'' if least == most else ' or more'}" if least else ""
        return f"a list{size}, each {items}{', none twice' if part.get('uniqueItems') else ''}"
    limits = [f"{word} {part[name]:,}" for name, word in WORDS.items() if name in part]
    limits += ["that is not empty"] if part.get("minLength") else []
    return f"{TYPES[part['type']]} {' and '.join(limits)}".strip()
