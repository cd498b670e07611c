"""Asks about the past, and says what was good: the requests of both clients. Pure.

Pages are asked for by `sync_history` and `async_history`.
"""

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final, TypeAlias

from understudy.client.fields import assign
from understudy.v1.completion_pb2 import CreateCompletionResponse, StreamCompletionResponse
from understudy.v1.record_pb2 import (
    CreateFeedbackRequest,
    ListPairsRequest,
    ListRecordsRequest,
    Pair,
    Record,
)

Judged: TypeAlias = CreateCompletionResponse | StreamCompletionResponse | Record | Pair | str
"""What feedback is about: an answer, the first piece of one, what is recorded, or a pair id."""

Since: TypeAlias = str | timedelta | datetime
"""How far back: `30m`, `24h` or `7d`, a timedelta, or an instant."""

PAGE: Final = 1000
_SPAN: Final = re.compile(r"([0-9]{1,9}(?:\.[0-9]+)?)(s|m|h|d)", re.ASCII)
_SECONDS: Final[Mapping[str, int]] = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_FIRST: Final = datetime(1970, 1, 1, tzinfo=UTC)


def write_feedback(
    answer: Judged, metric: str, value: bool | float | str, silent_model: str, feedback_id: str
) -> CreateFeedbackRequest:
    """Return the request that keeps an opinion. Raises TypeError or ValueError."""
    request = CreateFeedbackRequest()
    assign(request, "pair_id", find_pair_id(answer), "answer")
    assign(request, "metric", metric, "metric")
    assign(request, "silent_model", silent_model, "silent_model")
    assign(request, "feedback_id", feedback_id, "feedback_id")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"value: a finite number is needed, not {value!r}")
    kind = "boolean" if isinstance(value, bool) else "text" if isinstance(value, str) else "number"
    assign(request, kind, value, "value")
    return request


def find_pair_id(answer: Judged) -> str:
    """Return the pair id of an answer. Raises TypeError or ValueError if it has none."""
    match answer:
        case str():
            found = answer.removeprefix("pairs/")
        case CreateCompletionResponse() | StreamCompletionResponse():
            found = answer.routing.pair_id
        case Record():
            found = answer.pair_id
        case Pair():
            found = answer.name.removeprefix("pairs/")
        case _:
            raise TypeError(
                f"answer: an answer or a pair_id is needed, not {type(answer).__name__}"
            )
    if not found:
        raise ValueError(
            "answer: it has no routing; of a stream only the first piece has one, whose "
            "routing.pair_id may be given instead"
        )
    return found


def ask_for_records(filter: str, since: Since | None, order_by: str) -> ListRecordsRequest:
    """Return the request for the first page. Raises TypeError or ValueError."""
    request = ListRecordsRequest(page_size=PAGE)
    assign(request, "filter", _narrow(filter, since), "filter")
    assign(request, "order_by", order_by, "order_by")
    return request


def ask_for_pairs(filter: str, since: Since | None, order_by: str) -> ListPairsRequest:
    """Return the request for the first page. Raises TypeError or ValueError."""
    request = ListPairsRequest(page_size=PAGE)
    assign(request, "filter", _narrow(filter, since), "filter")
    assign(request, "order_by", order_by, "order_by")
    return request


def turn(request: ListRecordsRequest | ListPairsRequest, token: str, received: int) -> bool:
    """Make a request that of the next page; return whether there is one."""
    request.page_token = token
    # A page that holds much text ends early, and the server looks up the rest of it in vain.
    request.page_size = min(PAGE, max(2 * received, 1))
    return bool(token)


def read_since(since: Since, now: datetime) -> datetime:
    """Return the instant that is meant. Raises TypeError or ValueError."""
    match since:
        case datetime():
            return since.astimezone(UTC)
        case timedelta():
            span = since
        case str():
            found = _SPAN.fullmatch(since.strip())
            if found is None:
                raise ValueError(f"since: a span such as 30m, 24h or 7d is needed, not {since!r}")
            span = timedelta(seconds=min(float(found[1]) * _SECONDS[found[2]], 1e11))
        case _:
            raise TypeError(
                "since: a span such as '7d', a timedelta or a datetime is needed, not "
                f"{type(since).__name__}"
            )
    return max(_FIRST, now - min(span, now - _FIRST))


def _narrow(filter: str, since: Since | None) -> str:
    if since is None:
        return filter
    begin = read_since(since, datetime.now(UTC)).isoformat(timespec="microseconds")
    term = f'start_time >= "{begin}"'
    return f"({filter}) AND {term}" if filter.strip() else term
