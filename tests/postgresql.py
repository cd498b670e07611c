"""A real PostgreSQL for the tests, where one is installed, and databases on it."""

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
def database(server: str) -> Generator[str]:
    """The URL of an empty database on a server, gone afterwards."""
    name = f"understudy_{secrets.token_hex(6)}"
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        connection.execute(SQL("CREATE DATABASE {}").format(Identifier(name)))
        yield f"{server}/{name}"
        connection.execute(SQL("DROP DATABASE {} WITH (FORCE)").format(Identifier(name)))
