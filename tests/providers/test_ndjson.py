"""Lines come out the same however the bytes are cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.server.errors import Reason, UpstreamError
from understudy.server.providers.ndjson import LineStream


def parse(*pieces: bytes, limit: int = 1024) -> list[bytes]:
    """The lines that end, and the one that does not."""
    stream = LineStream(limit)
    return [*(line for piece in pieces for line in stream.feed(piece)), stream.finish()]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"", [b""]),
        (b"a\n", [b"a", b""]),
        (b"a\nb", [b"a", b"b"]),
        (b"a\r\nb\r\n", [b"a", b"b", b""]),
        (b"a\r", [b"a"]),
        (b"\n\r\n \t\na\n\n", [b"a", b""]),
        (b" a b \n", [b"a b", b""]),
        (b"a\rb\n", [b"a\rb", b""]),
        (b"\xff\x00\xe2\x80\xa8\x0b\n", [b"\xff\x00\xe2\x80\xa8\x0b", b""]),
    ],
)
def test_lines_are_cut_out(text: bytes, expected: list[bytes]) -> None:
    assert parse(text) == expected
    assert parse(*(text[at : at + 1] for at in range(len(text)))) == expected


PIECES = st.lists(st.sampled_from([b"a", b"{}", b"\n", b"\r\n", b"\r", b" ", b"\xff"]), max_size=20)


@given(st.data(), PIECES.map(b"".join) | st.binary(max_size=60))
def test_cuts_change_nothing(data: st.DataObject, text: bytes) -> None:
    at = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=6)))
    pieces = [text[start:end] for start, end in zip([0, *at], [*at, len(text)], strict=True)]

    assert parse(*pieces) == parse(text)


@pytest.mark.parametrize("text", [b"x" * 200, b"a\n" + b"x" * 101 + b"\n", b" " * 200])
def test_a_line_over_the_limit_is_refused_however_it_comes(text: bytes) -> None:
    for pieces in ([text], [text[at : at + 7] for at in range(0, len(text), 7)]):
        with pytest.raises(UpstreamError) as caught:
            parse(*pieces, limit=100)
        assert caught.value.reason is Reason.UPSTREAM_RESPONSE_TOO_LARGE


def test_the_limit_is_for_one_line_not_for_all() -> None:
    assert len(parse(b"x" * 20 + b"\n", b"y\n" * 1000, limit=20)) == 1002
    assert parse(b"\n" * 1000, limit=20) == [b""]
