"""Keeps questions that no index answers within bounds: so many rows of the order, and no more."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from sqlalchemy import (
    ColumnElement,
    Connection,
    TextClause,
    and_,
    exists,
    literal,
    or_,
    select,
    text,
    true,
    tuple_,
)

from understudy.server.database.conditions import beyond, ordering, where
from understudy.server.domain.record_queries import (
    AllOf,
    Condition,
    Operator,
    Place,
    Query,
    Term,
)
from understudy.server.records.cleaning import clean
from understudy.server.records.fold import PROMPT
from understudy.server.records.schema import offers, records, texts

Column = ColumnElement[Any]
Indexes = Mapping[str, Column | TextClause]

SEARCHED: Final = 4_000  # rows whose texts are looked through for one page
_SCATTERED: Final = 4  # times as long takes a row of another order than that of the table

# What has an index that goes on by `start_time`, the most telling first. That of failed calls
# holds no others, and SQLite uses it only for the very words that it was made with.
_RECORD_INDEXES: Final[Indexes] = {
    "request_id": records.c.request_id,
    "failed": text("records.reason <> ''"),
    "experiment": records.c.experiment,
}
_OFFER_INDEXES: Final[Indexes] = {
    "experiment": offers.c.experiment,
    "silent_model": offers.c.silent_model,
}


@dataclass(frozen=True, slots=True)
class Window:
    """The rows that are looked at: those that `condition` holds for, up to `last` if not all."""

    condition: ColumnElement[bool]
    last: Place | None


def find_record_window(connection: Connection, query: Query, key: Sequence[Column]) -> Window:
    """Return which records are looked at for a page."""
    return _find_window(connection, query, key, _RECORD_INDEXES)


def find_offer_window(connection: Connection, query: Query, key: Sequence[Column]) -> Window:
    """Return which offers are looked at for a page."""
    return _find_window(connection, query, key, _OFFER_INDEXES)


def record_says(words: str) -> ColumnElement[bool]:
    """Whether the prompt or the answer of a record holds some words."""
    return _says(
        words, records.c.pair_id, or_(texts.c.part == PROMPT, texts.c.part == records.c.id)
    )


def offer_says(words: str) -> ColumnElement[bool]:
    """Whether the prompt or any answer of an offer's pair holds some words."""
    return _says(words, offers.c.pair_id, true())


def _says(words: str, pair_id: Column, part: ColumnElement[bool]) -> ColumnElement[bool]:
    if not words:
        return true()
    # As they are kept: with quotes and line ends escaped.
    kept = msgspec.json.encode(clean(words)).decode()[1:-1]
    return exists(
        select(texts.c.pair_id).where(
            texts.c.pair_id == pair_id,
            part,
            ~texts.c.is_blank,
            texts.c.body.icontains(kept, autoescape=True),
        )
    )


def _find_window(
    connection: Connection, query: Query, key: Sequence[Column], indexes: Indexes
) -> Window:
    served = _served(query, key[0], indexes)
    size = _size(query)
    if size is None:
        return Window(served, None)
    row = connection.execute(
        select(*key)
        .where(beyond(query, *key), served)
        .order_by(*ordering(query, *key))
        .offset(size - 1)
        .limit(1)
    ).first()
    if row is None:
        return Window(served, None)
    value, *names = row
    here, last = tuple_(*key), tuple_(*(literal(one) for one in row))
    return Window(
        served & (here >= last if query.descending else here <= last), Place(value, *names)
    )


def _size(query: Query) -> int | None:
    size = query.looked_at
    if query.words:
        size = min(size or SEARCHED, SEARCHED)
    if size is None or query.order == "start_time":
        return size
    return max(1, size // _SCATTERED)


def _served(query: Query, start_time: Column, indexes: Indexes) -> Column:
    """Return the part of a condition that an index serves in the order that is asked for."""
    if query.order != "start_time":
        return true()
    terms = list(_terms(query.condition))
    times = [one for one in terms if one.field == "start_time"]
    found = [where(one, {"start_time": start_time}) for one in times]
    equal = {one.field: one for one in terms if _is_one(one)}
    for field, column in indexes.items():
        if field in equal:
            if not isinstance(column, TextClause):
                column = where(equal[field], {field: column})
            return and_(true(), *found, column)
    return and_(true(), *found)


def _terms(condition: Condition) -> Iterator[Term]:
    """Yield what must hold by all means."""
    if isinstance(condition, Term):
        yield condition
    elif isinstance(condition, AllOf):
        for part in condition.parts:
            yield from _terms(part)


def _is_one(term: Term) -> bool:
    """Whether a term is for one value; of flags only for what is so."""
    if term.operator is not Operator.EQUAL:
        return False
    return term.value is True or (isinstance(term.value, str) and "*" not in term.value)
