"""Reads what reviewers said of pairs with a silent model. Blocks."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Engine, Select, and_, func, select

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
from understudy.server.records.schema import offers, ratings


class Verdicts(NamedTuple):
    """What reviewers said of pairs with a silent model."""

    start: tuple[int, ...]
    pair_id: tuple[str, ...]
    reviewer: tuple[str, ...]
    label: Texts
    baseline: Texts
    verdict: tuple[str, ...]
    first_side: tuple[str, ...]
    created: tuple[int, ...]


def read_verdicts(
    engine: Engine, silent_model: str, window: Window, group_by: str
) -> Iterator[Verdicts]:
    """Yield what reviewers said of pairs that are within a window."""
    order = (ratings.c.start_time, ratings.c.pair_id, ratings.c.reviewer)
    which = and_(ratings.c.silent_model == silent_model, within(ratings.c.start_time, window))
    primary = first_attempts()

    def ask(after: ColumnElement[bool]) -> Select[*tuple[Any, ...]]:
        some = select(ratings).where(which, after).order_by(*order).limit(CHUNK).subquery("some")
        joined = some.outerjoin(
            offers,
            and_(offers.c.pair_id == some.c.pair_id, offers.c.silent_model == some.c.silent_model),
        ).outerjoin(
            primary,
            is_first_of(primary, some),
        )
        return (
            select(
                some.c.start_time,
                some.c.pair_id,
                some.c.reviewer,
                label_of(group_by, some.c.variant, offers.c.caller, primary.c.metadata),
                func.coalesce(func.nullif(offers.c.model_group, ""), primary.c.model_group),
                some.c.verdict,
                some.c.first_side,
                some.c.create_time,
            )
            .select_from(joined)
            .order_by(some.c.start_time, some.c.pair_id, some.c.reviewer)
        )

    for rows in chunks(engine, ask, order):
        yield Verdicts(*zip(*rows, strict=True))
