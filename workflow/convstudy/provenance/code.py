"""A digest of the code that a job uses, so that its rule can depend on it."""

import hashlib
import re
from functools import cache
from importlib.resources import files
from pathlib import Path

from convstudy.core.files import files_below

# A regular expression, as every start of Snakemake waits for this and parsing is far slower.
IMPORT = re.compile(r"^ *(?:from ([\w.]+) import (\([^)]*\)|[^#\n]*)|import ([\w.]+))", re.M)
FOR_TYPES = re.compile(r"^if TYPE_CHECKING:\n(?: .*\n|\n)+", re.M)
# Modules that wrap a job without changing its results: messages, provenance (unless a script
# reads the records), the GPU lease.
FRAME = ("provenance.job", "core.environment", "core.gpus")
IN_FRAME = tuple(f"{name}." for name in FRAME)
PACKAGE = Path(str(files("convstudy")))


def code_digest(script: Path | None = None, package: Path = PACKAGE) -> str:
    """Hash the code of a job, so that its rule can depend on it.

    Args:
        script: The job's script. It is hashed with every module of this package that it imports,
            directly or not, and the data files named like those modules, except the modules in
            `FRAME`. Without a script, the whole package is hashed.
        package: The package's folder.
    """
    if script is None:
        parts = [path for path in files_below(package) if "__pycache__" not in path.parts]
    else:
        modules = imported(script, package)
        parts = [part for module in modules for part in module.parent.glob(f"{module.stem}.*")]
    hashed = hashlib.sha256()
    for file in [*([script] if script else []), *sorted(parts)]:
        hashed.update(file.read_bytes())
    return hashed.hexdigest()[:12]


def imported(script: Path, package: Path) -> list[Path]:
    """List the files of a package that a script imports, directly or not, without running it."""
    found: set[Path] = set()
    ahead = [script]
    while ahead:
        new = _imports(ahead.pop(), package) - found
        found |= new
        ahead += new
    return sorted(found)


@cache
def _imports(file: Path, package: Path) -> set[Path]:
    """Return the files of a package that one file imports, at the top or inside functions."""
    names: set[str] = set()
    for start, several, alone in IMPORT.findall(FOR_TYPES.sub("", file.read_text("utf-8"))):
        names |= {f"{start}.{name}" for name in re.findall(r"\w+", several)} or {alone}
    found = set()
    for name in names:
        top, *parts = name.split(".")
        if top == package.name and not f"{'.'.join(parts)}.".startswith(IN_FRAME):
            # Python also runs every parent's __init__. The last part need not be a module.
            paths = [package.joinpath(*parts[:depth]) for depth in range(len(parts) + 1)]
            candidates = [
                file for path in paths for file in (path / "__init__.py", Path(f"{path}.py"))
            ]
            found |= {file for file in candidates if file.is_file()}
    return found
