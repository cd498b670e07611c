"""The statements that write rows of records, each compiled once for a kind of database.

SQLAlchemy writes them, and the driver takes the rows as they are: what SQLAlchemy would do besides
to each row costs as much as the database itself. So columns of JSON are handed in as text.
"""

import sqlite3
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final

from sqlalchemy import Connection, Dialect, Table, Text, literal_column, or_
from sqlalchemy.dialects import postgresql, sqlite

from understudy.server.domain.mirroring import Outcome
from understudy.server.records.schema import offers

# Values by the names of columns, as the driver takes them.
Row = Mapping[str, object]

# How two answers differ, of an offer's columns.
COMPARED: Final = (
    "equal",
    "normalized_equal",
    "both_json",
    "primary_schema_valid",
    "silent_schema_valid",
    "same_tool_calls",
    "primary_length",
    "silent_length",
    "similarity",
)

# What an end tells of an offer; the rest was said when it was made.
_END_COLUMNS: Final = (
    "end_time",
    "outcome",
    "reason",
    "fraction",
    "record_id",
    *COMPARED,
    "latency_difference",
    "cost_difference",
    "length_difference",
)

_MOST_AT_ONCE: Final = 64  # rows of one statement
# Values of one statement that any SQLite of that age takes.
_MOST_VALUES: Final = 32_766 if sqlite3.sqlite_version_info >= (3, 32) else 999


def insert(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Write rows that all have the same columns; those that are there already stay as they are.

    But the end of an offer is added to it, once.
    """
    if not rows:
        return
    dialect = connection.dialect
    # In the order that SQLAlchemy writes them in.
    columns = tuple(one.name for one in table.columns if one.name in rows[0])
    if dialect.name == "postgresql":
        # The driver sends one after the other without waiting for what comes of it.
        connection.exec_driver_sql(_compile(dialect, table, columns), list(rows))
        return
    # SQLite's driver lets go of the interpreter for each statement that it runs, and where another
    # thread is busy it waits 5 ms to have it back. So many rows are one statement; of few sizes,
    # because the database compiles each anew.
    most = min(_MOST_AT_ONCE, _MOST_VALUES // len(columns))
    begun = 0
    while begun < len(rows):
        count = 1 << min(most, len(rows) - begun).bit_length() - 1
        some = rows[begun : begun + count]
        values = tuple(row[name] for row in some for name in columns)
        connection.exec_driver_sql(_compile(dialect, table, columns, count), values)
        begun += count


@lru_cache(maxsize=100)
def _compile(dialect: Dialect, table: Table, columns: tuple[str, ...], count: int = 1) -> str:
    # Two statements of one meaning and of unrelated types.
    statement = _settle(
        table,
        postgresql.insert(table) if dialect.name == "postgresql" else sqlite.insert(table),
    )
    one = str(statement.compile(dialect=dialect, column_keys=list(columns)))
    places = f"({', '.join('?' * len(columns))})"
    return one.replace(places, ", ".join([places] * count), 1)


def _settle(
    table: Table, statement: postgresql.Insert | sqlite.Insert
) -> postgresql.Insert | sqlite.Insert:
    """Say what becomes of rows that are there already."""
    if table is not offers:
        return statement.on_conflict_do_nothing()
    lost = literal_column(f"'{Outcome.LOST.value}'", Text)
    return statement.on_conflict_do_update(
        index_elements=["pair_id", "silent_model"],
        set_={name: statement.excluded[name] for name in _END_COLUMNS},
        # An end is final; but one that others took for lost may still come.
        where=statement.excluded.outcome.is_not(None)
        & or_(offers.c.outcome.is_(None), offers.c.outcome == lost),
    )
