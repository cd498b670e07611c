"""Reads the attempts to answer callers, of an experiment, or counted by deployment. Blocks."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Engine, Select, and_, select

from understudy.server.domain.records import Role
from understudy.server.records.observations import (
    CHUNK,
    Texts,
    Wholes,
    Window,
    chunks,
    label_of,
    span_of,
    within,
)
from understudy.server.records.schema import records

_OF_ATTEMPTS: Final = (
    "attempt",
    "variant",
    "epoch",
    "key_hash",
    "overridden",
    "reason",
    "latency",
    "first_token_latency",
    "cost_nano_usd",
    "cost_reason",
    "deployment",
    "prompt_tokens",
    "completion_tokens",
)


class Attempts(NamedTuple):
    """Attempts to answer an experiment's callers, in the order in which they began."""

    start: tuple[int, ...]
    id: tuple[str, ...]
    pair_id: tuple[str, ...]
    label: Texts
    attempt: tuple[int, ...]
    variant: tuple[str, ...]
    epoch: tuple[int, ...]
    key_hash: tuple[str, ...]
    overridden: tuple[bool, ...]
    reason: tuple[str, ...]
    latency: tuple[int, ...]
    first_token: Wholes
    cost: Wholes
    cost_reason: tuple[str, ...]
    deployment: tuple[str, ...]
    prompt_tokens: Wholes
    completion_tokens: Wholes


def span_of_attempts(engine: Engine, experiment: str, window: Window) -> Window | None:
    """Return from the first attempt to the last, within a window; `None` without any."""
    return span_of(engine, records.c.start_time, records.c.experiment == experiment, window)


def read_attempts(
    engine: Engine, experiment: str, window: Window, group_by: str
) -> Iterator[Attempts]:
    """Yield all attempts to answer an experiment's callers, in the order of their time."""
    one = records.c
    order = (one.start_time, one.id)
    columns = (
        one.start_time,
        one.id,
        one.pair_id,
        label_of(group_by, one.variant, one.caller, one.metadata),
        *(records.c[name] for name in _OF_ATTEMPTS),
    )
    which = and_(
        one.experiment == experiment,
        one.role != Role.SILENT.value,
        within(one.start_time, window),
    )

    def ask(after: ColumnElement[bool]) -> Select[*tuple[Any, ...]]:
        return select(*columns).where(which, after).order_by(*order).limit(CHUNK)

    for rows in chunks(engine, ask, order):
        yield Attempts(*zip(*rows, strict=True))


def count_calls(engine: Engine, deployments: Collection[str], window: Window) -> Mapping[str, int]:
    """Return how often each of these deployments was called within a window, for whatever end."""
    if not deployments:
        return {}
    order = (records.c.start_time, records.c.id)
    counts: Counter[str] = Counter()

    def ask(after: ColumnElement[bool]) -> Select[*tuple[Any, ...]]:
        which = within(records.c.start_time, window)
        return (
            select(*order, records.c.deployment).where(which, after).order_by(*order).limit(CHUNK)
        )

    for rows in chunks(engine, ask, order):
        counts.update(row[2] for row in rows)
    return {one: counts[one] for one in deployments if counts[one]}
