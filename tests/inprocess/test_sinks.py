"""A Router tells the same tools as the service, and its calls stand in their caller's trace."""

import asyncio
from collections import Counter
from pathlib import Path

import pytest
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    TraceFlags,
    TraceState,
    use_span,
)

from understudy.server import Router
from understudy.server.domain.request import TraceContext
from understudy.server.inprocess.tracing import current_trace

from ..service.configs import deployment
from ..sinks.otel.receiving import receiving
from ..stub.faultstub import FaultStub

TRACE = 0x0AF7651916CD43DD8448EB211C80319C
SPAN = NonRecordingSpan(
    SpanContext(TRACE, 0xB7AD6B7169203331, False, TraceFlags(1), TraceState([("a", "b")]))
)
MESSAGES = [{"role": "user", "content": "hi"}]


def test_the_current_span_is_found() -> None:
    before = current_trace()
    with use_span(SPAN):
        inside = current_trace()

    assert before is None
    assert inside == TraceContext(f"{TRACE:032x}", "b7ad6b7169203331", True, "a=b")


@pytest.mark.parametrize("has_records", [True, False])
def test_every_call_of_a_router_is_told_in_its_callers_trace(
    stub: FaultStub, tmp_path: Path, has_records: bool
) -> None:
    with receiving() as collector:
        understudy = {
            "state_dir": str(tmp_path),
            "records": {"enabled": has_records},
            "sinks": {"otel": {"endpoint": collector.url}},
        }
        models = [deployment(stub, "primary", silent_model="silent"), deployment(stub, "silent")]
        with Router(models, understudy=understudy) as router:
            router.completion(model="primary", messages=MESSAGES)
            with use_span(SPAN):
                router.completion(model="primary", messages=MESSAGES)
                assert list(router.completion(model="primary", messages=MESSAGES, stream=True))
                asyncio.run(router.acompletion(model="primary", messages=MESSAGES))
        traces = Counter(span.trace_id.hex() for span in collector.spans)

    assert traces.pop(f"{TRACE:032x}") == 9
    assert list(traces.values()) == [3]
