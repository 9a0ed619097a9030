"""A section of settings: a class of keys with types, ranges, defaults and descriptions."""

import copy
from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any, NamedTuple

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    SerializerFunctionWrapHandler,
    create_model,
    model_serializer,
)
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import PydanticCustomError
from pydantic_core.core_schema import no_info_after_validator_function

# JSON schema's names for the limits of a number.
LIMITS = {"ge": "minimum", "gt": "exclusiveMinimum", "le": "maximum", "lt": "exclusiveMaximum"}

Config = Mapping[str, Any]


class Section(BaseModel):
    """Keys that are all known, and values that are taken as they stand: 1 is no 1.0 and no true."""

    model_config = ConfigDict(
        extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )


class Mistake(NamedTuple):
    """A mistake: the keys that lead to it, and what is wrong, what is allowed and the fix."""

    path: tuple[Any, ...]
    what: str


class WithoutRepeats:
    """A list's limit that pydantic lacks: no item twice."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> Any:
        """Check the list once it is one."""
        return no_info_after_validator_function(_without_repeats, handler(source))

    def __get_pydantic_json_schema__(self, schema: Any, handler: GetJsonSchemaHandler) -> Any:
        """Say so in the JSON schema."""
        return {**handler(schema), "uniqueItems": True}


def _without_repeats(items: list[Any]) -> list[Any]:
    if len(set(items)) < len(items):
        raise PydanticCustomError("repeats", "an item stands twice")
    return items


# Never `float`, which makes 1.0 of 1 and so another key of each curve and study.
Number = int | float
Seed = Annotated[int, Field(ge=0, le=100_000)]
Text = Annotated[str, Field(min_length=1)]
Name = Annotated[str, Field(pattern="^[a-z][a-z0-9_]*$")]
UNIQUE = WithoutRepeats()


class Changes(Section):
    """What is changed of another section: its dump holds only the keys that were given."""

    @model_serializer(mode="wrap")
    def _given(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {key: value for key, value in dump(self).items() if key in self.model_fields_set}


def changes(section: type[Section], *keys: str) -> type[Changes]:
    """Make the class of what may be changed of a section, all of it or the given keys."""
    fields: dict[str, Any] = {}
    for name in keys or section.model_fields:
        field = section.model_fields[name]
        kind: Any
        empty: Any
        kind, empty = field.rebuild_annotation(), type(None)
        if isinstance(field.annotation, type) and issubclass(field.annotation, Section):
            kind = empty = changes(field.annotation)
        # A factory, so that the JSON schema shows no default.
        fields[name] = (kind, Field(default_factory=empty, description=field.description))
    made = create_model(f"{section.__name__}Changes", __base__=Changes, **fields)
    made.__doc__ = (section.__doc__ or "").partition("\n\n")[0]
    return made


class _Unsorted(GenerateJsonSchema):
    """pydantic's JSON schema with the keys of defaults in their order."""

    def sort(self, value: Any, parent_key: str | None = None) -> Any:
        return value


@cache
def json_schema(section: type[Section]) -> dict[str, Any]:
    """Give a section's JSON schema, with every reference followed."""
    whole = section.model_json_schema(schema_generator=_Unsorted)
    shared = whole.pop("$defs", {})

    def tidy(part: Any) -> Any:
        if isinstance(part, list):
            return [tidy(one) for one in part]
        if not isinstance(part, dict):
            return part
        if "$ref" in part:
            part = {**shared[part["$ref"].rpartition("/")[2]], **part}
        found = {
            LIMITS.get(key, key): {name: tidy(below) for name, below in value.items()}
            if key in ("properties", "patternProperties")
            else tidy(value)
            for key, value in part.items()
            if key not in ("$ref", "default") and (key != "title" or not isinstance(value, str))
        }
        # pydantic knows no number that stays what it is.
        if found.get("anyOf") == [{"type": "integer"}, {"type": "number"}]:
            found = {"type": "number"} | {key: found[key] for key in found if key != "anyOf"}
        return found | ({"default": part["default"]} if "default" in part else {})

    return tidy(whole)


def merged(base: Config, overlay: Config) -> dict[str, Any]:
    """Lay a config over another one, as Snakemake does with ``--configfile``."""
    result = copy.deepcopy(dict(base))
    for key, value in overlay.items():
        both = isinstance(value, dict) and isinstance(result.get(key), dict)
        result[key] = merged(result[key], value) if both else value
    return result
