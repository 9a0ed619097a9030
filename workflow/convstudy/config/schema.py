"""What the schema forbids, in our words."""

import difflib
import json
import math
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Any

SCHEMA = files("convstudy.config") / "schema.yaml"
TYPE_NAMES = {
    "integer": "a whole number",
    "number": "a number",
    "string": "text",
    "boolean": "true or false",
    "object": "a section with keys",
    "array": "a list",
    "null": "null",
}
# Sections whose keys are names that the user gives: of what, and an example.
NAMED = {"studies": ("study", "accuracy"), "compared": ("recipe", "adam")}


@cache
def schema() -> dict[str, Any]:
    """Give the schema of the config."""
    import yaml

    return yaml.safe_load(SCHEMA.read_text(encoding="utf-8"))


def resolved(part: dict[str, Any]) -> dict[str, Any]:
    """Follow a reference within the schema."""
    if "$ref" not in part:
        return part
    return schema()["$defs"][part["$ref"].rpartition("/")[2]]


def schema_mistakes(
    value: Any, schema: dict[str, Any], whole: str, names: Mapping[int, str] | None = None
) -> Iterator[str]:
    """Say what a schema forbids, in our words.

    Args:
        whole: What to call the value itself.
        names: What to call the entries of a list.
    """
    import jsonschema

    types = jsonschema.Draft202012Validator.TYPE_CHECKER.redefine_many(
        {"integer": lambda _, x: type(x) is int, "number": lambda _, x: _is_number(x)}
    )
    checker = jsonschema.validators.extend(jsonschema.Draft202012Validator, type_checker=types)
    for error in checker(schema).iter_errors(value):
        path = list(error.absolute_path)
        entry = f"{names[path.pop(0)]}: " if names and path else ""
        yield f"{entry}{_mistake(error, path, 'it' if entry else whole)}"


def _is_number(value: Any) -> bool:
    return type(value) is int or (type(value) is float and math.isfinite(value))


def _mistake(error: Any, path: list[Any], whole: str) -> str:
    """Put one error of the schema in a line."""
    key, allowed = ".".join(map(str, path)) or whole, error.schema
    if error.validator == "additionalProperties":
        known = list(allowed["properties"])
        unknown = next(name for name in error.instance if name not in known)
        close = difflib.get_close_matches(str(unknown), known, 1)
        fix = f"did you mean {close[0]}?" if close else "remove it"
        where = ".".join(map(str, [*path, unknown]))
        return f"{where} is no key; allowed here are {', '.join(known)}; {fix}"
    if error.validator == "required":
        missing = next(name for name in error.validator_value if name not in error.instance)
        return f"{key} has no {missing}; needed are {', '.join(error.validator_value)}; add it"
    if error.validator == "anyOf":
        one = " or ".join(part["required"][0] for part in error.validator_value)
        return f"{key} has no {one}; at least one is needed; add it"
    if error.validator == "maxProperties":
        return f"{key}: {_short(_text(error.instance))}, but allowed is one key; remove the others"
    if error.validator == "minProperties" and path[-1] in NAMED:
        what, example = NAMED[path[-1]]
        return f"{key} is empty; at least one {what} is needed; write {key}: {{{example}: {{}}}}"
    if "propertyNames" in error.absolute_schema_path:
        what, _ = NAMED[path[-1]]
        return (
            f"{key}: {error.instance!r} is no name for a {what}; allowed are lower-case letters,"
            f" digits and _, a letter first; rename it, for example to my_{what}"
        )
    value = error.instance
    shown = repr(value) if isinstance(value, str) else _text(value)
    fix = f"the default is {_text(allowed['default'])}" if "default" in allowed else "fill it in"
    number = _number_in(value) if isinstance(value, str) else None
    if number is not None:
        # YAML 1.1 reads 1e-3 as text, as it has no point.
        fix = f"write {key.rpartition('.')[2]}: {_plain_number(number)}, without quotes"
    elif value is None and allowed.get("type") == "object":
        fix = "remove the line or put keys below it"
    return f"{key}: {_short(shown)}, but allowed is {_allowed(allowed)}; {fix}"


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]}..."


def _text(value: Any) -> str:
    """Write a value as YAML does."""
    return json.dumps(value) if value is None or isinstance(value, (bool, dict)) else str(value)


def _number_in(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _plain_number(number: float) -> str:
    """Write a number without an exponent, which YAML would need a point for."""
    short = f"{number:g}"
    return short if "e" not in short else f"{number:.12f}".rstrip("0").rstrip(".")


def _allowed(part: dict[str, Any]) -> str:
    """Say what a key may be."""
    if "enum" in part:
        return "one of " + ", ".join(map(_text, part["enum"]))
    if "pattern" in part and part["type"] == "string":
        return part["description"]
    types = part["type"] if isinstance(part["type"], list) else [part["type"]]
    limits = [
        f"{word} {part[name]:,}"
        for name, word in (
            ("minimum", "at least"),
            ("exclusiveMinimum", "more than"),
            ("maximum", "at most"),
            ("exclusiveMaximum", "less than"),
            ("minItems", "of at least"),
        )
        if name in part
    ]
    first, *others = (TYPE_NAMES[one] for one in types)
    if part.get("minLength"):
        limits.append("not empty")
    if part.get("minItems"):
        limits.append(f"with {part['minItems']} or more")
    if part.get("uniqueItems"):
        limits.append("without repeats")
    return " or ".join([" ".join([first, " and ".join(limits)]).strip(), *others])
