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
    """Settings with no unknown keys and no type coercion: 1 becomes neither 1.0 nor true.

    Example:
        >>> class Optimizer(Section):
        ...     learning_rate: Number = 0.001
        >>> Optimizer.model_validate({"learning_rate": 1}).model_dump()
        {'learning_rate': 1}
    """

    model_config = ConfigDict(
        extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )


class Mistake(NamedTuple):
    """A mistake: the path of keys to it, and a line with what is wrong, allowed, and the fix.

    Example:
        >>> Mistake(("model", "width"), "9, but it must be at most 8; write width: 0.25").path
        ('model', 'width')
    """

    path: tuple[Any, ...]
    what: str


class WithoutRepeats:
    """A constraint on lists that pydantic lacks: no item may be repeated."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> Any:
        """Check for repeats after pydantic has validated the list."""
        return no_info_after_validator_function(_without_repeats, handler(source))

    def __get_pydantic_json_schema__(self, schema: Any, handler: GetJsonSchemaHandler) -> Any:
        """Add ``uniqueItems`` to the JSON schema."""
        return {**handler(schema), "uniqueItems": True}


def _without_repeats(items: list[Any]) -> list[Any]:
    if len(set(items)) < len(items):
        raise PydanticCustomError("repeats", "an item is repeated")
    return items


# Never just `float`: it would turn 1 into 1.0, which changes the key of every curve and study.
Number = int | float
Seed = Annotated[int, Field(ge=0, le=100_000)]
Text = Annotated[str, Field(min_length=1)]
Name = Annotated[str, Field(pattern="^[a-z][a-z0-9_]*$")]
UNIQUE = WithoutRepeats()


class Changes(Section):
    """Overrides of another section: its dump holds only the keys that were given."""

    @model_serializer(mode="wrap")
    def _given(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {key: value for key, value in dump(self).items() if key in self.model_fields_set}


def changes(section: type[Section], *keys: str) -> type[Changes]:
    """Create the class of overrides for a section: for all its keys, or only those given."""
    fields: dict[str, Any] = {}
    for name in keys or section.model_fields:
        field = section.model_fields[name]
        kind: Any
        empty: Any
        kind, empty = field.rebuild_annotation(), type(None)
        if isinstance(field.annotation, type) and issubclass(field.annotation, Section):
            kind = empty = changes(field.annotation)
        # A factory keeps the default out of the JSON schema.
        fields[name] = (kind, Field(default_factory=empty, description=field.description))
    made = create_model(f"{section.__name__}Changes", __base__=Changes, **fields)
    made.__doc__ = (section.__doc__ or "").partition("\n\n")[0]
    return made


class _Unsorted(GenerateJsonSchema):
    """Generates pydantic's JSON schema without sorting the keys of defaults."""

    def sort(self, value: Any, parent_key: str | None = None) -> Any:
        return value


@cache
def json_schema(section: type[Section]) -> dict[str, Any]:
    """Return a section's JSON schema, with every reference resolved."""
    schema = section.model_json_schema(schema_generator=_Unsorted)
    shared = schema.pop("$defs", {})

    def tidy(part: Any) -> Any:
        if isinstance(part, list):
            return [tidy(item) for item in part]
        if not isinstance(part, dict):
            return part
        if "$ref" in part:
            part = {**shared[part["$ref"].rpartition("/")[2]], **part}
        tidied = {
            LIMITS.get(key, key): {name: tidy(below) for name, below in value.items()}
            if key in ("properties", "patternProperties")
            else tidy(value)
            for key, value in part.items()
            if key not in ("$ref", "default") and (key != "title" or not isinstance(value, str))
        }
        # `Number`, which pydantic can only express as a union of int and float.
        if tidied.get("anyOf") == [{"type": "integer"}, {"type": "number"}]:
            tidied = {"type": "number"} | {key: tidied[key] for key in tidied if key != "anyOf"}
        return tidied | ({"default": part["default"]} if "default" in part else {})

    return tidy(schema)


def merged(base: Config, overlay: Config) -> dict[str, Any]:
    """Merge a config over another one, as Snakemake does with ``--configfile``."""
    result = copy.deepcopy(dict(base))
    for key, value in overlay.items():
        both = isinstance(value, dict) and isinstance(result.get(key), dict)
        result[key] = merged(result[key], value) if both else value
    return result
