"""Atomic file writes: a file is either complete or absent."""

import contextlib
import hashlib
import json
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


@contextlib.contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Write to a temporary file; on success, flush it to disk and rename it to `path`.

    Yields:
        The temporary file's path, in the same folder and with the same suffix.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # Not tempfile's, which others cannot read until chmod allows it; some file systems refuse that.
    temporary = path.with_name(f".{path.stem}-{secrets.token_hex(4)}{path.suffix}")
    temporary.touch(exist_ok=False)
    try:
        yield temporary
        with open(temporary, "rb") as written:
            os.fsync(written.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: str | Path, text: str) -> None:
    """Write `text` as UTF-8, atomically."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: str | Path, value: Any) -> None:
    """Write `value` as indented JSON, atomically.

    Raises:
        ValueError: If a number is not finite, which JSON cannot represent.
    """
    write_text(path, json.dumps(value, indent=2, allow_nan=False, ensure_ascii=False) + "\n")


def read_json(path: str | Path) -> Any:
    """Read a JSON file."""
    return json.loads(Path(path).read_text(encoding="utf-8"))


def file_digest(path: str | Path) -> str:
    """Return a file's SHA-256 as hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def files_below(folder: Path, above: tuple[Path, ...] = ()) -> list[Path]:
    """List the files below a folder, sorted; a link to a folder is read like a folder.

    `Path.rglob` does not follow such links.

    Args:
        folder: The folder; if there is none, it has no files.
        above: The folders through which it was reached, for links that lead back to one of them.
    """
    real = folder.resolve()
    if real in above or not folder.is_dir():
        return []
    found = []
    for path in sorted(folder.iterdir()):
        if path.is_dir():
            found += files_below(path, (*above, real))
        elif path.is_file():
            found.append(path)
    return found


def write_sealed(path: str | Path, value: dict[str, Any]) -> None:
    """Write `value` as JSON with ``sha256``, a digest of everything else, atomically."""
    write_json(path, {**value, "sha256": _seal(value)})


def read_sealed(path: str | Path) -> dict[str, Any]:
    """Read a file written by `write_sealed`.

    Raises:
        ValueError: If the file is malformed or was changed after it was written.
    """
    try:
        value = read_json(path)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if not isinstance(value, dict):
        raise ValueError("it is not a JSON object")
    if value.pop("sha256", None) != _seal(value):
        raise ValueError("its content does not match its SHA-256")
    return value


def _seal(value: dict[str, Any]) -> str:
    text = json.dumps(value, sort_keys=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def write_csv(path: str | Path, table: "pd.DataFrame") -> None:
    """Write `table` as CSV without its index, atomically."""
    with replacing(path) as temporary:
        table.to_csv(temporary, index=False)
