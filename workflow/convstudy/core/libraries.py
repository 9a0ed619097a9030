"""Import libraries without the user's own settings for them, which change numbers and figures."""

import contextlib
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType

# Keras imports them where they are installed, for functions that nothing here calls; that would
# take a third of its import.
UNUSED_BY_US = ("IPython", "matplotlib", "pandas", "sklearn")


def keras() -> ModuleType:
    """Import Keras without keras.json, which changes numbers; a mistake in it ends the import."""
    with _variables(KERAS_HOME=os.devnull), _hidden(UNUSED_BY_US):
        import keras

    return keras


def matplotlib() -> ModuleType:
    """Import Matplotlib without a matplotlibrc, whose mistakes it logs or ends at."""
    # It looks in the working folder first.
    with contextlib.chdir(Path(__file__).parent), _variables(MATPLOTLIBRC=os.devnull):
        import matplotlib

    return matplotlib


def seaborn() -> ModuleType:
    """Import seaborn without SciPy's statistics, which only its densities and clusters need."""
    with _hidden(("scipy.cluster", "scipy.stats")):
        import seaborn

    return seaborn


@contextlib.contextmanager
def _hidden(names: Iterable[str]) -> Iterator[None]:
    """Let imports of packages fail for a while, as if they were not installed."""
    hidden = [name for name in names if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


@contextlib.contextmanager
def _variables(**values: str) -> Iterator[None]:
    """Set environment variables for a while, and leave alone what others set meanwhile."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
