"""Brings the tables up to date, under a lock: many processes may start on a fresh store at once."""

import time
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, Engine, inspect, select, text
from sqlalchemy.exc import OperationalError, SQLAlchemyError
from sqlalchemy.sql import column, table

from understudy.server.database.engine import TablesError, maintaining, wait_longer, writing

_PAUSE: Final = 0.05  # seconds between tries for SQLite's lock
_LONGEST_MIGRATION: Final = 600  # seconds


AWAY: Final = (SQLAlchemyError, OSError, TablesError)
"""What a database that cannot be used is known by."""


@dataclass(frozen=True, slots=True)
class Chain:
    """One keeper's migrations: where they are, and where their newest is written down.

    `lock` is any number that is the same for all processes and different for each keeper.
    """

    scripts: str  # as alembic's script_location
    version_table: str
    newest: str
    lock: int


def migrate(engine: Engine, chain: Chain, *, patience: float = 30.0) -> None:
    """Create or change the tables as needed. Raises one of AWAY."""
    deadline = time.monotonic() + patience
    while True:
        try:
            _migrate(engine, chain, patience)
            return
        except OperationalError as error:
            if engine.dialect.name != "sqlite" or "locked" not in str(error.orig):
                raise
            if time.monotonic() > deadline:
                raise
        time.sleep(_PAUSE)


def _migrate(engine: Engine, chain: Chain, patience: float) -> None:
    is_sqlite = engine.dialect.name == "sqlite"
    with engine.connect() as connection:
        if _is_current(connection, chain):
            return
    if is_sqlite:
        with maintaining(engine) as sqlite:
            # Both are kept in the file, the first only before there are tables: pages that
            # retention frees leave the file.
            sqlite.execute("PRAGMA auto_vacuum = INCREMENTAL")
            sqlite.execute("PRAGMA journal_mode = WAL")
    with writing(engine, exclusive=True) as connection:
        if not is_sqlite:
            wait_longer(connection, _LONGEST_MIGRATION)
            connection.execute(text(f"SET LOCAL lock_timeout = {int(patience * 1000)}"))
            connection.execute(text(f"SET LOCAL statement_timeout = {_LONGEST_MIGRATION * 1000}"))
            connection.execute(text(f"SELECT pg_advisory_xact_lock({chain.lock})"))
        if not _is_current(connection, chain):
            _upgrade(connection, chain)


def _is_current(connection: Connection, chain: Chain) -> bool:
    if not inspect(connection).has_table(chain.version_table):
        return False
    version = table(chain.version_table, column("version_num"))
    return connection.scalar(select(version.c.version_num)) == chain.newest


def _upgrade(connection: Connection, chain: Chain) -> None:
    # Here, because most starts need none of it.
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", chain.scripts)
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise TablesError(f"its tables are of a newer version of Understudy: {error}") from error
