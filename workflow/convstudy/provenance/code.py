"""A digest of the code that a job uses, so that its rule can depend on it."""

import hashlib
import re
from functools import cache
from importlib.resources import files
from pathlib import Path

# By text, since every start of Snakemake waits for it, and parsing takes several times as long.
IMPORT = re.compile(r"^ *(?:from ([\w.]+) import (\([^)]*\)|[^#\n]*)|import ([\w.]+))", re.M)
FOR_TYPES = re.compile(r"^if TYPE_CHECKING:\n(?: .*\n|\n)+", re.M)
# The frame of a job, which changes none of its results: messages (and so its record, unless a
# script reads records), provenance, the lease of a GPU.
FRAME = ("provenance.job", "core.environment", "core.gpus")
IN_FRAME = tuple(f"{name}." for name in FRAME)
PACKAGE = Path(str(files("convstudy")))


def code_digest(script: Path | None = None, package: Path = PACKAGE) -> str:
    """Hash the code of a job, so that its rule can depend on it.

    Args:
        script: The job's script: it and all that it imports of this package, directly or not, are
            hashed, with the data files that bear their names, but for the modules of `FRAME`.
            Without it, all of the package is.
        package: The package's folder.
    """
    if script is None:
        parts = [path for path in package.rglob("*.*") if "__pycache__" not in path.parts]
    else:
        modules = imported(script, package)
        parts = [part for one in modules for part in one.parent.glob(f"{one.stem}.*")]
    hashed = hashlib.sha256()
    for file in [*([script] if script else []), *sorted(parts)]:
        hashed.update(file.read_bytes())
    return hashed.hexdigest()[:12]


def imported(script: Path, package: Path) -> list[Path]:
    """List the files of a package that a script imports, directly or not, from the source alone."""
    found: set[Path] = set()
    ahead = [script]
    while ahead:
        new = _imports(ahead.pop(), package) - found
        found |= new
        ahead += new
    return sorted(found)


@cache
def _imports(file: Path, package: Path) -> set[Path]:
    """Give the files of a package that one file names in its imports, wherever these stand."""
    names: set[str] = set()
    for start, several, alone in IMPORT.findall(FOR_TYPES.sub("", file.read_text("utf-8"))):
        names |= {f"{start}.{name}" for name in re.findall(r"\w+", several)} or {alone}
    found = set()
    for name in names:
        top, *parts = name.split(".")
        if top == package.name and not f"{'.'.join(parts)}.".startswith(IN_FRAME):
            # Python runs every parent's __init__, too. The last part may be no module.
            paths = [package.joinpath(*parts[:depth]) for depth in range(len(parts) + 1)]
            there = [one for path in paths for one in (path / "__init__.py", Path(f"{path}.py"))]
            found |= {one for one in there if one.is_file()}
    return found
