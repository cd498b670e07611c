"""Opens a database: SQLite in a file, or PostgreSQL by URL.

What each database needs to be set to is here, and how its errors are told without what they
quote; which statements are run is not.
"""

import os
import sqlite3
import tempfile
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, cast

import msgspec
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import (
    ArgumentError,
    DBAPIError,
    DisconnectionError,
    InterfaceError,
    OperationalError,
)
from sqlalchemy.pool import ConnectionPoolEntry

from understudy.server.domain.deployment import Secret
from understudy.server.errors import ConfigError

PATIENCE = 2.0  # seconds to wait for another's lock
LONGEST_STATEMENT = 10.0  # seconds; PostgreSQL only, SQLite's readers bound themselves
LONGEST_CAUSE = 200  # characters
_LATE = 1.0  # seconds

_BEGIN = "understudy_begin"
_FILE = "understudy_file"


class TablesError(Exception):
    """The tables are not such as this version knows."""


_PRAGMAS = (
    # What is deleted is overwritten, not only forgotten.
    "PRAGMA secure_delete = ON",
    "PRAGMA case_sensitive_like = ON",
)


def _write_json(value: object) -> str:
    return msgspec.json.encode(value).decode()


# With the standard library's, JSON is a tenth of what it takes to write a record.
_JSON: Final[Mapping[str, Any]] = {
    "json_serializer": _write_json,
    "json_deserializer": msgspec.json.decode,
}


def open_engine(
    url: Secret | None,
    file: Path,
    setting: str,
    *,
    durable: bool = False,
    longest: float = LONGEST_STATEMENT,
    patience: float = PATIENCE,
) -> Engine:
    """Return an engine, which connects at its first use. `setting` names the URL in faults.

    `durable` is for what may not even be lost to a power cut. `longest` is how many seconds a
    statement may take, on PostgreSQL; `patience` how many it waits for another's lock. Raises
    ConfigError for a bad URL.
    """
    if url is None:
        return _open_sqlite(file, "FULL" if durable else "NORMAL", patience)
    return _open_postgresql(_read_url(url, setting), setting, longest, patience)


def describe(engine: Engine) -> str:
    """Return where the database is, for people: a path, or a URL without its password."""
    if engine.dialect.name == "sqlite":
        return engine.url.database or ""
    return engine.url.set(drivername="postgresql", query={}).render_as_string(hide_password=True)


@contextmanager
def writing(engine: Engine, *, exclusive: bool = False) -> Generator[Connection]:
    """Open a transaction that writes. It takes its lock at once, so that it can only fail then."""
    begin = "EXCLUSIVE" if exclusive else "IMMEDIATE"
    with engine.connect().execution_options(**{_BEGIN: begin}) as connection, connection.begin():
        yield connection


@contextmanager
def maintaining(engine: Engine) -> Generator[sqlite3.Connection]:
    """Take SQLite's own connection, for statements that no transaction may be around."""
    # Beside SQLAlchemy, which would say BEGIN.
    raw = engine.raw_connection()
    try:
        yield cast(sqlite3.Connection, raw.driver_connection)
    except sqlite3.OperationalError as error:
        raise OperationalError(None, None, error) from error
    finally:
        raw.close()


def explain(error: Exception) -> str:
    """Say what is wrong with the database, in the database's words where these quote no data."""
    if isinstance(error, OperationalError | InterfaceError) and error.orig is not None:
        lines = str(error.orig).strip().splitlines()
        return lines[0][:LONGEST_CAUSE] if lines else type(error.orig).__name__
    if isinstance(error, DBAPIError) and isinstance(error.orig, sqlite3.DatabaseError):
        return str(error.orig)[:LONGEST_CAUSE]  # "file is not a database": SQLite quotes no data
    if isinstance(error, TablesError):
        return str(error)
    if isinstance(error, OSError):
        return f"{error.strerror}: {error.filename}"
    return type(error).__name__


def _open_sqlite(path: Path, synchronous: str, patience: float) -> Engine:
    engine = create_engine(
        URL.create("sqlite+pysqlite", database=str(path)),
        connect_args={"timeout": patience},
        pool_timeout=PATIENCE,
        hide_parameters=True,
        **_JSON,
    )

    def prepare(*_: object) -> None:
        if not path.exists():
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            _create(path)

    def set_up(connection: sqlite3.Connection, record: ConnectionPoolEntry) -> None:
        record.info[_FILE] = _identify(path)
        connection.isolation_level = None  # we say BEGIN ourselves; the driver would at odd times
        # With a write-ahead log, a crash of the process loses nothing committed even at NORMAL.
        connection.execute(f"PRAGMA synchronous = {synchronous}")
        for pragma in _PRAGMAS:
            connection.execute(pragma)

    def lend(_: object, record: ConnectionPoolEntry, __: object) -> None:
        # Whoever restores the file from a copy puts another in its place; SQLite would go on
        # with the one that has no name any more, and with it would go what is written.
        if record.info[_FILE] != _identify(path):
            raise DisconnectionError("another file has taken its place")

    def begin(connection: Connection) -> None:
        mode = connection.get_execution_options().get(_BEGIN, "DEFERRED")
        connection.exec_driver_sql(f"BEGIN {mode}")

    event.listen(engine, "do_connect", prepare)
    event.listen(engine, "connect", set_up)
    event.listen(engine, "checkout", lend)
    event.listen(engine, "begin", begin)
    return engine


def _identify(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _create(path: Path) -> None:
    """Create an empty database that is its owner's alone; SQLite's companions take its mode.

    By a link to a file that is closed already: closing the database itself, if only once, would
    drop all locks that this process has on it (POSIX), those of SQLite too.
    """
    file, name = tempfile.mkstemp(prefix=f"{path.name}-", dir=path.parent)
    os.close(file)
    empty = Path(name)
    try:
        path.hardlink_to(empty)
    except FileExistsError:
        pass  # another was first
    finally:
        empty.unlink()


def _open_postgresql(url: URL, setting: str, longest: float, patience: float) -> Engine:
    try:
        from understudy.server.database.patience import PING, PatientConnection

        engine = create_engine(
            url,
            connect_args={
                "connect_timeout": 5,
                "keepalives_idle": 30,
                "tcp_user_timeout": int(longest * 1000),
                "application_name": "understudy",
            },
            pool_pre_ping=True,
            pool_timeout=PATIENCE,
            hide_parameters=True,
            **_JSON,
        )
    except ModuleNotFoundError as error:
        raise ConfigError(
            [f"{setting}: PostgreSQL needs: pip install 'understudy[postgres]'"]
        ) from error

    def set_up(connection: Any, _: object) -> None:
        connection.autocommit = True
        connection.execute(f"SET statement_timeout = {int(longest * 1000)}")
        connection.execute(f"SET lock_timeout = {int(patience * 1000)}")
        connection.autocommit = False

    def connect(_: object, __: object, arguments: list[Any], options: dict[str, Any]) -> Any:
        return PatientConnection.connect(*arguments, **options)

    def lend(connection: PatientConnection, *_: object) -> None:
        connection.longest = longest + _LATE  # PostgreSQL itself says sooner what takes so long

    def take_back(connection: PatientConnection | None, _: object) -> None:
        if connection is not None:
            connection.longest = PING

    event.listen(engine, "do_connect", connect)
    event.listen(engine, "connect", set_up)
    event.listen(engine, "checkout", lend)
    event.listen(engine, "checkin", take_back)
    return engine


def wait_longer(connection: Connection, seconds: float) -> None:
    """Let statements on a connection to PostgreSQL take this long, until it is given back."""
    cast(Any, connection.connection.driver_connection).longest = seconds + _LATE


def _read_url(secret: Secret, setting: str) -> URL:
    try:
        url = make_url(secret.value)
    except (ArgumentError, ValueError) as error:
        raise ConfigError(
            [f"{setting}: is no URL such as postgresql://user@host/database"]
        ) from error.with_traceback(None)
    if url.drivername not in ("postgresql", "postgres", "postgresql+psycopg"):
        raise ConfigError([f"{setting}: must begin with postgresql://; leave it out for SQLite"])
    return url.set(drivername="postgresql+psycopg")
