"""A real PostgreSQL for the tests, where one is installed, and databases on it."""

import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

_BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"))
_MISSING = "PostgreSQL is not installed: apt-get install --no-install-recommends postgresql"


class Server:
    """A PostgreSQL on a port of its own, which may be stopped and started. Made by `server`."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.url = f"postgresql://postgres@127.0.0.1:{port}"
        self._folder = folder
        self._options = f"-p {port} -c listen_addresses=127.0.0.1 -c fsync=off -k {folder}"
        # It refuses to run as root.
        is_root = os.getuid() == 0
        self._user = pwd.getpwnam("postgres") if is_root else pwd.getpwuid(os.getuid())
        if is_root:
            shutil.chown(folder, self._user.pw_uid, self._user.pw_gid)
        self._run("initdb", "-A", "trust", "-U", "postgres", "--no-sync")

    def start(self) -> None:
        """Start; return when it can be asked."""
        log = str(self._folder / "log")
        self._run("pg_ctl", "-w", "-l", log, "-o", self._options, "start")

    def stop(self) -> None:
        """Stop at once, as a crash does; what was committed is there at the next start."""
        self._run("pg_ctl", "-w", "-m", "immediate", "stop")

    def hang(self) -> None:
        """Let it answer nothing, with its connections open and its port listening."""
        for process in self._processes():
            os.kill(process, signal.SIGSTOP)

    def go_on(self) -> None:
        """Let it answer again."""
        for process in self._processes():
            os.kill(process, signal.SIGCONT)

    def _processes(self) -> list[int]:
        """Return the postmaster, and those that it has started."""
        first = int((self._folder / "data/postmaster.pid").read_text().split()[0])
        found = [first]
        for status in Path("/proc").glob("[0-9]*/stat"):
            with suppress(OSError):  # gone meanwhile
                parent = status.read_text().rpartition(")")[2].split()[1]
                if int(parent) == first:
                    found.append(int(status.parent.name))
        return found

    def _run(self, tool: str, *arguments: str) -> None:
        # Not by Popen's own `user`, which would make it fork: gRPC's handlers, which run in a
        # child that is forked, crash it now and then where a channel is in use.
        name = self._user.pw_name
        become = ["setpriv", "--reuid", name, "--regid", str(self._user.pw_gid), "--clear-groups"]
        subprocess.run(
            [
                *(become if os.getuid() == 0 else ()),
                _BINARIES[-1].parent / tool,
                *("-D", self._folder / "data"),
                *arguments,
            ],
            cwd=self._folder,
            stdout=subprocess.DEVNULL,
            check=True,
            timeout=60,
        )


@contextmanager
def server() -> Generator[Server]:
    """A PostgreSQL that runs, and is gone afterwards. Skips the test where none is installed."""
    if not _BINARIES:
        pytest.skip(_MISSING)
    folder = Path(tempfile.mkdtemp(prefix="understudy-postgresql-"))
    try:
        one = Server(folder)
        one.start()
        try:
            yield one
        finally:
            with suppress(subprocess.CalledProcessError):  # a test has stopped it
                one.stop()
    finally:
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def postgresql() -> Generator[str]:
    """The URL of a PostgreSQL server of our own, on a free port of this machine."""
    with server() as one:
        yield one.url


@contextmanager
def database(server: str) -> Generator[str]:
    """The URL of an empty database on a server, gone afterwards."""
    name = f"understudy_{secrets.token_hex(6)}"
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        connection.execute(SQL("CREATE DATABASE {}").format(Identifier(name)))
        yield f"{server}/{name}"
        connection.execute(SQL("DROP DATABASE {} WITH (FORCE)").format(Identifier(name)))
