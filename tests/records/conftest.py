"""A store for each test: SQLite in a folder, and a real PostgreSQL where one is installed."""

import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from .stores import Store

_BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"))
_MISSING = "PostgreSQL is not installed: apt-get install --no-install-recommends postgresql"


@pytest.fixture(scope="session")
def postgresql() -> Generator[str]:
    """The URL of a PostgreSQL server of our own, on a free port of this machine."""
    if not _BINARIES:
        pytest.skip(_MISSING)
    tools = _BINARIES[-1].parent
    # It refuses to run as root.
    user = pwd.getpwnam("postgres") if os.getuid() == 0 else pwd.getpwuid(os.getuid())
    folder = Path(tempfile.mkdtemp(prefix="understudy-postgresql-"))
    if os.getuid() == 0:
        shutil.chown(folder, user.pw_uid, user.pw_gid)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    data = folder / "data"

    def run(tool: str, *arguments: str) -> None:
        subprocess.run(
            [tools / tool, "-D", data, *arguments],
            user=user.pw_uid if os.getuid() == 0 else None,
            group=user.pw_gid if os.getuid() == 0 else None,
            cwd=folder,
            stdout=subprocess.DEVNULL,
            check=True,
            timeout=60,
        )

    options = f"-p {port} -c listen_addresses=127.0.0.1 -c fsync=off -k {folder}"
    run("initdb", "-A", "trust", "-U", "postgres", "--no-sync")
    run("pg_ctl", "-w", "-l", str(folder / "log"), "-o", options, "start")
    try:
        yield f"postgresql://postgres@127.0.0.1:{port}"
    finally:
        run("pg_ctl", "-w", "-m", "immediate", "stop")
        shutil.rmtree(folder)


@contextmanager
def _opening(request: pytest.FixtureRequest, folder: Path) -> Generator[Store]:
    if request.param == "sqlite":
        yield Store(folder / "state")
        return
    server: str = request.getfixturevalue("postgresql")
    name = f"understudy_{secrets.token_hex(6)}"
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        connection.execute(SQL("CREATE DATABASE {}").format(Identifier(name)))
        yield Store(folder / "state", f"{server}/{name}")
        connection.execute(SQL("DROP DATABASE {} WITH (FORCE)").format(Identifier(name)))


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[Store]:
    """An empty store."""
    with _opening(request, tmp_path) as store:
        yield store


@pytest.fixture(params=["sqlite", "postgresql"], scope="module")
def module_store(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Generator[Store]:
    """A store that the tests of a module share."""
    with _opening(request, tmp_path_factory.mktemp("store")) as store:
        yield store


@pytest.fixture
def sqlite_store(tmp_path: Path) -> Store:
    """An empty store in files, for what only files can do."""
    return Store(tmp_path / "state")
