"""What a job says: one line a step, in its log and in the terminal."""

import contextlib
import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from convstudy.errors import UserError


@contextlib.contextmanager
def job(snakemake: Any) -> Iterator[None]:
    """Send the library's messages to a job's log and to the terminal, and end it well.

    Parameters
    ----------
    snakemake : object
        What Snakemake gives to a script; its log and rule name are used.

    Raises
    ------
    SystemExit
        With status 1 after a `UserError`, whose line is all that is shown.
    """
    log = Path(str(snakemake.log))
    log.parent.mkdir(parents=True, exist_ok=True)
    to_file = logging.FileHandler(log, mode="w", encoding="utf-8")
    to_terminal = logging.StreamHandler(sys.stderr)
    to_file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    to_terminal.setFormatter(logging.Formatter(f"[{snakemake.rule}] %(message)s"))
    logger = logging.getLogger("convstudy")
    logger.setLevel(logging.INFO)
    logger.handlers = [to_file, to_terminal]
    try:
        yield
    except UserError as error:
        logger.error("%s", error)
        raise SystemExit(1) from None
    except Exception:
        logger.exception("%s stopped on an error that it does not know", snakemake.rule)
        raise SystemExit(1) from None
    finally:
        logger.handlers = []
        to_file.close()


def duration(seconds: float) -> str:
    """Write a duration for people: ``48 s``, ``3 min 20 s``, ``2 h 05 min``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
