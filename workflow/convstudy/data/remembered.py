"""The images that the results in a folder were made from, so that the next run finds the same."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from convstudy.core.errors import UserError
from convstudy.core.files import read_sealed, write_sealed
from convstudy.data.settings import FOLDER_VARIABLE, OWN
from convstudy.data.sources import Source, cached_archives

# Not in results/data, which Snakemake empties before it prepares the images again.
FILE = Path("results/.state/images.json")
# Where the settings leave the choice of the source to what there is.
CHOOSING = ("auto", "real")


def remember(file: Path, source: Source, directory: str | None, digest: str) -> None:
    """Write what images were prepared.

    Args:
        file: Where to write.
        source: The images.
        directory: Their folder, if they come from one.
        digest: SHA-256 of those used.
    """
    folder = directory if source.name == "directory" else None
    about = {"origin": source.origin, "quality": _quality(source), "digest": digest}
    write_sealed(file, {**about, "directory": folder})


def _quality(source: Source) -> int:
    """Rank images: synthetic, with losses, exact."""
    return 0 if source.name == "synthetic" else 1 if source.lossy else 2


def recall(file: Path = FILE) -> dict[str, Any] | None:
    """Return what `remember` wrote; None if nothing is known, as before the first run."""
    try:
        return read_sealed(file)
    except (OSError, ValueError):
        return None


def use_same_folder(file: Path = FILE) -> str | None:
    """Set CONVSTUDY_CIFAR10 to the folder of the last run, unless it is set.

    Returns:
        The folder; None if the variable was set, or the last run's folder is gone.
    """
    known = recall(file)
    folder = known and known["directory"]
    if not folder or os.environ.get(FOLDER_VARIABLE) or not Path(folder).is_dir():
        return None
    os.environ[FOLDER_VARIABLE] = folder
    return str(folder)


def given_folder(data: Mapping[str, Any]) -> str | None:
    """Return the absolute path of the folder that the settings or the environment name."""
    folder = data["directory"]
    if data["source"] != OWN:
        folder = folder or os.environ.get(FOLDER_VARIABLE)
    if not folder or data["source"] in ("keras", "synthetic"):
        return None
    return str(Path(folder).expanduser().resolve())


def require_within_reach(data: Mapping[str, Any], file: Path = FILE) -> None:
    """Check, before anything is made again, that images as good as the last run's are there.

    Raises:
        UserError: If their folder is gone, and no other images are at hand.
    """
    known = recall(file)
    if data["source"] not in CHOOSING or not known or not known["quality"]:
        return
    if not given_folder(data) and not cached_archives():
        raise _worse(known, "there is no folder of images now")


def require_as_good(source: Source, data: Mapping[str, Any], file: Path) -> None:
    """Check that images are as good as those of the last run, unless the settings choose them.

    Raises:
        UserError: If they are synthetic, or stored with losses, and the last run's were better.
    """
    known = recall(file)
    if known and data["source"] in CHOOSING and _quality(source) < known["quality"]:
        raise _worse(known, f"the images found now are {source.origin} ({source.encoding})")


def _worse(known: Mapping[str, Any], now: str) -> UserError:
    folder = known["directory"]
    back = f"bring back {folder}, or set {FOLDER_VARIABLE}" if folder else "bring them back"
    return UserError(
        f"the results here were made from better images ({known['origin']}, SHA-256"
        f" {known['digest'][:12]}...), but {now}; to go back: {back}; to make everything again"
        " with other images: name their source in the config (data.source: directory, keras or"
        " synthetic)"
    )
