"""Turns conditions into SQL, and an order with a place into keyset pages.

Which columns the fields of a condition mean is for each keeper to say.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, and_, literal, not_, or_, true, tuple_

from understudy.server.domain.record_queries import (
    AllOf,
    AnyOf,
    Condition,
    Not,
    Operator,
    Query,
    Term,
)

Columns = Mapping[str, ColumnElement[Any]]


def where(condition: Condition, columns: Columns) -> ColumnElement[bool]:
    """Return a condition as SQL. What is unknown meets no term, and not its opposite either."""
    match condition:
        case Term():
            return _compare(columns[condition.field], condition)
        case Not(part):
            return not_(where(part, columns))
        case AllOf(parts):
            return and_(true(), *(where(one, columns) for one in parts))
        case AnyOf(parts):
            return or_(*(where(one, columns) for one in parts))


def beyond(query: Query, *columns: ColumnElement[Any]) -> ColumnElement[bool]:
    """Return what holds for the rows after the place that a page ended at.

    The first column is the order's own, the others tell equal rows apart.
    """
    known = columns[0].is_not(None)
    if query.after is None:
        return known
    place = (query.after.value, query.after.id, query.after.silent_model)[: len(columns)]
    row, last = tuple_(*columns), tuple_(*(literal(one) for one in place))
    return and_(known, row < last if query.descending else row > last)


def ordering(query: Query, *columns: ColumnElement[Any]) -> list[ColumnElement[Any]]:
    """Return the order, by every column in one direction, so that an index can serve it."""
    return [one.desc() if query.descending else one.asc() for one in columns]


def _compare(column: ColumnElement[Any], term: Term) -> ColumnElement[bool]:
    value = term.value
    match term.operator:
        case Operator.EQUAL if isinstance(value, str) and "*" in value:
            return column.like(_pattern(value), escape="\\")
        case Operator.UNEQUAL if isinstance(value, str) and "*" in value:
            return column.not_like(_pattern(value), escape="\\")
        case Operator.EQUAL:
            return column == value
        case Operator.UNEQUAL:
            return column != value
        case Operator.BELOW:
            return column < value
        case Operator.AT_MOST:
            return column <= value
        case Operator.ABOVE:
            return column > value
        case Operator.AT_LEAST:
            return column >= value


def _pattern(text: str) -> str:
    for special in "\\%_":
        text = text.replace(special, f"\\{special}")
    return text.replace("*", "%")
