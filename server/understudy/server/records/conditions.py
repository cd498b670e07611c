"""Which columns the fields of records and pairs mean.

No condition uses an index by itself: without statistics SQLite chooses between them at a guess,
and may read half of a table to sort it. Which index is to be used is `searching`'s to say.
"""

from types import MappingProxyType
from typing import Any, Final

from sqlalchemy import ColumnElement, FromClause, Text, case, exists, or_, select

from understudy.server.database.conditions import Columns
from understudy.server.domain.record_queries import (
    METADATA,
    PAIR_FIELDS,
    PAIR_ORDERS,
    RECORD_FIELDS,
)
from understudy.server.domain.records import Role
from understudy.server.records.schema import feedback, offers, ratings, records

_IS_SILENT: Final = records.c.role == Role.SILENT.value

_COMPUTED: Final[Columns] = {
    "is_silent_experiment": _IS_SILENT,
    "failed": records.c.reason != "",
    "has_feedback": exists(
        select(feedback.c.id).where(
            records.c.reason == "",
            feedback.c.pair_id == records.c.pair_id,
            feedback.c.silent_model == case((_IS_SILENT, records.c.model_group), else_=""),
        )
    ),
}


# Those that indexes begin with. The indexes of pair ids find so few that they are always right.
_INDEXED: Final = frozenset(
    {
        "start_time",
        "experiment",
        "request_id",
        "silent_model",
        "latency",
        "cost_nano_usd",
        "latency_difference",
        "cost_difference",
        "length_difference",
        "similarity",
    }
)


class _RecordColumns(dict[str, ColumnElement[Any]]):
    """Besides the fields, a column for each label of the caller's."""

    def __missing__(self, field: str) -> ColumnElement[Any]:
        if not field.startswith(METADATA):
            raise KeyError(field)
        label: ColumnElement[Any] = records.c.metadata[field.removeprefix(METADATA)].as_string()
        return label


def pair_columns(table: FromClause) -> Columns:
    """Return what the fields of pairs mean where offers go by this name."""
    is_rated = exists(
        select(ratings.c.pair_id).where(
            ratings.c.pair_id == table.c.pair_id, ratings.c.silent_model == table.c.silent_model
        )
    )
    has_feedback = exists(
        select(feedback.c.id).where(
            feedback.c.pair_id == table.c.pair_id,
            or_(feedback.c.silent_model == "", feedback.c.silent_model == table.c.silent_model),
        )
    )
    columns = {name: _unindexed(table.c[name]) for name in PAIR_FIELDS if name in table.c}
    return MappingProxyType({**columns, "rated": is_rated, "has_feedback": has_feedback})


def _unindexed(column: ColumnElement[Any]) -> ColumnElement[Any]:
    if column.key not in _INDEXED:
        return column
    return column.concat("") if isinstance(column.type, Text) else column + 0


RECORD_COLUMNS: Final[Columns] = _RecordColumns(
    {
        name: _COMPUTED[name] if name in _COMPUTED else _unindexed(records.c[name])
        for name in RECORD_FIELDS
    }
)
PAIR_COLUMNS: Final[Columns] = pair_columns(offers)

PAIR_ORDER_COLUMNS: Final[Columns] = MappingProxyType(
    {name: offers.c[name] for name in PAIR_ORDERS}
)
RECORD_ORDER_COLUMNS: Final[Columns] = MappingProxyType(
    {
        "start_time": records.c.start_time,
        "latency": records.c.latency,
        "cost": records.c.cost_nano_usd,
    }
)
