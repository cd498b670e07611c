"""Writes a batch in one transaction. Writing it again, after a failure, changes nothing more.

So a call is counted only with a record that is new. The store is asked which are only when a batch
is tried again, as it then may have kept rows without our having heard of it.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

import msgspec
from msgspec import structs
from sqlalchemy import Connection, Engine, Table, select
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, ProgrammingError, TimeoutError

from understudy.server.database.engine import writing
from understudy.server.domain.completion import Usage
from understudy.server.domain.records import Record
from understudy.server.records.batch import Batch, OfferRow, TextRow
from understudy.server.records.inserting import COMPARED, Row, insert
from understudy.server.records.rollups import Counts, add_counts
from understudy.server.records.schema import not_mirrored, offers, records, texts

T = TypeVar("T")

_CHUNK = 100  # rows handed to the driver at once


@dataclass(frozen=True, slots=True)
class _Part:
    """Rows of a table, and the records that they are, if they are any."""

    table: Table
    rows: Sequence[Row]
    records: Sequence[Record] = ()


def write(engine: Engine, batch: Batch, instance_id: str) -> int:
    """Write a batch; return how many of its rows the store refused for what they hold.

    Raises SQLAlchemyError or OSError if the store is away; then nothing was written.
    """
    was_tried, batch.was_tried = batch.was_tried, True
    try:
        with writing(engine) as connection:
            counts = Counts()
            for part in _parts(batch, instance_id):
                fresh = _fresh(connection, part, was_tried)
                insert(connection, part.table, part.rows)
                for record in fresh:
                    counts.count(record)
                time.sleep(0)  # the serving thread wants the interpreter too
            add_counts(connection, counts)
    except Exception as error:
        if _is_away(error):
            raise
        return _write_one_by_one(engine, batch, instance_id)
    return 0


def _write_one_by_one(engine: Engine, batch: Batch, instance_id: str) -> int:
    """Write all rows but those that cannot be: one of them must not keep the others out."""
    refused = 0
    counts = Counts()
    with writing(engine) as connection:
        for part in _parts(batch, instance_id):
            fresh = {record.id: record for record in _fresh(connection, part, True)}
            for row in part.rows:
                try:
                    with connection.begin_nested():
                        insert(connection, part.table, [row])
                except Exception as error:
                    if _is_away(error):
                        raise
                    refused += 1
                else:
                    if part.table is records and row["id"] in fresh:
                        counts.count(fresh[str(row["id"])])
        add_counts(connection, counts)
    return refused


def _is_away(error: Exception) -> bool:
    """Whether it is the store that fails, and not a row: then any row would."""
    if isinstance(error, DataError | IntegrityError | ProgrammingError):
        return False
    return isinstance(error, DBAPIError | TimeoutError | OSError)


def _parts(batch: Batch, instance_id: str) -> Iterator[_Part]:
    """Yield rows as they are wanted, a few at a time: to make them all would take a while."""
    left = iter(batch.records.values())
    while some := list(islice(left, _CHUNK)):
        yield _Part(records, [_record_row(one) for one in some], some)
    yield from _some(texts, batch.texts, _text_row)
    yield from _some(offers, batch.offers.values(), lambda one: _offer_row(one, instance_id))
    yield from _some(not_mirrored, batch.not_mirrored, structs.asdict)


def _some(table: Table, values: Iterable[T], make: Callable[[T], Row]) -> Iterator[_Part]:
    left = iter(values)
    while rows := [make(one) for one in islice(left, _CHUNK)]:
        yield _Part(table, rows)


def _fresh(connection: Connection, part: _Part, was_tried: bool) -> Sequence[Record]:
    """Return those records of a part that the store has not."""
    if not was_tried or not part.records:
        return part.records
    these = select(records.c.id).where(records.c.id.in_([one.id for one in part.records]))
    known = set(connection.scalars(these))
    return [one for one in part.records if one.id not in known]


def _record_row(record: Record) -> Row:
    usage = record.usage
    return {
        "id": record.id,
        "pair_id": record.pair_id,
        "role": record.role.value,
        "request_id": record.request_id,
        "caller": record.caller,
        "metadata": _write_json(record.metadata),
        "experiment": record.experiment,
        "variant": record.variant,
        "model_group": record.group,
        "deployment": record.deployment,
        "provider": record.provider,
        "model": record.model,
        "served_model": record.served_model,
        "attempt": record.attempt,
        "reason": record.reason,
        "upstream_status": record.upstream_status,
        "start_time": record.started,
        "latency": record.latency,
        "first_token_latency": record.first_token,
        "prompt_tokens": usage.prompt_tokens if usage else None,
        "completion_tokens": usage.completion_tokens if usage else None,
        "total_tokens": usage.total_tokens if usage else None,
        "token_details": _write_json(_details(usage)),
        "cost_nano_usd": record.cost,
        "finish_reason": record.finish_reason,
        "request_bytes": record.request_bytes,
        "response_bytes": record.response_bytes,
        "streamed": record.streamed,
        "effective_fraction": record.effective_fraction,
        "config_revision": record.revision,
        "text_state": record.text_state.value,
        "overridden": record.overridden,
        "warnings": _write_json(record.warnings),
        "assignment": record.assignment,
        "epoch": record.epoch,
        "key_hash": record.key_hash,
        "cost_status": record.cost_status.value,
        "cost_reason": record.cost_reason,
        "price_version": record.price_version,
    }


def _details(usage: Usage | None) -> dict[str, object]:
    if usage is None:
        return {}
    parts = {
        "prompt_tokens_details": usage.prompt_tokens_details,
        "completion_tokens_details": usage.completion_tokens_details,
    }
    return {name: part for name, part in parts.items() if part is not None}


def _write_json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _text_row(text: TextRow) -> Row:
    return {**structs.asdict(text), "size": len(text.body), "is_blank": False}


def _offer_row(offer: OfferRow, instance_id: str) -> Row:
    compared = offer.comparison
    row = structs.asdict(offer)
    del row["comparison"]
    return {
        **row,
        "outcome": offer.outcome.value if offer.outcome else None,
        "instance_id": instance_id,
        **{name: getattr(compared, name, None) for name in COMPARED},
    }
