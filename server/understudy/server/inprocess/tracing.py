"""Reads where in its trace the program that calls us stands, if it traces with OpenTelemetry.

It is asked only if the program has loaded it: nothing is imported here, and nothing needed.
"""

import sys
from typing import Protocol, cast

from understudy.server.domain.request import TraceContext


class _State(Protocol):
    def to_header(self) -> str: ...


class _Context(Protocol):
    trace_id: int
    span_id: int
    trace_flags: int
    trace_state: _State | None
    is_valid: bool


class _Span(Protocol):
    def get_span_context(self) -> _Context: ...


class _Api(Protocol):
    def get_current_span(self) -> _Span: ...


def current_trace() -> TraceContext | None:
    """Return the span that the caller is in, `None` without one. Raises nothing."""
    module = sys.modules.get("opentelemetry.trace")
    if module is None:
        return None
    try:
        context = cast(_Api, module).get_current_span().get_span_context()
        if not context.is_valid:
            return None
        state = context.trace_state.to_header() if context.trace_state else ""
        return TraceContext(
            f"{context.trace_id:032x}",
            f"{context.span_id:016x}",
            bool(context.trace_flags & 1),
            state,
        )
    except Exception:  # noqa: BLE001 - half imported, or of another kind: a call is worth more
        return None
