"""The context in which a job's script runs: its messages, its record and its errors."""

import contextlib
import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from convstudy.core import signals
from convstudy.core.errors import UserError
from convstudy.core.progress import SHOWN
from convstudy.provenance.job_records import recorded


@contextlib.contextmanager
def job(snakemake: Any, *, stoppable: bool = False) -> Iterator[None]:
    """Log a job to its log file, record it, and report errors in one line.

    The lines also go to the terminal, unless the main process shows them there.

    Args:
        snakemake: The object that Snakemake gives to a script.
        stoppable: Whether the job can stop on a signal and keep what it has done.

    Raises:
        SystemExit: With status 1 after an error: `UserError`, interruptions and system errors (such
            as a full disk) are logged in one line, unexpected ones with their traceback.
    """
    logger = logging.getLogger("convstudy")
    logger.setLevel(logging.INFO)
    logging.raiseExceptions = False
    to_terminal = logging.StreamHandler(sys.stderr)
    to_terminal.setFormatter(_RedactingFormatter(f"[{snakemake.rule}] %(message)s"))
    logger.handlers = [to_terminal]
    try:
        log = Path(str(snakemake.log))
        log.parent.mkdir(parents=True, exist_ok=True)
        to_file = _LogFile(log, mode="w", encoding="utf-8")
        to_file.setFormatter(_RedactingFormatter("%(asctime)s %(levelname)s %(message)s"))
        to_file.otherwise = to_terminal
        logger.handlers = [to_file] if SHOWN in os.environ else [to_terminal, to_file]
        if stoppable:
            signals.install()
        signals.end_with_snakemake()
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
        logger.exception("%s failed with an unexpected error", snakemake.rule)
        raise SystemExit(1) from None
    finally:
        for handler in logger.handlers:
            handler.close()
        logger.handlers = []


def _system_refused(error: OSError) -> str:
    """Describe in one line what the system refused, and what to do."""
    where = f"{error.filename}: " if error.filename else ""
    what = error.strerror or str(error)
    return (
        f"{where}{what}; no file was left half-written; check space and permissions there"
        " (df -h results), then start again: everything stored so far is kept"
    )


class _LogFile(logging.FileHandler):
    """A log file whose lines go to the terminal if they cannot be written, as on a full disk."""

    otherwise: logging.Handler

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        self.otherwise.handle(record)


class _RedactingFormatter(logging.Formatter):
    """Formats lines with the password of the studies' storage removed."""

    def format(self, record: logging.LogRecord) -> str:
        line = super().format(record)
        for secret in _secrets():
            line = line.replace(secret, "***")
        return line


def _secrets() -> list[str]:
    """Return the password in CONVSTUDY_STORAGE, as written and percent-decoded."""
    from urllib.parse import unquote

    user, at, _ = os.environ.get("CONVSTUDY_STORAGE", "").rpartition("@")
    password = user.partition("://")[2].partition(":")[2]
    return [secret for secret in {password, unquote(password)} if at and len(secret) > 2]
