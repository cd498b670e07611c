"""What a list of calls finds, as a file: JSON lines or CSV, written while it is read."""

import csv
import io
import time
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Final

import msgspec
from starlette.responses import Response, StreamingResponse

from understudy.server.dashboard import calls
from understudy.server.dashboard.lists import LOOKED_AT, read_asked
from understudy.server.dashboard.page import Page
from understudy.server.dashboard.pages.logs import SORTS, read_condition, records_of
from understudy.server.dashboard.visit import Visit
from understudy.server.domain.record_queries import Found, Query
from understudy.server.domain.records import Kept
from understudy.server.errors import RefusedError, RequestError
from understudy.server.questions.text_absence import tell_absence

MOST_ROWS: Final = 50_000
_AT_ONCE: Final = (500, 50, 4)  # rows; fewer where their texts together are too many
_SECONDS: Final = 45.0  # less than the dashboard gives any answer

_COLUMNS: Final = (
    "start_time", "pair_id", "id", "role", "attempt", "request_id", "caller", "metadata",
    "experiment", "variant", "epoch", "assignment", "overridden", "model_group", "deployment",
    "provider", "model", "served_model", "reason", "upstream_status", "finish_reason",
    "latency_us", "first_token_us", "prompt_tokens", "completion_tokens", "total_tokens",
    "cost_nano_usd", "cost_status", "cost_reason", "price_version", "request_bytes", "response_bytes", "streamed", "warnings",
)  # fmt: skip
_TEXTS: Final = ("messages", "choices", "text_absent_cause")
_Row = dict[str, object]


async def export(visit: Visit) -> Response:
    """Send the file. What cannot be had is told before it begins; where it ends early, in it."""
    form = visit.query.get("format", "jsonl")
    if form not in _FORMS:
        raise RequestError("an export is jsonl or csv")
    asked = read_asked(visit, SORTS)
    query = Query(
        read_condition(asked.filter),
        asked.sort.order,
        asked.sort.descending,
        None,
        _AT_ONCE[0],
        asked.words,
        LOOKED_AT,
    )
    first = await _find(visit, query)
    kind, write = _FORMS[form]
    return StreamingResponse(
        _write_all(visit, query, first, write),
        media_type=kind,
        headers={"content-disposition": f'attachment; filename="understudy-calls.{form}"'},
    )


async def _write_all(
    visit: Visit,
    query: Query,
    found: Found[Kept],
    write: Callable[[Sequence[_Row], bool, bool], bytes],
) -> AsyncIterator[bytes]:
    until = time.monotonic() + _SECONDS
    written, is_reader = 0, visit.sees_texts
    while True:
        rows = [_row(one, is_reader=is_reader) for one, _ in found.items[: MOST_ROWS - written]]
        yield write(rows, is_reader, written == 0)
        written += len(rows)
        after = found.items[-1][1] if found.has_more else found.reached
        if after is None:
            return
        if written >= MOST_ROWS or time.monotonic() > until:
            told = f"cut after {written} rows; narrow the filter, or go on by start_time"
            yield write([{"cut": told}], is_reader, False)
            return
        query = msgspec.structs.replace(query, after=after)
        try:
            found = await _find(visit, query)
        except RefusedError as error:
            told = f"cut after {written} rows: {error.message}"
            yield write([{"cut": told}], is_reader, False)
            return


async def _find(visit: Visit, query: Query) -> Found[Kept]:
    reader = records_of(visit).reader

    def ask() -> Found[Kept]:
        found = reader.list_records(query, with_texts=visit.sees_texts)
        for limit in _AT_ONCE[1:]:
            if not any(one.texts.too_many for one, _ in found.items):
                break
            fewer = msgspec.structs.replace(query, limit=limit)
            found = reader.list_records(fewer, with_texts=visit.sees_texts)
        return found

    return await visit.read(ask)


def _row(kept: Kept, *, is_reader: bool) -> _Row:
    one = kept.record
    usage = one.usage
    row: _Row = {
        "start_time": one.started, "pair_id": one.pair_id, "id": one.id, "role": one.role.value,
        "attempt": one.attempt, "request_id": one.request_id, "caller": one.caller,
        "metadata": dict(one.metadata), "experiment": one.experiment, "variant": one.variant,
        "epoch": one.epoch, "assignment": one.assignment, "overridden": one.overridden,
        "model_group": one.group, "deployment": one.deployment, "provider": one.provider,
        "model": one.model, "served_model": one.served_model, "reason": one.reason,
        "upstream_status": one.upstream_status, "finish_reason": one.finish_reason,
        "latency_us": one.latency, "first_token_us": one.first_token,
        "prompt_tokens": usage and usage.prompt_tokens,
        "completion_tokens": usage and usage.completion_tokens,
        "total_tokens": usage and usage.total_tokens, "cost_nano_usd": one.cost,
        "cost_status": one.cost_status.value, "cost_reason": one.cost_reason,
        "price_version": one.price_version,
        "request_bytes": one.request_bytes, "response_bytes": one.response_bytes,
        "streamed": one.streamed, "warnings": list(one.warnings),
    }  # fmt: skip
    if is_reader:
        row["messages"], row["choices"] = kept.texts.messages, kept.texts.choices
        row["text_absent_cause"] = tell_absence(kept, is_reader=True)
    return row


def _write_lines(rows: Sequence[_Row], is_reader: bool, is_first: bool) -> bytes:
    return b"".join(msgspec.json.encode(row) + b"\n" for row in rows)


def _write_table(rows: Sequence[_Row], is_reader: bool, is_first: bool) -> bytes:
    columns = (*_COLUMNS, *(_TEXTS if is_reader else ()))
    page = io.StringIO()
    writer = csv.writer(page)
    if is_first:
        writer.writerow(columns)
    for row in rows:
        cut = row.get("cut")
        writer.writerow([f"# {cut}"] if cut else [_cell(row[name]) for name in columns])
    return page.getvalue().encode(errors="replace")


def _cell(value: object) -> object:
    if value is None or isinstance(value, int | float):
        return value
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    # A program that opens the file would take it for a formula, and work it out.
    text = f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text
    return text.replace("\0", "\u2400")


_FORMS: Final = {
    "jsonl": ("application/jsonl", _write_lines),
    "csv": ("text/csv", _write_table),
}

PAGES: Final = (Page("/logs/export", calls.LIST_RECORDS, export),)
