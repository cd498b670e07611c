"""How a stream may end: whole, cut, in error, or in nonsense."""

import pytest

from understudy.server.domain.completion import Delta, Usage
from understudy.server.errors import Reason, UpstreamError
from understudy.server.ports import Reader
from understudy.server.providers import dialect
from understudy.server.providers.sse import MAX_EVENT_BYTES

from .samples import ROLE, USAGE, events, last, read, texts, word


def reader() -> Reader:
    return dialect("openai").reader(True, 200, {"content-type": "text/event-stream"})


ERROR = '{"error":{"message":"the model fell over","type":"server_error"}}'


def outcome(body: bytes) -> tuple[list[Delta], UpstreamError]:
    """Return the deltas of a stream, and how it fails."""
    stream = reader()
    deltas = list(stream.feed(body))
    with pytest.raises(UpstreamError) as caught:
        stream.finish()
    return deltas, caught.value


def test_a_stream_without_done_is_whole_when_each_choice_ended() -> None:
    _, answer = read([events([word("Hi"), last(), USAGE], end=b"")], stream=True)

    assert answer.usage == Usage(5, 7, 12)


@pytest.mark.parametrize("end", [b"data: [DONE]", b"data: [DONE]\n", b"data:[DONE]\r\n\r\n"])
def test_the_last_blank_line_may_be_missing(end: bytes) -> None:
    _, answer = read([events([word("Hi")], end=end)], stream=True)

    assert answer.choices[0].message.content == "Hi"
    assert answer.choices[0].finish_reason == ""


@pytest.mark.parametrize("end", [b"", b"data: {", b"data: [DO", b": bye\n\n", b"data: {}\n\n"])
def test_a_stream_cut_after_words_is_told_from_one_cut_before(end: bytes) -> None:
    deltas, after = outcome(events([ROLE, word("Hel"), word("lo")], end=end))
    nothing, before = outcome(events([ROLE], end=end))

    assert (len(deltas), len(nothing)) == (2, 0)
    assert (after.reason, after.delivered) == (Reason.UPSTREAM_STREAM_TRUNCATED, 2)
    assert after.metadata == {"deltasDelivered": "2"}
    assert (before.reason, before.delivered) == (Reason.UPSTREAM_TRUNCATED, 0)


def test_a_stream_of_nothing_is_cut() -> None:
    _, error = outcome(b"")

    assert (error.reason, error.delivered) == (Reason.UPSTREAM_TRUNCATED, 0)


def test_a_stream_that_ends_before_any_choice_is_empty() -> None:
    _, error = outcome(events([USAGE]))

    assert error.reason is Reason.UPSTREAM_EMPTY_RESPONSE


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (f"data: {ERROR}", Reason.UPSTREAM_INTERNAL_ERROR),
        (f"event: error\ndata: {ERROR}", Reason.UPSTREAM_INTERNAL_ERROR),
        ("event: error\ndata: the model fell over", Reason.UPSTREAM_INTERNAL_ERROR),
        ('data: {"error":{"code":429,"message":"x"}}', Reason.UPSTREAM_RATE_LIMITED),
        ('data: {"error":{"code":"502","message":"x"}}', Reason.UPSTREAM_UNAVAILABLE),
        ('data: {"error":"x","error_type":"overloaded"}', Reason.UPSTREAM_OVERLOADED),
        ('data: {"object":"error","message":"x","code":400}', Reason.UPSTREAM_REJECTED_REQUEST),
        (
            (
                'data: {"id":"x","choices":[{"delta":{"content":""},"finish_reason":"error",'
                '"error":{"code":503,"message":"x"}}]}'
            ),
            Reason.UPSTREAM_UNAVAILABLE,
        ),
        (
            'data: {"choices":[{"delta":{"content":"a"},"finish_reason":"error"}]}',
            Reason.UPSTREAM_INTERNAL_ERROR,
        ),
        ('data: {"error":{"code":"content_filter"}}', Reason.CONTENT_POLICY_REJECTED),
    ],
)
def test_an_error_event_counts_by_its_kind_until_words_are_out(event: str, reason: Reason) -> None:
    end = f"{event}\n\n".encode()
    stream = reader()
    list(stream.feed(events([ROLE], end=b"")))

    with pytest.raises(UpstreamError) as before:
        stream.feed(end)
    deltas, after = outcome(events([word("Hi")], end=end))

    assert (before.value.reason, before.value.delivered) == (reason, 0)
    assert (after.reason, after.delivered) == (Reason.UPSTREAM_STREAM_ERROR, 1)
    assert after.metadata == {"deltasDelivered": "1"}
    assert texts(deltas) == ["Hi"]
    assert after.status == before.value.status == 200


def test_nothing_is_read_after_a_failure() -> None:
    stream = reader()
    stream.feed(events([word("Hi"), ERROR, word("there")], end=b""))

    with pytest.raises(UpstreamError):
        stream.feed(events([word("again")]))
    with pytest.raises(UpstreamError):
        stream.finish()


def test_nothing_is_read_after_the_end() -> None:
    deltas, answer = read([events([word("Hi"), last()]), b"data: {garbage\n\n"], stream=True)

    assert texts(deltas) == ["Hi", None]
    assert answer.choices[0].message.content == "Hi"


@pytest.mark.parametrize(
    "chunk", ["{", "17", "[]", '{"choices":[{"delta":{"content":1}}]}', "\x00"]
)
def test_a_malformed_event_fails_the_stream(chunk: str) -> None:
    deltas, error = outcome(events([word("Hi"), chunk]))

    assert texts(deltas) == ["Hi"]
    assert (error.reason, error.delivered) == (Reason.UPSTREAM_MALFORMED_RESPONSE, 1)


def test_an_event_over_the_cap_is_refused() -> None:
    stream = reader()
    stream.feed(b"data: " + b"x" * (MAX_EVENT_BYTES - 6))

    with pytest.raises(UpstreamError) as caught:
        stream.feed(b"x")

    assert caught.value.reason is Reason.UPSTREAM_RESPONSE_TOO_LARGE


def test_an_index_beyond_reason_is_malformed() -> None:
    _, error = outcome(events([word("x", 0), word("x", 128)]))

    assert error.reason is Reason.UPSTREAM_MALFORMED_RESPONSE
