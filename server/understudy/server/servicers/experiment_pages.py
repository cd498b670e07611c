"""Lists experiments, a page at a time. They are few and in memory, so the store is not asked."""

from collections.abc import Callable, Mapping
from typing import Final

from understudy.server.domain.experiments import Experiment, Roster
from understudy.server.domain.record_queries import (
    AllOf,
    AnyOf,
    Condition,
    Kind,
    Not,
    Operator,
    Place,
    Term,
)
from understudy.server.errors import RequestError
from understudy.server.questions.record_filter import read_filter
from understudy.server.servicers.record_pages import (
    DEFAULT_PAGE,
    LARGEST_PAGE,
    read_token,
    write_token,
)
from understudy.server.servicers.write_experiment import write_experiment
from understudy.v1 import experiment_pb2 as pb

_FIELDS: Final[Mapping[str, Kind]] = {
    "state": Kind.TEXT,
    "model_group": Kind.TEXT,
    "title": Kind.TEXT,
}
_ORDERS: Final[Mapping[str, Callable[[Experiment], tuple[int, str]]]] = {
    "name": lambda one: (0, one.id),
    "create_time": lambda one: (one.created, one.id),
    "update_time": lambda one: (one.updated, one.id),
}


def list_experiments(
    roster: Roster, request: pb.ListExperimentsRequest
) -> pb.ListExperimentsResponse:
    """Return a page. Raises RequestError for a filter, order or token that is none."""
    if request.page_size < 0:
        raise RequestError("page_size must not be negative", field="page_size")
    size = min(request.page_size or DEFAULT_PAGE, LARGEST_PAGE)
    name, _, direction = (request.order_by.strip() or "name").partition(" ")
    if name not in _ORDERS or direction.strip() not in ("", "asc", "desc"):
        raise RequestError(
            f"order_by is one of {', '.join(_ORDERS)}, each with or without ` desc`",
            field="order_by",
        )
    key, backwards = _ORDERS[name], direction.strip() == "desc"
    condition = read_filter(request.filter, _FIELDS)
    place = read_token(request)
    after = None if place is None else (place.value, place.id)
    left = [
        one
        for one in sorted(roster.experiments.values(), key=key, reverse=backwards)
        if (after is None or (key(one) < after if backwards else key(one) > after))
        and _meets(one, condition)
    ]
    page = left[:size]
    token = write_token(request, Place(*key(page[-1]))) if len(left) > size else ""
    return pb.ListExperimentsResponse(
        experiments=map(write_experiment, page), next_page_token=token
    )


def _meets(experiment: Experiment, condition: Condition) -> bool:
    match condition:
        case Term():
            return _compare(getattr(experiment, condition.field), condition)
        case Not(part):
            return not _meets(experiment, part)
        case AllOf(parts):
            return all(_meets(experiment, one) for one in parts)
        case AnyOf(parts):
            return any(_meets(experiment, one) for one in parts)


def _compare(value: str, term: Term) -> bool:
    wanted = str(term.value)
    if term.field == "state":
        wanted = wanted.removeprefix("STATE_")
    first, *rest = wanted.split("*")
    equal = _matches(value, first, rest[:-1], rest[-1]) if rest else value == wanted
    return equal == (term.operator is Operator.EQUAL)


def _matches(value: str, first: str, middle: list[str], last: str) -> bool:
    """Return whether a value begins, goes on and ends so, with any text between."""
    if len(value) < len(first) + len(last):
        return False
    if not (value.startswith(first) and value.endswith(last)):
        return False
    at, end = len(first), len(value) - len(last)
    for piece in middle:
        found = value.find(piece, at, end)
        if found < 0:
            return False
        at = found + len(piece)
    return True
