"""Importing libraries without what is not needed of them."""

import subprocess
import sys

import pytest
from convstudy.core import libraries


@pytest.mark.parametrize(
    ("library", "without"), [("keras", libraries.UNUSED_BY_US), ("seaborn", ("scipy.stats",))]
)
def test_packages_that_are_not_needed_are_not_imported_but_can_be_later(library, without):
    code = (
        "import importlib, sys; from convstudy.core import libraries;"
        f"libraries.{library}();"
        f"print([name for name in {without} if name in sys.modules]);"
        f"[importlib.import_module(name) for name in {without}]"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n") == ["[]", ""]
