"""Which settings of two runs differ, and what each of them changes."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from convstudy.config import analyses
from convstudy.config.mistakes import NAMED
from convstudy.config.settings import filled
from convstudy.results.reference_runs import OF_THE_MACHINE
from convstudy.results.run import Results

ORDER = " (order)"
IMAGES = "the images themselves"
SPEED = "speed and rounding"
# What a setting changes, by its section, or by the first words of its name.
EFFECTS = {
    **{f"{part}.{key}": SPEED for part, keys in OF_THE_MACHINE.items() for key in keys},
    "data": "data",
    "model": "networks",
    "training": "training",
    "module_table": "training",
    "depth": "training",
    "recipes": "training",
    "search.training": "training",
    "search": "search",
    "replay": "search",
    "pareto": "search",
    "timing": "times",
    "analyses": "what is made",
    "claims": "own claims",
}
# What is not compared, and why.
IGNORED = {
    "data.directory": "where the images are on one machine; their digest says which they are",
    "report": "how the page looks; a run does not record it",
    "settings of an analysis that only one run made": "nothing was made with the other ones",
    "dates, identifiers, durations of jobs and paths": "they differ whenever a run is repeated",
}


class Setting(NamedTuple):
    """A setting of two runs: its name, what it changes, and both values as text."""

    name: str
    effect: str
    a: str
    b: str


class Value(NamedTuple):
    """A setting's value, and how it is written; a setting may also be absent."""

    value: Any
    text: str


ABSENT = Value(object(), "absent")


def settings(a: Results, b: Results) -> tuple[list[Setting], list[Setting]]:
    """Compare two runs' settings; those that a run of an earlier version lacks have defaults.

    Returns:
        Those that differ, and those that do not, in the config's order.

    Raises:
        UserError: If a run's settings are not allowed, or not any more.
    """
    made = set(a.analyses) & set(b.analyses)
    one, other = _values(a, made), _values(b, made)
    differ: list[Setting] = []
    same: list[Setting] = []
    for name in [*one, *(name for name in other if name not in one)]:
        mine, theirs = one.get(name, ABSENT), other.get(name, ABSENT)
        if not _says_nothing(name, one, other):
            setting = Setting(name, _effect(name), mine.text, theirs.text)
            (same if _equal(mine.value, theirs.value) else differ).append(setting)
    if a.data["digest"] != b.data["digest"]:
        differ.append(Setting(IMAGES, "data", _images(a), _images(b)))
    return differ, same


def _values(run: Results, made: set[str]) -> dict[str, Value]:
    """Return a run's settings by name; of the analyses, those that both runs made."""
    recorded = dict(_leaves(run.run["config"]))
    config = filled(run.run["config"])
    del config["report"], config["data"]["directory"]
    for name in analyses.names():
        if name not in made:
            config.pop(name, None)
    found = {
        name: Value(value, _written(value) + ("" if name in recorded else " (by default)"))
        for name, value in _leaves({**config, "analyses": {}})
        if name != "analyses"
    }
    for name in config["analyses"]:
        found[f"analyses.{name}"] = Value(True, "made")
    for section, key in NAMED:
        # The first kind and study are special.
        if section in config:
            order = list(config[section][key])
            found[f"{section}.{key}{ORDER}"] = Value(order, ", ".join(order))
    return found


def _leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, list) and value and isinstance(value[0], Mapping):
        value = {str(place): part for place, part in enumerate(value, start=1)}
    if not isinstance(value, Mapping) or not value:
        yield name, value
        return
    for key, part in value.items():
        yield from _leaves(part, f"{name}.{key}" if name else key)


def _says_nothing(name: str, one: Mapping[str, Value], other: Mapping[str, Value]) -> bool:
    """Check for a section that is empty in one run only, and for the order of different names."""
    for mine, theirs in ((one, other), (other, one)):
        empty = name in mine and mine[name].value == {}
        if empty and any(key.startswith(f"{name}.") for key in theirs):
            return True
    if name.endswith(ORDER):
        orders = [sorted(part[name].value) for part in (one, other) if name in part]
        return len(orders) < 2 or orders[0] != orders[1]
    return False


def _equal(a: Any, b: Any) -> bool:
    """Compare values: true is not 1, but 1 is 1.0."""
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    return bool(a == b)


def _effect(name: str) -> str:
    found = (words for words in EFFECTS if f"{name}.".startswith(f"{words}."))
    return EFFECTS[next(found)]


def _written(value: Any) -> str:
    """Write a value as in a config."""
    import yaml

    text = yaml.safe_dump(value, default_flow_style=True, width=10_000, allow_unicode=True)
    return str(text.removesuffix("\n").removesuffix("\n..."))


def _images(run: Results) -> str:
    kind = "synthetic" if run.synthetic else run.data["encoding"]
    return f"{run.images} ({kind}), SHA-256 {run.data['digest'][:12]}"
