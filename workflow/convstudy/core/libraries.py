"""Import libraries without the user's own settings for them, which change numbers and figures."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType


def keras() -> ModuleType:
    """Import Keras without keras.json, which changes numbers; a mistake in it ends the import."""
    with _variables(KERAS_HOME=os.devnull):
        import keras

    return keras


def matplotlib() -> ModuleType:
    """Import Matplotlib without a matplotlibrc, whose mistakes it logs or ends at."""
    # It looks in the working folder first.
    with contextlib.chdir(Path(__file__).parent), _variables(MATPLOTLIBRC=os.devnull):
        import matplotlib

    return matplotlib


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
