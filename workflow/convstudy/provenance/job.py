"""What a job says: one line a step, in its log and in the terminal."""

import contextlib
import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from convstudy.core import signals
from convstudy.core.errors import UserError
from convstudy.provenance.job_records import recorded


@contextlib.contextmanager
def job(snakemake: Any, *, stoppable: bool = False) -> Iterator[None]:
    """Send the library's messages to a job's log and to the terminal, record it, and end it well.

    Args:
        stoppable: Whether the job keeps what it has done when a signal asks it to stop.

    Raises:
        SystemExit: With status 1 after a `UserError`, an interruption, or what the system refuses
            (a full disk, for example), each of which is one line.
    """
    logger = logging.getLogger("convstudy")
    logger.setLevel(logging.INFO)
    # A log that cannot be written, on a full disk for example, must not hide what happens.
    logging.raiseExceptions = False
    to_terminal = logging.StreamHandler(sys.stderr)
    to_terminal.setFormatter(_RedactingFormatter(f"[{snakemake.rule}] %(message)s"))
    logger.handlers = [to_terminal]
    try:
        log = Path(str(snakemake.log))
        log.parent.mkdir(parents=True, exist_ok=True)
        to_file = logging.FileHandler(log, mode="w", encoding="utf-8")
        to_file.setFormatter(_RedactingFormatter("%(asctime)s %(levelname)s %(message)s"))
        logger.handlers.append(to_file)
        if stoppable:
            signals.install()
        with recorded(snakemake):
            yield
    except UserError as error:
        logger.error("%s", error)
        raise SystemExit(1) from None
    except signals.Interrupted as reason:
        logger.warning("%s", reason)
        raise SystemExit(1) from None
    except OSError as error:
        logger.error("%s", _system_refused(error))
        raise SystemExit(1) from None
    except Exception:
        logger.exception("%s stopped on an error that it does not know", snakemake.rule)
        raise SystemExit(1) from None
    finally:
        for handler in logger.handlers:
            handler.close()
        logger.handlers = []


def _system_refused(error: OSError) -> str:
    """Say in a line what the system refused, and what to do."""
    where = f"{error.filename}: " if error.filename else ""
    what = error.strerror or str(error)
    return (
        f"{where}{what}; no file was left half-written; see to space and permissions there"
        " (df -h results), then start again: all that was stored is kept"
    )


class _RedactingFormatter(logging.Formatter):
    """Writes lines without the password of the studies' storage."""

    def format(self, record: logging.LogRecord) -> str:
        line = super().format(record)
        for secret in _secrets():
            line = line.replace(secret, "***")
        return line


def _secrets() -> list[str]:
    """Give the password in CONVSTUDY_STORAGE, as it stands there and decoded."""
    from urllib.parse import unquote

    user, at, _ = os.environ.get("CONVSTUDY_STORAGE", "").rpartition("@")
    password = user.partition("://")[2].partition(":")[2]
    return [one for one in {password, unquote(password)} if at and len(one) > 2]
