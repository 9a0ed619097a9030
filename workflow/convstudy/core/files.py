"""Files that are either whole or absent."""

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


@contextlib.contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Give a temporary name beside `path`; on success, flush it to disk and rename it to `path`.

    Yields:
        A file name of the same suffix, in the same folder, to write to.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.stem}-", suffix=path.suffix, dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with open(temporary, "rb") as written:
            os.fsync(written.fileno())
        mask = os.umask(0)
        os.umask(mask)
        # mkstemp makes files that only their owner can read.
        temporary.chmod(0o666 & ~mask)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: str | Path, text: str) -> None:
    """Write `text` as UTF-8, whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: str | Path, value: Any) -> None:
    """Write `value` as indented JSON, whole or not at all.

    Raises:
        ValueError: If a number is not finite: JSON has no such number.
    """
    write_text(path, json.dumps(value, indent=2, allow_nan=False, ensure_ascii=False) + "\n")


def read_json(path: str | Path) -> Any:
    """Read a JSON file."""
    return json.loads(Path(path).read_text(encoding="utf-8"))


def file_digest(path: str | Path) -> str:
    """Hash a file: SHA-256, hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_sealed(path: str | Path, value: dict[str, Any]) -> None:
    """Write `value` as JSON with ``sha256``, a digest of all the rest, whole or not at all."""
    write_json(path, {**value, "sha256": _seal(value)})


def read_sealed(path: str | Path) -> dict[str, Any]:
    """Read what `write_sealed` wrote.

    Raises:
        ValueError: If the file is not as it was written.
    """
    try:
        value = read_json(path)
    except RecursionError:
        raise ValueError("it is nested too deep") from None
    if not isinstance(value, dict):
        raise ValueError("it holds no mapping")
    if value.pop("sha256", None) != _seal(value):
        raise ValueError("its content does not have the SHA-256 that it states")
    return value


def _seal(value: dict[str, Any]) -> str:
    text = json.dumps(value, sort_keys=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def write_csv(path: str | Path, table: "pd.DataFrame") -> None:
    """Write `table` as CSV without its index, whole or not at all."""
    with replacing(path) as temporary:
        table.to_csv(temporary, index=False)
