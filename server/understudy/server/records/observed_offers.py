"""Reads what became of requests for a silent model: offered and heard, or not offered. Blocks."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Engine, Select, and_, func, select

from understudy.server.records.observations import (
    CHUNK,
    Flags,
    Texts,
    Wholes,
    Window,
    chunks,
    first_attempts,
    is_first_of,
    label_of,
    span_of,
    within,
)
from understudy.server.records.schema import not_mirrored, offers, records


class Offers(NamedTuple):
    """Offers to a silent model, beside the first attempts of their primaries and their copies.

    Durations are microseconds, costs 10^-9 US dollars, `None` what is not known or not there.
    """

    start: tuple[int, ...]
    pair_id: tuple[str, ...]
    label: Texts
    baseline: Texts
    outcome: Texts
    reason: Texts
    primary_reason: Texts
    primary_latency: Wholes
    primary_first_token: Wholes
    primary_cost: Wholes
    primary_cost_reason: Texts
    primary_deployment: Texts
    primary_prompt_tokens: Wholes
    primary_completion_tokens: Wholes
    latency: Wholes
    first_token: Wholes
    cost: Wholes
    cost_reason: Texts
    deployment: Texts
    prompt_tokens: Wholes
    completion_tokens: Wholes
    cached_tokens: Wholes
    equal: Flags
    normalized_equal: Flags
    both_json: Flags
    primary_schema_valid: Flags
    schema_valid: Flags
    same_tool_calls: Flags
    similarity: tuple[float | None, ...]
    primary_length: Wholes
    length: Wholes


class Refusals(NamedTuple):
    """Requests that a silent model was not offered, and why."""

    start: tuple[int, ...]
    pair_id: tuple[str, ...]
    label: Texts
    baseline: Texts
    reason: tuple[str, ...]


def span_of_offers(engine: Engine, silent_model: str, window: Window) -> Window | None:
    """Return from the first offer to the last, or refusal, within a window; `None` without any."""
    spans = [
        span_of(engine, table.c.start_time, table.c.silent_model == silent_model, window)
        for table in (offers, not_mirrored)
    ]
    found = [span for span in spans if span is not None]
    return Window(min(one[0] for one in found), max(one[1] for one in found)) if found else None


def read_offers(
    engine: Engine, silent_model: str, window: Window, group_by: str
) -> Iterator[Offers]:
    """Yield all offers, in the order of their time. `group_by` is a report's breakdown."""
    order = (offers.c.start_time, offers.c.pair_id)
    which = and_(offers.c.silent_model == silent_model, within(offers.c.start_time, window))
    primary, silent = first_attempts(), records.alias("silent")
    details = silent.c.token_details["prompt_tokens_details"]["cached_tokens"].as_integer()

    def ask(after: ColumnElement[bool]) -> Select[*tuple[Any, ...]]:
        some = select(offers).where(which, after).order_by(*order).limit(CHUNK).subquery("some")
        joined = some.outerjoin(
            primary,
            is_first_of(primary, some),
        ).outerjoin(silent, silent.c.id == some.c.record_id)
        return (
            select(
                some.c.start_time,
                some.c.pair_id,
                label_of(group_by, some.c.variant, some.c.caller, primary.c.metadata),
                func.coalesce(func.nullif(some.c.model_group, ""), primary.c.model_group),
                some.c.outcome,
                some.c.reason,
                primary.c.reason,
                primary.c.latency,
                primary.c.first_token_latency,
                primary.c.cost_nano_usd,
                primary.c.cost_reason,
                primary.c.deployment,
                primary.c.prompt_tokens,
                primary.c.completion_tokens,
                silent.c.latency,
                silent.c.first_token_latency,
                silent.c.cost_nano_usd,
                silent.c.cost_reason,
                silent.c.deployment,
                silent.c.prompt_tokens,
                silent.c.completion_tokens,
                details,
                some.c.equal,
                some.c.normalized_equal,
                some.c.both_json,
                some.c.primary_schema_valid,
                some.c.silent_schema_valid,
                some.c.same_tool_calls,
                some.c.similarity,
                some.c.primary_length,
                some.c.silent_length,
            )
            .select_from(joined)
            .order_by(some.c.start_time, some.c.pair_id)
        )

    for rows in chunks(engine, ask, order):
        yield Offers(*zip(*rows, strict=True))


def read_refusals(
    engine: Engine, silent_model: str, window: Window, group_by: str
) -> Iterator[Refusals]:
    """Yield all requests that were not offered, in the order of their time."""
    table = not_mirrored
    order = (table.c.start_time, table.c.pair_id)
    which = and_(table.c.silent_model == silent_model, within(table.c.start_time, window))
    primary = first_attempts()

    def ask(after: ColumnElement[bool]) -> Select[*tuple[Any, ...]]:
        some = select(table).where(which, after).order_by(*order).limit(CHUNK).subquery("some")
        joined = some.outerjoin(
            primary,
            is_first_of(primary, some),
        )
        return (
            select(
                some.c.start_time,
                some.c.pair_id,
                label_of(group_by, primary.c.variant, primary.c.caller, primary.c.metadata),
                primary.c.model_group,
                some.c.reason,
            )
            .select_from(joined)
            .order_by(some.c.start_time, some.c.pair_id)
        )

    for rows in chunks(engine, ask, order):
        yield Refusals(*zip(*rows, strict=True))
