"""What the project needs before it can start: a Python, its folder, and no other packages.

The Makefile runs this file before anything is installed, so it imports nothing of the library, and
older versions of Python must be able to read it.
"""

import os
import platform
import re
import shlex
import site
import sys

OLDEST, NEWEST = (3, 11), (3, 13)
# What a shell reads in its own way; a colon separates the folders of PATH.
SPECIAL = re.compile(r"""[\s'"\\$`&|;<>()\[\]{}*?!#:]""")


def mistake(folder: str) -> str:
    """Return why the project cannot be set up in a folder, and what to do; "" if it can."""
    if not OLDEST <= sys.version_info[:2] <= NEWEST:
        return (
            f"Python {OLDEST[0]}.{OLDEST[1]} to {NEWEST[0]}.{NEWEST[1]} is required, but this is"
            f" {platform.python_version()} ({sys.executable}); run: make setup PYTHON=python3.12"
        )
    if sys.platform == "darwin" and platform.machine() == "x86_64":
        return (
            "TensorFlow has no build for Macs with Intel processors any more; use Linux, or on"
            " Apple silicon a Python for it: make setup PYTHON=/opt/homebrew/bin/python3.12"
        )
    return unusable(f"{folder}/.venv/bin/python", folder)


def unusable(python: str, folder: str) -> str:
    """Return why Snakemake cannot use a Python, and what to do; "" if it can.

    Snakemake 9 starts jobs by a shell, and does not quote the path of its Python.

    Args:
        python: Its path.
        folder: The project's.
    """
    found = SPECIAL.search(python)
    if not found:
        return ""
    remedy = "install the packages elsewhere: make setup"
    if SPECIAL.search(folder):
        home = "/tmp" if SPECIAL.search(os.path.expanduser("~")) else "~"
        link = f"ln -s {shlex.quote(folder)} {home}/convstudy && cd {home}/convstudy"
        remedy = f"use a link whose path has none: {link} && make setup"
    return f"Snakemake cannot start {python}, as its path has {found[0]!r}; {remedy}"


def ignore_other_packages() -> list[str]:
    """Let this process and its children import nothing but the environment's packages.

    A folder of PYTHONPATH that holds this library stays.

    Returns:
        The folders of PYTHONPATH, and of the user's own packages, that are ignored.
    """
    folders = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    kept = [path for path in folders if os.path.isdir(os.path.join(path, "convstudy"))]
    ignored = [path for path in folders if path not in kept]
    os.environ["PYTHONPATH"] = os.pathsep.join(kept)
    os.environ["PYTHONNOUSERSITE"] = "1"
    if site.ENABLE_USER_SITE and os.path.isdir(site.getusersitepackages()):
        ignored.append(site.getusersitepackages())
    sys.path[:] = [path for path in sys.path if path not in map(os.path.abspath, ignored)]
    return ignored


if __name__ == "__main__":
    sys.exit(mistake(sys.argv[1]) or None)
