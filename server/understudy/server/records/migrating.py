"""Brings the tables up to date, under a lock: many processes may start on a fresh store at once."""

import time
from typing import Final

from sqlalchemy import Connection, Engine, inspect, select, text
from sqlalchemy.exc import OperationalError, SQLAlchemyError
from sqlalchemy.sql import column, table

from understudy.server.records.engine import TablesError, maintaining, writing
from understudy.server.records.schema import NEWEST, VERSION_TABLE

_ADVISORY_LOCK: Final = 0x756E6472_72656373  # any number, the same for all of us
_PAUSE: Final = 0.05  # seconds between tries for SQLite's lock
_LONGEST_MIGRATION: Final = 600  # seconds


AWAY: Final = (SQLAlchemyError, OSError, TablesError)
"""What a store that cannot be used is known by."""


def migrate(engine: Engine, *, patience: float = 30.0) -> None:
    """Create or change the tables as needed. Raises one of AWAY."""
    deadline = time.monotonic() + patience
    while True:
        try:
            _migrate(engine, patience)
            return
        except OperationalError as error:
            if engine.dialect.name != "sqlite" or "locked" not in str(error.orig):
                raise
            if time.monotonic() > deadline:
                raise
        time.sleep(_PAUSE)


def _migrate(engine: Engine, patience: float) -> None:
    is_sqlite = engine.dialect.name == "sqlite"
    with engine.connect() as connection:
        if _is_current(connection):
            return
    if is_sqlite:
        with maintaining(engine) as sqlite:
            # Both are kept in the file, the first only before there are tables: pages that
            # retention frees leave the file.
            sqlite.execute("PRAGMA auto_vacuum = INCREMENTAL")
            sqlite.execute("PRAGMA journal_mode = WAL")
    with writing(engine, exclusive=True) as connection:
        if not is_sqlite:
            connection.execute(text(f"SET LOCAL lock_timeout = {int(patience * 1000)}"))
            connection.execute(text(f"SET LOCAL statement_timeout = {_LONGEST_MIGRATION * 1000}"))
            connection.execute(text(f"SELECT pg_advisory_xact_lock({_ADVISORY_LOCK})"))
        if not _is_current(connection):
            _upgrade(connection)


def _is_current(connection: Connection) -> bool:
    if not inspect(connection).has_table(VERSION_TABLE):
        return False
    version = table(VERSION_TABLE, column("version_num"))
    return connection.scalar(select(version.c.version_num)) == NEWEST


def _upgrade(connection: Connection) -> None:
    # Here, because most starts need none of it.
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", "understudy.server.records:migrations")
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise TablesError(f"its tables are of a newer version of Understudy: {error}") from error
