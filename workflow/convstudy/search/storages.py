"""Where Optuna keeps a study: a file for the workers of one machine, PostgreSQL for many machines.

A PostgreSQL URL may contain a password. It is read from the environment variable
CONVSTUDY_STORAGE, never from the config, so that it cannot leak into results, logs or the report.
"""

import contextlib
import hashlib
import json
import logging
import re
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

from convstudy.core import locks, signals
from convstudy.core.errors import UserError
from convstudy.core.files import replacing, write_text
from convstudy.core.locks import Holder, is_free, lock, say_who
from convstudy.search.settings import URL_VARIABLE, postgres_url

logger = logging.getLogger(__name__)

# Seconds between a worker's heartbeats, and of silence after which it is considered dead.
HEARTBEAT_SECONDS = 30
GRACE_SECONDS = 120
# The state with which PostgreSQL ends a statement that has waited too long for a lock.
LOCK_NOT_AVAILABLE = "55P03"
# A connection's name, which says whose it is, to those who wait for its locks.
NAME = re.compile(r"convstudy: process (\d+), job (\S*), on (.+)")
# The connection that holds an advisory lock.
HOLDER = """
SELECT application_name, to_char(xact_start AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') || ' UTC'
FROM pg_locks JOIN pg_stat_activity USING (pid)
WHERE locktype = 'advisory' AND granted AND (classid::bigint << 32) + objid::bigint = :key
"""


def this_machine() -> str:
    """Return an identifier of this machine that does not reveal its name."""
    return hashlib.sha256(socket.gethostname().encode()).hexdigest()[:8]


class FileStore:
    """A study in its own journal file, for workers on one machine."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder = folder
        self.study_name = name
        self.file = folder / "study.log"

    def open(self) -> BaseStorage:
        """Open or create the file; cut off an incomplete line left by a killed process."""
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            with lock(self.file):
                _drop_torn_line(self.file)
                _require_lines(self.file)
            return JournalStorage(JournalFileBackend(str(self.file), lock(self.file)))
        except OSError:
            raise
        except Exception as error:
            # Replaying damaged lines fails in many ways, all of which mean the same here.
            aside = self.file.with_name(f"damaged-{self.file.name}")
            raise UserError(
                f"{self.file} is damaged ({type(error).__name__}: {error}); rename it, for example"
                f" to {aside.name}: the study then starts over, reusing the stored curves"
            ) from None

    def claim(self) -> contextlib.AbstractContextManager[Any]:
        """Keep other workers from taking a trial meanwhile."""
        return lock(self.folder / "claim")

    def abandoned(self, study: optuna.Study, running: Sequence[FrozenTrial]) -> set[int]:
        """Return the numbers of running trials whose worker is gone, so that its lock is free."""
        owners = {trial.user_attrs["worker"] for trial in running}
        gone = {owner for owner in owners if is_free(self.folder / f"worker-{owner}")}
        return {trial.number for trial in running if trial.user_attrs["worker"] in gone}

    def accept(self, others: Sequence[FrozenTrial]) -> None:
        """Refuse to share the study with workers on other machines.

        Raises:
            UserError: If another worker's trial runs on a different machine.
        """
        if any(trial.user_attrs.get("machine") != this_machine() for trial in others):
            raise UserError(
                "search.storage: journal works on one machine only, but this study's workers run on"
                " several; use storage: postgresql or search.workers: 1, or keep the jobs on"
                " one node (slurm_extra: \"'--nodelist=NODE'\" in the profile)"
            )

    def copy(self, study: optuna.Study, path: Path) -> None:
        """Copy the file, which optuna-dashboard can open."""
        with replacing(path) as temporary:
            shutil.copyfile(self.file, temporary)


class PostgresStore:
    """A study in a PostgreSQL database, shared by workers on many machines.

    Args:
        folder: The study's folder. It holds a random number that is part of the study's name on
            the server, as other clones of this project may keep the same study there.

    Raises:
        UserError: If the URL is missing or malformed.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self.url = postgres_url()
        self.folder = folder
        self.name = name

    @cached_property
    def study_name(self) -> str:
        """The study's name on the server: its local name and a random number."""
        path = self.folder / "number.txt"
        with lock(path):
            if not path.is_file():
                write_text(path, f"{secrets.token_hex(4)}\n")
            return f"{self.name}_{path.read_text(encoding='utf-8').strip()}"

    @property
    def _engine_arguments(self) -> dict[str, Any]:
        from sqlalchemy.pool import NullPool

        this = Holder.this_process()
        name = f"convstudy: process {this.process}, job {this.job or ''}, on {this.node}"
        return {
            # Each query opens its own connection: hundreds of workers then need few at a time,
            # and a restart of the server does no harm.
            "poolclass": NullPool,
            # PgBouncer gives each transaction another connection to the server, on which nothing
            # is prepared, and refuses options.
            "connect_args": {
                "connect_timeout": 20,
                "prepare_threshold": None,
                # The server would cut it off, with a notice.
                "application_name": name[:63],
            },
        }

    def open(self) -> BaseStorage:
        """Connect, and create Optuna's tables if they do not exist."""
        import sqlalchemy

        # The heartbeat is used here as in `optimize`, without calling `optimize` itself.
        warnings.filterwarnings("ignore", message=".*[Hh]eartbeat", module="optuna")
        with self._plain_errors(), self._lock("tables"):
            storage = RDBStorage(
                self.url.render_as_string(hide_password=False),
                engine_kwargs=self._engine_arguments,
                heartbeat_interval=HEARTBEAT_SECONDS,
                grace_period=GRACE_SECONDS,
            )
            sqlalchemy.event.listen(storage.engine, "begin", _limit_waiting)
            return storage

    def claim(self) -> contextlib.AbstractContextManager[Any]:
        """Keep other workers from taking a trial meanwhile."""
        return self._lock(self.study_name)

    def abandoned(self, study: optuna.Study, running: Sequence[FrozenTrial]) -> set[int]:
        """Return the numbers of running trials whose worker has been silent for too long."""
        # This is the check in Optuna's own `optimize`, which is not used here.
        silent = set(study._storage._get_stale_trial_ids(study._study_id))
        return {trial.number for trial in running if trial._trial_id in silent}

    def accept(self, others: Sequence[FrozenTrial]) -> None:
        """Accept workers on any machine."""

    def copy(self, study: optuna.Study, path: Path) -> None:
        """Copy the study to a journal file, which optuna-dashboard can open."""
        with replacing(path) as temporary:
            optuna.copy_study(
                from_study_name=self.study_name,
                from_storage=study._storage,
                to_storage=JournalStorage(JournalFileBackend(str(temporary))),
            )

    @contextlib.contextmanager
    def _lock(self, what: str) -> Iterator[None]:
        """Hold an advisory lock on the server, which frees it if the connection is lost."""
        import sqlalchemy

        key = int.from_bytes(hashlib.sha256(what.encode()).digest()[:8], "big", signed=True)
        engine = sqlalchemy.create_engine(self.url, **self._engine_arguments)
        sqlalchemy.event.listen(engine, "begin", _limit_waiting)
        with self._plain_errors():
            while not (connection := self._try(engine, key)):
                signals.stop_if_asked(f"while waiting for a lock of the study {self.name}")
                say_who(f"a lock of the study {self.name}", _holder(engine, key))
            with connection:
                yield
                connection.commit()

    def _try(self, engine: Any, key: int) -> Any:
        """Return a connection that holds a lock, or None if it is taken for a minute."""
        from sqlalchemy import text
        from sqlalchemy.exc import OperationalError

        connection = engine.connect()
        try:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": key})
            return connection
        except OperationalError as error:
            connection.close()
            if getattr(error.orig, "sqlstate", None) != LOCK_NOT_AVAILABLE:
                raise
        return None

    @contextlib.contextmanager
    def _plain_errors(self) -> Iterator[None]:
        """Turn connection and server errors into one-line messages."""
        from sqlalchemy.exc import OperationalError

        try:
            yield
        except OperationalError as error:
            first = str(error.orig).strip().splitlines()[0]
            raise UserError(
                f"{URL_VARIABLE}: the PostgreSQL server there failed ({first}); make sure that it"
                " is running, accepts this machine and has the database, then start again: the"
                " study resumes"
            ) from None


def _holder(engine: Any, key: int) -> Holder | None:
    """Return who holds an advisory lock, if its connection's name says so."""
    from sqlalchemy import text

    with engine.connect() as connection:
        for name, since in connection.execute(text(HOLDER), {"key": key}):
            if whose := NAME.fullmatch(name):
                return Holder(int(whose[1]), whose[3], whose[2] or None, since)
    return None


def _limit_waiting(connection: Any) -> None:
    """Let a transaction wait for at most a minute, so that no worker waits forever.

    Not the whole session: PgBouncer gives the same one to others.
    """
    milliseconds = round(1000 * locks.SECONDS_BETWEEN_LINES)
    connection.exec_driver_sql(
        f"SET LOCAL lock_timeout = {milliseconds}; SET LOCAL tcp_keepalives_idle = 30"
    )


def _require_lines(journal: Path) -> None:
    """Raise ValueError unless each line of a journal is a JSON mapping."""
    if journal.is_file():
        for number, line in enumerate(journal.read_bytes().splitlines(), 1):
            if not isinstance(json.loads(line), dict):
                raise ValueError(f"line {number} is not a mapping")


def _drop_torn_line(journal: Path) -> None:
    """Cut off an incomplete last line that a killed process left in a journal."""
    if not journal.is_file() or not (content := journal.read_bytes()) or content.endswith(b"\n"):
        return
    end = content.rfind(b"\n") + 1
    logger.warning("%s ended in an incomplete line, which was removed", journal)
    with replacing(journal) as temporary:
        temporary.write_bytes(content[:end])
