"""Answers questions about records and pairs. Blocks: ask in a thread, never on an event loop."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, TypeVar

import msgspec
from sqlalchemy import Connection, Engine, and_, exists, func, or_, select, tuple_

from understudy.server.database.asking import asking
from understudy.server.database.conditions import beyond, ordering, where
from understudy.server.domain.chat import Message
from understudy.server.domain.completion import Choice
from understudy.server.domain.feedback import Feedback
from understudy.server.domain.record_queries import Found, Place, Query
from understudy.server.domain.records import Kept, Pair, Record, Role, SilentSide, Texts, TextState
from understudy.server.records.conditions import (
    PAIR_COLUMNS,
    PAIR_ORDER_COLUMNS,
    RECORD_COLUMNS,
    RECORD_ORDER_COLUMNS,
    pair_columns,
)
from understudy.server.records.feedback import read_feedback
from understudy.server.records.fold import PROMPT
from understudy.server.records.rows import Row, read_record, read_silent_side
from understudy.server.records.schema import not_mirrored, offers, records, texts
from understudy.server.records.searching import (
    Window,
    find_offer_window,
    find_record_window,
    offer_says,
    record_says,
)

MOST_TEXT: Final = 8 * 1024 * 1024  # characters of texts in one page
_AWAY: Final = "the records cannot be read"
_AT_ONCE: Final = 500  # names in one IN

_MESSAGES = msgspec.json.Decoder(tuple[Message, ...])
_CHOICES = msgspec.json.Decoder(tuple[Choice, ...])

T = TypeVar("T")
Ledger = Mapping[str, Counter[str]]


class Reader:
    """Reads a store, from any thread. Each method raises RefusedError if the store is away."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def list_records(self, query: Query, *, with_texts: bool) -> Found[Kept]:
        """Return a page of records."""
        order = RECORD_ORDER_COLUMNS[query.order]
        key = order, records.c.id
        statement = (
            select(records, order.label("place"))
            .where(
                where(query.condition, RECORD_COLUMNS),
                beyond(query, *key),
                record_says(query.words),
            )
            .order_by(*ordering(query, *key))
            .limit(query.limit + 1)
        )
        with asking(self._engine, _AWAY) as connection:
            window = find_record_window(connection, query, key)
            rows = connection.execute(statement.where(window.condition)).mappings().all()
            page = rows[: query.limit]
            kept = _keep(connection, [read_record(row) for row in page], with_texts)
        items = tuple(
            (one, Place(row["place"], row["id"])) for one, row in zip(kept, page, strict=True)
        )
        return _found(items, rows, query, window)

    def list_pairs(self, query: Query, *, with_texts: bool) -> Found[Pair]:
        """Return a page of pairs.

        A pair stands where the first of its silent models stands that meets the condition.
        """
        order = PAIR_ORDER_COLUMNS[query.order]
        key = order, offers.c.pair_id, offers.c.silent_model
        statement = (
            select(offers.c.pair_id, offers.c.silent_model, order.label("place"))
            .where(
                where(query.condition, PAIR_COLUMNS),
                beyond(query, *key),
                ~_has_earlier_sibling(query),
                offer_says(query.words),
            )
            .order_by(*ordering(query, *key))
            .limit(query.limit + 1)
        )
        with asking(self._engine, _AWAY) as connection:
            window = find_offer_window(connection, query, key)
            rows = connection.execute(statement.where(window.condition)).mappings().all()
            page = rows[: query.limit]
            pairs = _read_pairs(connection, [row["pair_id"] for row in page], with_texts)
        items = tuple(
            (pairs[row["pair_id"]], Place(row["place"], row["pair_id"], row["silent_model"]))
            for row in page
        )
        return _found(items, rows, query, window)

    def get_pair(self, pair_id: str, *, with_texts: bool) -> Pair | None:
        """Return what is known of one request, `None` if nothing is."""
        with asking(self._engine, _AWAY) as connection:
            pair = _read_pairs(connection, [pair_id], with_texts)[pair_id]
        return pair if pair.primary or pair.silents else None

    def count_outcomes(self) -> Ledger:
        """Return, by silent model, how many offers ended how; UNDER_WAY are those that did not."""
        counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
        statement = select(offers.c.silent_model, offers.c.outcome, func.count()).group_by(
            offers.c.silent_model, offers.c.outcome
        )
        with asking(self._engine, _AWAY) as connection:
            for model, outcome, count in connection.execute(statement):
                counts[model][outcome or "UNDER_WAY"] = count
        return dict(counts)

    def count_not_mirrored(self) -> Ledger:
        """Return, by silent model, how many requests were not offered for which reason."""
        counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
        statement = select(
            not_mirrored.c.silent_model, not_mirrored.c.reason, func.count()
        ).group_by(not_mirrored.c.silent_model, not_mirrored.c.reason)
        with asking(self._engine, _AWAY) as connection:
            for model, reason, count in connection.execute(statement):
                counts[model][reason] = count
        return dict(counts)


def _found(
    items: tuple[tuple[T, Place], ...], rows: Sequence[Row], query: Query, window: Window
) -> Found[T]:
    if len(rows) > query.limit:
        return Found(items, has_more=True)
    return Found(items, has_more=False, reached=window.last)


def _has_earlier_sibling(query: Query) -> Any:
    """Whether another silent model of the same pair meets the condition and comes before."""
    other = offers.alias("sibling")
    order = other.c[query.order]
    own = tuple_(PAIR_ORDER_COLUMNS[query.order], offers.c.silent_model)
    its = tuple_(order, other.c.silent_model)
    return exists(
        select(other.c.pair_id).where(
            other.c.pair_id == offers.c.pair_id,
            where(query.condition, pair_columns(other)),
            order.is_not(None),
            its > own if query.descending else its < own,
        )
    )


def _read_pairs(
    connection: Connection, pair_ids: Sequence[str], with_texts: bool
) -> dict[str, Pair]:
    found: list[Record] = []
    sides: list[Row] = []
    for some in _chunks(pair_ids):
        by_pair = select(records).where(records.c.pair_id.in_(some)).order_by(records.c.start_time)
        found += [read_record(row) for row in connection.execute(by_pair).mappings()]
        by_name = select(offers).where(offers.c.pair_id.in_(some)).order_by(offers.c.silent_model)
        sides += connection.execute(by_name).mappings().all()
    kept = {one.record.id: one for one in _keep(connection, found, with_texts)}
    primaries: defaultdict[str, list[Kept]] = defaultdict(list)
    silent_ids = {row["record_id"] for row in sides}
    for record in found:
        if record.id not in silent_ids:
            primaries[record.pair_id].append(kept[record.id])
    silents: defaultdict[str, list[SilentSide]] = defaultdict(list)
    for row in sides:
        silents[row["pair_id"]].append(read_silent_side(row, kept.get(row["record_id"])))
    return {one: Pair(one, tuple(primaries[one]), tuple(silents[one])) for one in pair_ids}


def _keep(connection: Connection, found: Sequence[Record], with_texts: bool) -> list[Kept]:
    """Return records with what is said of them and their texts, as many as one page carries."""
    said: dict[tuple[str, str], tuple[Feedback, ...]] = {}
    for pairs in _chunks(sorted({one.pair_id for one in found})):
        said |= read_feedback(connection, pairs)
    kept = [one for one in found if one.text_state is TextState.KEPT]
    if not with_texts or not kept:
        return [Kept(one, feedback=_about(one, said)) for one in found]
    wanted = _choose_texts(connection, kept)
    bodies: dict[tuple[str, str], str] = {}
    for some in _chunks([key for key, is_chosen in wanted.items() if is_chosen]):
        statement = select(texts.c.pair_id, texts.c.part, texts.c.body).where(
            ~texts.c.is_blank,
            or_(*(and_(texts.c.pair_id == pair, texts.c.part == part) for pair, part in some)),
        )
        bodies |= {(pair, part): body for pair, part, body in connection.execute(statement)}
    return [Kept(one, _read_texts(one, wanted, bodies), _about(one, said)) for one in found]


def _about(
    record: Record, said: Mapping[tuple[str, str], tuple[Feedback, ...]]
) -> tuple[Feedback, ...]:
    """Return what is said of an answer; a call that failed gave none."""
    if record.reason:
        return ()
    return said.get((record.pair_id, record.group if record.role is Role.SILENT else ""), ())


def _choose_texts(connection: Connection, kept: Iterable[Record]) -> Mapping[tuple[str, str], bool]:
    """Return the texts that there are of these records, and of each whether it fits the page."""
    sizes: dict[tuple[str, str], int] = {}
    for some in _chunks(sorted({one.pair_id for one in kept})):
        statement = select(texts.c.pair_id, texts.c.part, texts.c.size).where(
            texts.c.pair_id.in_(some), ~texts.c.is_blank
        )
        sizes |= {(pair, part): size for pair, part, size in connection.execute(statement)}
    chosen: dict[tuple[str, str], bool] = {}
    room = MOST_TEXT
    for record in kept:
        for key in ((record.pair_id, PROMPT), (record.pair_id, record.id)):
            if key in sizes and key not in chosen:
                chosen[key] = sizes[key] <= room
                room -= sizes[key] if chosen[key] else 0
    return chosen


def _read_texts(
    record: Record,
    wanted: Mapping[tuple[str, str], bool],
    bodies: Mapping[tuple[str, str], str],
) -> Texts:
    prompt, answer = (record.pair_id, PROMPT), (record.pair_id, record.id)
    return Texts(
        _MESSAGES.decode(bodies[prompt]) if prompt in bodies else None,
        _CHOICES.decode(bodies[answer]) if answer in bodies else None,
        too_many=not wanted.get(prompt, True) or not wanted.get(answer, True),
    )


def _chunks(all_of_them: Sequence[T]) -> Iterable[Sequence[T]]:
    return (all_of_them[start : start + _AT_ONCE] for start in range(0, len(all_of_them), _AT_ONCE))
