"""What a section forbids, in our words: one line a mistake, all at once."""

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
# Sections whose keys are names that the user gives: of what.
NAMED = {("search", "studies"): "study", ("recipes", "compared"): "recipe"}


def find(section: type[Section], value: Any) -> Iterator[Mistake]:
    """Find what a section forbids."""
    try:
        section.model_validate(value)
    except ValidationError as error:
        known = set()
        for one in error.errors(include_url=False):
            mistake = _mistake(json_schema(section), value, one)
            # A value that may be of two types has an error for each.
            if mistake.path not in known:
                known.add(mistake.path)
                yield mistake


def write(mistakes: Sequence[Mistake], value: Any, files: Sequence[YamlFile]) -> list[str]:
    """Put each mistake in a line that begins with the file and line of its key, in their order."""
    found = [(place(path, value, files), dotted(path), what) for path, what in mistakes]
    found.sort(key=lambda one: [part.zfill(9) for part in one[0].rsplit(":", 1)])
    return [": ".join(part for part in one if part) for one in found]


def dotted(path: tuple[Any, ...]) -> str:
    """Write keys with dots between them, and places in a list in brackets."""
    keys = [f"[{key}]" if isinstance(key, int) else f".{key}" for key in path]
    return "".join(keys).removeprefix(".")


def place(path: tuple[Any, ...], value: Any, files: Sequence[YamlFile]) -> str:
    """Say in which file and line a key stands, or else the deepest section around it."""
    for depth in range(len(path), 0, -1):
        for file in reversed(files):
            if (line := file.lines.get(path[:depth])) is not None:
                same = repr(at(file.content, path[:depth])) == repr(at(value, path[:depth]))
                return f"{file.name}:{line}" if same or depth < len(path) else "--config"
    return ""


def at(value: Any, path: tuple[Any, ...], default: Any = None) -> Any:
    """Give what stands at a path, or the default."""
    for key in path:
        try:
            value = value[key]
        except (KeyError, IndexError, TypeError):
            return default
    return value


def _mistake(schema: dict[str, Any], whole: Any, error: Mapping[str, Any]) -> Mistake:
    """Put one of pydantic's errors in our words."""
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
        return Mistake((*where, last), f"no such key; allowed here are {', '.join(known)}; {fix}")
    if kind == "missing":
        needed = ", ".join(around["required"])
        return Mistake(tuple(where), f"it has no {last}; needed are {needed}; add it")
    if last == "[key]":
        what = NAMED[tuple(where[:-1])]
        return Mistake(
            tuple(where),
            f"{error['input']!r} is no name for a {what}; allowed are lower-case letters, digits"
            f" and _, a letter first; rename it, for example my_{what}",
        )
    if kind == "value_error":
        return Mistake(tuple(path), str(error["ctx"]["error"]))
    if tuple(path) in NAMED and value == {}:
        what = f"my_{NAMED[tuple(path)]}"
        return Mistake(tuple(path), f"it is empty, but one is needed; write {what}: {{}} below it")
    key = str(path[-1]) if path else ""
    shown = repr(value) if isinstance(value, str) else text(value)
    shown = shown if len(shown) <= 60 else f"{shown[:57]}..."
    return Mistake(
        tuple(path), f"{shown}, but allowed is {allowed(part)}; {_fix(key, value, part)}"
    )


def _needed(part: dict[str, Any]) -> dict[str, Any]:
    """Give what a key may be, besides null."""
    others = [one for one in part.get("anyOf", ()) if one != {"type": "null"}]
    return part | others[0] if len(others) == 1 else part


def suggestion(word: str, known: Sequence[str]) -> str:
    """Ask whether a word was meant for one that is known."""
    close = difflib.get_close_matches(word, known, 1)
    return f"did you mean {close[0]}?" if close else "remove it"


def _fix(key: str, value: Any, part: dict[str, Any]) -> str:
    """Give the corrected line."""
    name = f"{key}: " if key else ""
    choices = [str(one) for one in part.get("enum", ())]
    number = _number(value)
    if number is not None and part.get("type") in ("integer", "number") and fits(number, part):
        # YAML 1.1 reads 1e-3 as text, as it has no point.
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
    """Give the number that was meant, if one was."""
    try:
        number = float(value) if isinstance(value, (str, float)) else math.nan
    except ValueError:
        return None
    if not math.isfinite(number):
        return None
    return int(number) if number.is_integer() else number


def fits(number: float, part: Mapping[str, Any]) -> bool:
    """Tell whether a number is within a key's limits, and whole where it must be."""
    return (
        (part["type"] == "number" or isinstance(number, int))
        and part.get("minimum", -math.inf) <= number <= part.get("maximum", math.inf)
        and part.get("exclusiveMinimum", -math.inf)
        < number
        < part.get("exclusiveMaximum", math.inf)
    )


def text(value: Any) -> str:
    """Write a value as YAML does, in one line."""
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
    """Write a number without an exponent, which YAML would need a point for."""
    short = repr(number)
    return short if "e" not in short else f"{number:.12f}".rstrip("0").rstrip(".")


def allowed(part: Mapping[str, Any]) -> str:
    """Say what a key may be."""
    if "anyOf" in part:
        each = dict.fromkeys(allowed(one) for one in part["anyOf"])
        return " or ".join(one for one in each if one != "a whole number" or "a number" not in each)
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
