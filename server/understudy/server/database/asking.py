"""Transactions that read, bounded in time, and failures of a database as our own errors."""

import sqlite3
import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final, cast

from sqlalchemy import Connection, Engine

from understudy.server.database.engine import explain
from understudy.server.database.migrating import AWAY
from understudy.server.errors import Reason, RefusedError

LONGEST: Final = 5.0  # seconds for one question
_OPS_BETWEEN_LOOKS: Final = 20_000  # of SQLite's machine


@contextmanager
def asking(engine: Engine, told: str) -> Generator[Connection]:
    """Open a transaction that reads, for a few seconds at most.

    Raises RefusedError, which begins with what is `told`, if the database is away.
    """
    with refusing(told), engine.connect() as connection:
        if engine.dialect.name != "sqlite":
            # Without BEGIN and ROLLBACK, each of which is a question of its own: a thread beside
            # a busy event loop gets the interpreter back only slowly after each.
            yield connection.execution_options(isolation_level="AUTOCOMMIT")
            return
        driver = cast(sqlite3.Connection, connection.connection.driver_connection)
        deadline = time.monotonic() + LONGEST
        driver.set_progress_handler(lambda: time.monotonic() > deadline, _OPS_BETWEEN_LOOKS)
        try:
            yield connection
        finally:
            driver.set_progress_handler(None, 0)


@contextmanager
def refusing(told: str) -> Generator[None]:
    """Raise RefusedError, which begins with what is `told`, for what a database raises."""
    try:
        yield
    except AWAY as error:
        cause = explain(error)
        if "interrupted" in cause or "statement timeout" in cause:
            cause = "the question took too long; narrow its filter"
        raise RefusedError(Reason.STORE_UNAVAILABLE, f"{told}: {cause}", retry_after=1.0) from error
