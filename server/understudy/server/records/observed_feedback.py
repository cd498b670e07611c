"""Reads what people and programs said of answers that an experiment served. Blocks."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Engine, Select, and_, select

from understudy.server.records.observations import (
    CHUNK,
    Texts,
    Window,
    chunks,
    first_attempts,
    is_first_of,
    label_of,
    within,
)
from understudy.server.records.schema import feedback


class Opinions(NamedTuple):
    """What was said, in the order of the calls. A boolean's `number` is 1 for yes."""

    start: tuple[int, ...]
    id: tuple[str, ...]
    label: Texts
    variant: tuple[str, ...]
    epoch: tuple[int, ...]
    key_hash: tuple[str, ...]
    metric: tuple[str, ...]
    kind: tuple[str, ...]
    number: tuple[float, ...]


def read_opinions(
    engine: Engine, experiment: str, window: Window, group_by: str
) -> Iterator[Opinions]:
    """Yield all numbers and booleans on served answers that were compared; words say no figure."""
    order = (feedback.c.start_time, feedback.c.id)
    which = and_(
        feedback.c.experiment == experiment,
        feedback.c.epoch > 0,
        feedback.c.silent_model == "",
        feedback.c.number.is_not(None),
        within(feedback.c.start_time, window),
    )
    primary = first_attempts()

    def ask(after: ColumnElement[bool]) -> Select[*tuple[Any, ...]]:
        some = select(feedback).where(which, after).order_by(*order).limit(CHUNK).subquery("some")
        return (
            select(
                some.c.start_time,
                some.c.id,
                label_of(group_by, some.c.variant, primary.c.caller, primary.c.metadata),
                some.c.variant,
                some.c.epoch,
                some.c.key_hash,
                some.c.metric,
                some.c.kind,
                some.c.number,
            )
            .select_from(some.outerjoin(primary, is_first_of(primary, some)))
            .order_by(some.c.start_time, some.c.id)
        )

    for rows in chunks(engine, ask, order):
        yield Opinions(*zip(*rows, strict=True))
