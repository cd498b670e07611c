"""A caller's trace is continued where it is well formed, and never a reason to fail."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.server.domain.request import TraceContext
from understudy.server.servicers.read_trace import read_trace

TRACE = "0af7651916cd43dd8448eb211c80319c"
SPAN = "b7ad6b7169203331"


@pytest.mark.parametrize(
    ("parent", "sampled"),
    [
        (f"00-{TRACE}-{SPAN}-01", True),
        (f"00-{TRACE}-{SPAN}-00", False),
        (f"00-{TRACE}-{SPAN}-ff", True),
        (f" 00-{TRACE}-{SPAN}-01 ", True),
        (f"cc-{TRACE}-{SPAN}-01-what-the-future-brings", True),
    ],
)
def test_a_parent_is_read(parent: str, sampled: bool) -> None:
    assert read_trace([("traceparent", parent)]) == TraceContext(TRACE, SPAN, sampled)


@pytest.mark.parametrize(
    "parent",
    [
        "",
        "x",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01-more",
        f"00-{TRACE}-{SPAN}-01.",
        f"cc-{TRACE}-{SPAN}-01.more",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE}-{SPAN}",
        f"00-{TRACE}-{SPAN}-1",
        f"0-{TRACE}-{SPAN}-01",
    ],
)
def test_a_parent_that_is_malformed_is_as_if_it_were_not_there(parent: str) -> None:
    assert read_trace([("traceparent", parent)]) is None


def test_of_two_parents_neither_is_believed() -> None:
    parent = ("traceparent", f"00-{TRACE}-{SPAN}-01")

    assert read_trace([parent, parent]) is None


@pytest.mark.parametrize(
    ("states", "state"),
    [
        (["a=1,b=2"], "a=1,b=2"),
        (["a=1", "b=2"], "a=1,b=2"),
        (["a" * 600], ""),
        (["a=\x07"], ""),
        ([], ""),
    ],
)
def test_the_state_is_passed_on_if_it_can_be(states: list[str], state: str) -> None:
    metadata = [("traceparent", f"00-{TRACE}-{SPAN}-01"), *(("tracestate", one) for one in states)]

    found = read_trace(metadata)

    assert found is not None
    assert found.state == state


@given(
    st.lists(
        st.tuples(st.sampled_from(["traceparent", "tracestate", "x"]), st.text() | st.binary())
    )
)
def test_no_metadata_is_a_reason_to_fail(metadata: list[tuple[str, str | bytes]]) -> None:
    read_trace(metadata)
