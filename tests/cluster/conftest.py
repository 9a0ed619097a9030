"""Real services for these tests: a SLURM of two nodes, and PostgreSQL servers."""

import os
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from helpers.pipeline import slurm_python

HERE = Path(__file__).parent
OPT_IN = "CONVSTUDY_TEST_CLUSTER"
NOT_HERE = 77


def _run_script(name: str, *arguments: str) -> None:
    """Run a script that sets up a service, or skip if this machine cannot run it."""
    if not os.environ.get(OPT_IN):
        pytest.skip(f"{OPT_IN}=1 is not set, which lets the tests install and start {name}")
    done = subprocess.run(
        [HERE / f"start_{name}.sh", *arguments], stderr=subprocess.PIPE, text=True
    )
    if done.returncode == NOT_HERE:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="session")
def slurm() -> None:
    """Start SLURM, with two CPUs and a fake GPU on each of two nodes; it keeps running."""
    slurm_python()
    _run_script("slurm", "2")


class Postgres:
    """A dedicated server.

    Attributes:
        url: The URL with user and password.
        bouncers_url: That of PgBouncer, which pools transactions.
        password: The password in it, decoded.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.password = f"p:/@%{{{secrets.token_hex(8)}"
        with socket.socket() as probe, socket.socket() as other:
            for one in (probe, other):
                one.bind(("127.0.0.1", 0))
            ports = [one.getsockname()[1] for one in (probe, other)]
        quoted = quote(self.password, safe="")
        self.url, self.bouncers_url = (
            f"postgresql://convstudy:{quoted}@127.0.0.1:{port}/postgres" for port in ports
        )
        _run_script("postgres", str(folder), str(ports[0]), self.password, str(ports[1]))

    def stop(self, how: str = "fast") -> None:
        subprocess.run([self.folder / "stop", how], check=True)

    def start(self) -> None:
        subprocess.run([self.folder / "start"], check=True)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Postgres]:
    # Not in pytest's own folder, which only its owner may enter.
    folder = Path(tempfile.mkdtemp(prefix="convstudy-postgres-"))
    folder.chmod(0o711)
    try:
        server = Postgres(folder / "server")
        yield server
        server.stop("immediate")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgres(postgres_server: Postgres, monkeypatch: pytest.MonkeyPatch) -> Postgres:
    """Point CONVSTUDY_STORAGE to a running server."""
    monkeypatch.setenv("CONVSTUDY_STORAGE", postgres_server.url)
    return postgres_server
