"""Read a YAML file with the line of every key, and refuse duplicate keys."""

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from convstudy.core.errors import UserError

Keys = tuple[Any, ...]


class YamlFile(NamedTuple):
    """A file's content, and the line of each key and list item, by its path of keys."""

    name: str
    content: Any
    lines: dict[Keys, int]


def read(path: Path) -> YamlFile:
    """Read a YAML file.

    Raises:
        UserError: If it cannot be read, is not valid YAML, or has duplicate keys (one line each).
    """
    absolute, here = path.absolute(), Path.cwd()
    name = str(absolute.relative_to(here) if absolute.is_relative_to(here) else absolute)
    try:
        loader = yaml.SafeLoader(path.read_text(encoding="utf-8"))
        node = loader.get_single_node()
        twice = [f"{name}:{line}: {what}" for line, what in _repeated(node, ())]
        if twice:
            raise UserError("\n  ".join([f"{name} has duplicate keys:", *twice]))
        lines = dict(_lines(node, ()))
        return YamlFile(name, loader.construct_document(node) if node else {}, lines)
    except OSError as error:
        raise UserError(
            f"{name} cannot be read ({error.strerror}); check its name and permissions"
        ) from None
    except UnicodeDecodeError:
        # What some programs call Unicode is UTF-16.
        remedy = f"iconv -f UTF-16 -t UTF-8 {shlex.quote(name)}"
        raise UserError(f"{name} is not UTF-8 text; save it as UTF-8 ({remedy})") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f" in line {mark.line + 1}" if mark else ""
        what = getattr(error, "problem", None) or str(error)
        raise UserError(f"{name} is not valid YAML{line}: {what}; correct it there") from None


def _repeated(node: yaml.Node | None, path: Keys) -> Iterator[tuple[int, str]]:
    """Find duplicate keys of a mapping, before merge keys (``<<``) are resolved."""
    first: dict[tuple[str, str], int] = {}
    for key, value in node.value if isinstance(node, yaml.MappingNode) else ():
        line, known, keys = key.start_mark.line + 1, (key.tag, str(key.value)), (*path, key.value)
        if known in first:
            yield (
                line,
                f"{'.'.join(map(str, keys))}: duplicate key, already in line {first[known]}; each"
                " key is allowed once; remove one of the two",
            )
        first.setdefault(known, line)
        yield from _repeated(value, keys)
    for index, value in enumerate(node.value if isinstance(node, yaml.SequenceNode) else ()):
        yield from _repeated(value, (*path, index))


def _lines(node: yaml.Node | None, path: Keys) -> Iterator[tuple[Keys, int]]:
    for key, value in node.value if isinstance(node, yaml.MappingNode) else ():
        keys = (*path, str(key.value))
        yield keys, key.start_mark.line + 1
        yield from _lines(value, keys)
    for index, value in enumerate(node.value if isinstance(node, yaml.SequenceNode) else ()):
        yield (*path, index), value.start_mark.line + 1
        yield from _lines(value, (*path, index))
