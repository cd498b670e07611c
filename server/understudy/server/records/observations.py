"""Reads what reports are made of, as columns of some thousand rows each. Blocks.

Each chunk is a question of its own, so that no transaction is held while millions are read, and
nobody who serves waits. What is common to offers, calls and verdicts is here; what the columns
say is `reporting`'s.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

from sqlalchemy import (
    ColumnElement,
    Engine,
    FromClause,
    Row,
    Select,
    and_,
    literal,
    null,
    select,
    true,
    tuple_,
)

from understudy.server.database.asking import asking
from understudy.server.domain.record_queries import METADATA
from understudy.server.domain.records import Role
from understudy.server.domain.reports import Breakdown
from understudy.server.records.schema import records

CHUNK: Final = 20_000  # rows of one question, which take a fraction of a second
_AWAY: Final = "the records cannot be read"

Texts: TypeAlias = tuple[str | None, ...]
Wholes: TypeAlias = tuple[int | None, ...]
Flags: TypeAlias = tuple[bool | None, ...]


class Window(NamedTuple):
    """From `start` up to, not including, `end`, in microseconds since 1970."""

    start: int
    end: int


def chunks(
    engine: Engine,
    ask: Callable[[ColumnElement[bool]], Select[*tuple[Any, ...]]],
    order: tuple[ColumnElement[Any], ...],
    size: int = CHUNK,
) -> Iterator[Sequence[Row[*tuple[Any, ...]]]]:
    """Yield the rows of a question some thousands at a time, each chunk going on from the last.

    `ask` is told what holds for the rows that are left; `order` tells all rows apart, and is what
    the first columns of each row hold. Raises RefusedError if the store is away.
    """
    after: ColumnElement[bool] = true()
    while True:
        with asking(engine, _AWAY) as connection:
            rows = connection.execute(ask(after)).fetchall()
        if rows:
            yield rows
        if len(rows) < size:
            return
        place = tuple(rows[-1])[: len(order)]
        # The first part says the same, but is what an index is looked up by.
        after = and_(
            order[0] >= place[0], tuple_(*order) > tuple_(*(literal(one) for one in place))
        )


def span_of(
    engine: Engine, instant: ColumnElement[int], which: ColumnElement[bool], window: Window
) -> Window | None:
    """Return the span of the rows in a window that these are, `None` if there are none."""
    statements = [
        select(instant).where(which, within(instant, window)).order_by(order).limit(1)
        for order in (instant.asc(), instant.desc())
    ]
    with asking(engine, _AWAY) as connection:
        first, last = (connection.scalar(one) for one in statements)
    return None if first is None or last is None else Window(first, last + 1)


def within(instant: ColumnElement[int], window: Window) -> ColumnElement[bool]:
    """Return whether an instant is in a window, as SQL."""
    return and_(instant >= window.start, instant < window.end)


def first_attempts() -> FromClause:
    """Return records under the name by which the first attempts of primaries are joined."""
    return records.alias("first_attempt")


def is_first_of(primary: FromClause, pairs: FromClause) -> ColumnElement[bool]:
    """Return whether a record is the first attempt to answer the caller of a pair, as SQL."""
    return and_(
        primary.c.pair_id == pairs.c.pair_id,
        primary.c.attempt == 1,
        primary.c.role != Role.SILENT.value,
    )


def label_of(
    group_by: str,
    variant: ColumnElement[str],
    caller: ColumnElement[str],
    metadata: ColumnElement[Any],
) -> ColumnElement[Any]:
    """Return what a report's breakdown tells a row by, NULL without one."""
    if group_by == Breakdown.VARIANT.value:
        return variant
    if group_by == Breakdown.CALLER.value:
        return caller
    if group_by.startswith(METADATA):
        told: ColumnElement[Any] = metadata[group_by.removeprefix(METADATA)].as_string()
        return told
    return null()
