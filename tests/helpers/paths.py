"""The project's folders and configs."""

import os
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
TESTS = ROOT / "tests"
QUICK, OVERLAY = (
    yaml.safe_load((ROOT / f"config/{name}.yaml").read_text()) for name in ("config", "article")
)


def with_helpers(**variables: str) -> dict[str, str]:
    """Return an environment in which another Python finds the helpers: ``-m helpers.NAME``."""
    path = filter(None, (str(TESTS), os.environ.get("PYTHONPATH")))
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path), **variables}
