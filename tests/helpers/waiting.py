"""Waiting for what another process or thread says."""

import time
from collections.abc import Callable

import pytest


def wait_for(read: Callable[[], str], text: str, seconds: int = 60) -> None:
    """Wait until a text is read, or fail with what was read instead."""
    for _ in range(50 * seconds):
        if text in read():
            return
        time.sleep(0.02)
    pytest.fail(read()[-3000:])
