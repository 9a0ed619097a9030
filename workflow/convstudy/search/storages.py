"""Where Optuna keeps a study: a file for the workers of one machine, PostgreSQL for many machines.

The URL of a PostgreSQL may hold a password. It comes from the environment variable
CONVSTUDY_STORAGE, never from the config, so that no result, log or report can repeat it.
"""

import contextlib
import hashlib
import json
import logging
import secrets
import shutil
import socket
import warnings
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial

from convstudy.core.errors import UserError
from convstudy.core.files import replacing, write_text
from convstudy.core.locks import is_free, lock
from convstudy.search.settings import URL_VARIABLE, postgres_url

logger = logging.getLogger(__name__)

# A worker says so often that it lives; one that has been silent for the grace period is dead.
HEARTBEAT_SECONDS = 30
GRACE_SECONDS = 120


def this_machine() -> str:
    """Tell this machine from others, without its name."""
    return hashlib.sha256(socket.gethostname().encode()).hexdigest()[:8]


class FileStore:
    """A study in a journal of its own, for workers on one machine."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder = folder
        self.study_name = name
        self.file = folder / "study.log"

    def open(self) -> BaseStorage:
        """Open the file or make it; half a line that a killed process left is cut off."""
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            with lock(self.file):
                _drop_torn_line(self.file)
                _require_lines(self.file)
            return JournalStorage(JournalFileBackend(str(self.file), lock(self.file)))
        except OSError:
            raise
        except Exception as error:
            # Replaying damaged lines fails in many ways; all mean the same here.
            aside = self.file.with_name(f"damaged-{self.file.name}")
            raise UserError(
                f"{self.file} is damaged ({type(error).__name__}: {error}); rename it, for example"
                f" to {aside.name}: the study then starts again, with the curves that are there"
            ) from None

    def claim(self) -> contextlib.AbstractContextManager[Any]:
        """Keep other workers from taking a trial meanwhile."""
        return lock(self.folder / "claim")

    def abandoned(self, study: optuna.Study, running: Sequence[FrozenTrial]) -> set[int]:
        """Give the numbers of running trials whose worker is gone: its lock is free."""
        owners = {trial.user_attrs["worker"] for trial in running}
        gone = {owner for owner in owners if is_free(self.folder / f"worker-{owner}")}
        return {trial.number for trial in running if trial.user_attrs["worker"] in gone}

    def accept(self, others: Sequence[FrozenTrial]) -> None:
        """Refuse to work beside workers on other machines.

        Raises:
            UserError: If a trial of the other workers runs elsewhere.
        """
        if any(trial.user_attrs.get("machine") != this_machine() for trial in others):
            raise UserError(
                "search.storage: journal is for workers on one machine, but this study's are"
                " on several; write storage: postgresql, or search.workers: 1, or keep the jobs on"
                " one node (slurm_extra: \"'--nodelist=NODE'\" in the profile)"
            )

    def copy(self, study: optuna.Study, path: Path) -> None:
        """Copy the file, which optuna-dashboard opens."""
        with replacing(path) as temporary:
            shutil.copyfile(self.file, temporary)


class PostgresStore:
    """A study in a PostgreSQL that workers on many machines share.

    Args:
        folder: The study's folder, which holds the study's number in the server's name for it:
            other clones of this project may keep the same study beside it.

    Raises:
        UserError: If the URL is missing or malformed.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self.url = postgres_url()
        self.folder = folder
        self.name = name

    @cached_property
    def study_name(self) -> str:
        """The study's name on the server: its name here and a random number."""
        path = self.folder / "number.txt"
        with lock(path):
            if not path.is_file():
                write_text(path, f"{secrets.token_hex(4)}\n")
            return f"{self.name}_{path.read_text(encoding='utf-8').strip()}"

    @property
    def _engine_arguments(self) -> dict[str, Any]:
        from sqlalchemy.pool import NullPool

        return {
            # A connection lasts as long as a question: hundreds of workers then need few at a
            # time, and a restarted server is met with a new one.
            "poolclass": NullPool,
            # A claim that nobody gives back within a minute is an error, no endless wait.
            "connect_args": {
                "connect_timeout": 20,
                "options": "-c lock_timeout=60000 -c tcp_keepalives_idle=30",
            },
        }

    def open(self) -> BaseStorage:
        """Connect, and make Optuna's tables if they are not there."""
        # Its heartbeat is used as `optimize` uses it, but `optimize` is not.
        warnings.filterwarnings("ignore", message=".*[Hh]eartbeat", module="optuna")
        with self._plain_errors(), self._lock("tables"):
            return RDBStorage(
                self.url.render_as_string(hide_password=False),
                engine_kwargs=self._engine_arguments,
                heartbeat_interval=HEARTBEAT_SECONDS,
                grace_period=GRACE_SECONDS,
            )

    def claim(self) -> contextlib.AbstractContextManager[Any]:
        """Keep other workers from taking a trial meanwhile."""
        return self._lock(self.study_name)

    def abandoned(self, study: optuna.Study, running: Sequence[FrozenTrial]) -> set[int]:
        """Give the numbers of running trials whose worker has been silent for too long."""
        # As Optuna's own `optimize` asks, which is not used here.
        silent = set(study._storage._get_stale_trial_ids(study._study_id))
        return {trial.number for trial in running if trial._trial_id in silent}

    def accept(self, others: Sequence[FrozenTrial]) -> None:
        """Work beside workers wherever they are."""

    def copy(self, study: optuna.Study, path: Path) -> None:
        """Copy the study to a journal file, which optuna-dashboard opens."""
        with replacing(path) as temporary:
            optuna.copy_study(
                from_study_name=self.study_name,
                from_storage=study._storage,
                to_storage=JournalStorage(JournalFileBackend(str(temporary))),
            )

    @contextlib.contextmanager
    def _lock(self, what: str) -> Iterator[None]:
        """Hold one of the server's own locks, which it frees when the connection is lost."""
        import sqlalchemy

        key = int.from_bytes(hashlib.sha256(what.encode()).digest()[:8], "big", signed=True)
        engine = sqlalchemy.create_engine(self.url, **self._engine_arguments)
        with self._plain_errors(), engine.begin() as connection:
            connection.execute(sqlalchemy.text("SELECT pg_advisory_xact_lock(:key)"), {"key": key})
            yield

    @contextlib.contextmanager
    def _plain_errors(self) -> Iterator[None]:
        """Say in a line what the server or the way to it lacks."""
        from sqlalchemy.exc import OperationalError

        try:
            yield
        except OperationalError as error:
            first = str(error.orig).strip().splitlines()[0]
            raise UserError(
                f"{URL_VARIABLE}: the PostgreSQL there does not answer as it should ({first}); see"
                " that it runs, lets this machine in and has the database; then start again: the"
                " study goes on"
            ) from None


def _require_lines(journal: Path) -> None:
    """Raise ValueError unless each line of a journal is a JSON mapping."""
    if journal.is_file():
        for number, line in enumerate(journal.read_bytes().splitlines(), 1):
            if not isinstance(json.loads(line), dict):
                raise ValueError(f"line {number} holds no mapping")


def _drop_torn_line(journal: Path) -> None:
    """Cut what a killed process left of a line at a journal's end."""
    if not journal.is_file() or not (content := journal.read_bytes()) or content.endswith(b"\n"):
        return
    whole = content.rfind(b"\n") + 1
    logger.warning("%s ended in half a line, which is cut off", journal)
    with replacing(journal) as temporary:
        temporary.write_bytes(content[:whole])
