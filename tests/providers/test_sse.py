"""Events come out the same however the bytes are cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.server.errors import Reason, UpstreamError
from understudy.server.providers.sse import Event, EventStream


def parse(*pieces: bytes, limit: int = 1024) -> list[Event]:
    stream = EventStream(limit)
    return [event for piece in pieces for event in stream.feed(piece)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"data: a\n\n", [(b"", b"a")]),
        (b"data:a\r\n\r\n", [(b"", b"a")]),
        (b"data:  a \r\r", [(b"", b" a ")]),
        (b"data: a\ndata: b\n\n", [(b"", b"a\nb")]),
        (b"event: error\ndata: a\n\ndata: b\n\n", [(b"error", b"a"), (b"", b"b")]),
        (b": hi\ndata: a\n: ho\n\n", [(b"", b"a")]),
        (b"data\n\n", []),
        (b"data:\n\n", []),
        (b"event: x\n\ndata: a\n\n", [(b"", b"a")]),
        (b"datum: a\nid: 1\nretry: 2\n\n", []),
        (b"data: a", []),
        (b"data: a\n", []),
        (b"\n\n\n\ndata: a\n\n\n\n", [(b"", b"a")]),
        (b"data: \xff\x00\xe2\x80\xa8\n\n", [(b"", b"\xff\x00\xe2\x80\xa8")]),
    ],
)
def test_events_are_cut_out(text: bytes, expected: list[Event]) -> None:
    assert parse(text) == expected
    assert parse(*(text[at : at + 1] for at in range(len(text)))) == expected


LINES = st.sampled_from(
    [b"data: a", b"data:b", b"data", b"event: e", b": c", b"", b"", b"id: 1", b"x" * 9]
)
ENDS = st.sampled_from([b"\n", b"\r", b"\r\n"])


@st.composite
def streams(draw: st.DrawFn) -> bytes:
    return b"".join(draw(LINES) + draw(ENDS) for _ in range(draw(st.integers(0, 12))))


@st.composite
def cuts(draw: st.DrawFn, text: bytes) -> list[bytes]:
    at = sorted(draw(st.lists(st.integers(0, len(text)), max_size=6)))
    return [text[start:end] for start, end in zip([0, *at], [*at, len(text)], strict=True)]


@given(st.data(), streams() | st.binary(max_size=60))
def test_cuts_change_nothing(data: st.DataObject, text: bytes) -> None:
    assert parse(*data.draw(cuts(text))) == parse(text)


@pytest.mark.parametrize(
    "text", [b"data: " + b"x" * 200, b"data: x\n" * 100, b":" * 200, b"data\n" * 200]
)
def test_an_event_over_the_limit_is_refused_however_it_comes(text: bytes) -> None:
    for pieces in ([text], [text[at : at + 7] for at in range(0, len(text), 7)]):
        with pytest.raises(UpstreamError) as caught:
            parse(*pieces, limit=100)
        assert caught.value.reason is Reason.UPSTREAM_RESPONSE_TOO_LARGE


def test_the_limit_is_for_one_event_not_for_all() -> None:
    assert len(parse(b"data: x\n\n" * 1000, limit=20)) == 1000
    assert parse(b": keep-alive\n\n" * 1000, limit=20) == []
