"""What a span says of a request: how long its caller waited, what for, and with what outcome."""

from collections.abc import Iterator
from typing import Final

from understudy.server.domain.tellings import Answered
from understudy.server.errors import Reason
from understudy.server.sinks.otel import names
from understudy.server.sinks.otel.generations import labels
from understudy.server.sinks.otel.spans import Kind, write_span
from understudy.server.sinks.otel.traces import place_request
from understudy.server.sinks.sending.protobuf import KeyValue, known_text, real, text, truth, whole

_NAME: Final = "understudy.completion"
_MICRO: Final = 1_000_000


def write_answered(told: Answered) -> bytes:
    """Return the span of a request. A caller that gave up is no failure of ours."""
    return write_span(
        place_request(told.asked),
        _NAME,
        Kind.SERVER,
        told.started,
        told.ended,
        _pairs(told),
        failure=told.reason if told.reason not in ("", Reason.CANCELLED) else None,
    )


def _pairs(told: Answered) -> Iterator[KeyValue]:
    asked = told.asked
    yield text("understudy.pair_id", asked.pair_id)
    yield whole("understudy.attempts", told.attempts)
    yield truth("understudy.streamed", told.streamed)
    if asked.request_id:
        yield text("understudy.request_id", asked.request_id)
    if asked.caller:
        yield known_text("understudy.caller", asked.caller)
    if told.group:
        yield known_text("understudy.group", told.group)
    if told.experiment:
        yield known_text("understudy.experiment", told.experiment)
    if told.variant:
        yield known_text("understudy.variant", told.variant)
    if told.first_token is not None:
        yield real("understudy.time_to_first_token", told.first_token / _MICRO)
    if told.reason:
        yield known_text(names.ERROR_TYPE, told.reason)
    yield from labels("understudy.metadata.", asked.labels)
