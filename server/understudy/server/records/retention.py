"""Deletes what is past its time, or too much, in small steps; and sees that it is really gone.

With SQLite, what is deleted is overwritten, its pages leave the file, and the log is emptied. PostgreSQL
does the like by itself (autovacuum).
"""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Engine,
    Table,
    delete,
    func,
    select,
    text,
    tuple_,
)

from understudy.server.config.settings import RetentionSettings
from understudy.server.database.engine import maintaining, writing
from understudy.server.domain.figures import Step
from understudy.server.records.erasing import erase_texts
from understudy.server.records.rollups import MINUTES_KEPT
from understudy.server.records.schema import (
    feedback,
    instances,
    not_mirrored,
    offers,
    ratings,
    records,
    rollups,
    spend_leases,
    texts,
)

STEP: Final = 500  # rows of each table
FREED_PAGES: Final = 2000  # that leave the file in one step
_EXCESS: Final = 0.05  # of the limit is deleted beyond it, so that not every minute begins anew

# How much a row takes with its indexes, where the database does not say what is in use.
_ROW_BYTES: Final = ((records, 900), (offers, 600), (not_mirrored, 200), (feedback, 500))


@dataclass(slots=True)
class Retention:
    """Keeps a store within its limits. Call `step` until it returns False, then again later."""

    engine: Engine
    settings: RetentionSettings
    _shrinking: bool = False
    _deleted: bool = False

    def step(self, now: int) -> bool:
        """Do a little; return whether there is more to do. Raises SQLAlchemyError."""
        with writing(self.engine) as connection:
            deleted = self._delete_old(connection, now) or self._delete_much(connection)
        if deleted:
            self._deleted = True
            return True
        if self._deleted:
            return self._clean_up()
        return False

    def _delete_old(self, connection: Connection, now: int) -> int:
        content = now - round(self.settings.content * 1e6)
        metadata = now - round(self.settings.metadata * 1e6)
        return (
            _delete_texts(connection, max(content, metadata))
            + _delete_metadata(connection, metadata)
            + _delete_rollups(connection, Step.MINUTE, now - MINUTES_KEPT)
            + _delete(connection, instances, instances.c.end_time, metadata)
            # By their end: until then they count, however long a window is.
            + _delete(connection, spend_leases, spend_leases.c.window_end, metadata)
        )

    def _delete_much(self, connection: Connection) -> int:
        limit = self.settings.size
        enough = limit * (1 - _EXCESS) if self._shrinking else limit
        excess = _used_bytes(connection) - enough
        self._shrinking = excess > 0
        cutoff = _oldest(connection, excess) if self._shrinking else None
        if cutoff is None:
            return 0
        return _delete_texts(connection, cutoff) + _delete_metadata(connection, cutoff)

    def _clean_up(self) -> bool:
        """Take what was deleted out of the files; return whether some of it is left."""
        if self.engine.dialect.name != "sqlite":
            self._deleted = False
            return False
        with maintaining(self.engine) as sqlite:
            # As a script, because it hands out a row without columns for each page that it frees,
            # and the driver would stop at the first.
            sqlite.executescript(f"PRAGMA incremental_vacuum({FREED_PAGES})")
            if sqlite.execute("PRAGMA freelist_count").fetchone()[0]:
                return True
            # Busy if somebody reads just now: then the next round empties the log.
            busy = sqlite.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        self._deleted = bool(busy)
        return False


def _delete_texts(connection: Connection, cutoff: int) -> int:
    if connection.dialect.name == "sqlite":
        return erase_texts(connection, cutoff, STEP)
    return _delete(connection, texts, texts.c.create_time, cutoff)


def _delete_metadata(connection: Connection, cutoff: int) -> int:
    return (
        sum(_delete_rollups(connection, span, cutoff) for span in (Step.MINUTE, Step.HOUR))
        + _delete(connection, records, records.c.start_time, cutoff)
        + _delete(connection, offers, offers.c.start_time, cutoff)
        + _delete(connection, ratings, ratings.c.start_time, cutoff)
        + _delete(connection, feedback, feedback.c.start_time, cutoff)
        + _delete(connection, not_mirrored, not_mirrored.c.start_time, cutoff)
    )


def _delete_rollups(connection: Connection, span: Step, cutoff: int) -> int:
    """Delete spans that ended before an instant."""
    of_span = rollups.c.span == span.value
    return _delete(connection, rollups, rollups.c.start_time, cutoff - span.value + 1, of_span)


def _delete(
    connection: Connection,
    table: Table,
    column: Column[int],
    cutoff: int,
    *conditions: ColumnElement[bool],
) -> int:
    keys = tuple(table.primary_key.columns)
    some = select(*keys).where(column < cutoff, *conditions).order_by(column).limit(STEP)
    if table is offers:
        some = some.where(offers.c.outcome.is_not(None))
    return connection.execute(delete(table).where(tuple_(*keys).in_(some))).rowcount


def _used_bytes(connection: Connection) -> int:
    if connection.dialect.name == "sqlite":
        pages, free, size = (
            connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
            for name in ("page_count", "freelist_count", "page_size")
        )
        return int((pages - free) * size)
    # What PostgreSQL's files hold says little: they do not shrink.
    used = int(connection.scalar(select(func.sum(texts.c.size))) or 0)
    for table, width in _ROW_BYTES:
        # An estimate: to count many millions would take longer than anybody should wait.
        rows = connection.scalar(
            text("SELECT reltuples FROM pg_class WHERE oid = to_regclass(:name)"),
            {"name": table.name},
        )
        used += width * max(0, int(rows or 0))
    return used


def _oldest(connection: Connection, excess: float) -> int | None:
    """Return an instant before which lies what is too much, or one step's worth of it.

    A record has fewer than four texts, so that a step takes these along.
    """
    words = (
        select(func.coalesce(func.sum(texts.c.size), 0))
        .where(texts.c.pair_id == records.c.pair_id)
        .scalar_subquery()
    )
    cutoff: int | None = None
    oldest = select(records.c.start_time, words).order_by(records.c.start_time).limit(STEP // 4)
    for start, size in connection.execute(oldest):
        cutoff = start + 1
        excess -= _ROW_BYTES[0][1] + int(size)
        if excess <= 0:
            break
    return cutoff
