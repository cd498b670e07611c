"""Whatever calls itself Anthropic, reading it ends in an answer or in an UpstreamError."""

import json
from time import perf_counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.server.domain.completion import Completion, Delta
from understudy.server.errors import Reason, UpstreamError
from understudy.server.providers import dialect

from .anthropic_events import END, PING, block, event, message, start, stop, tool, words

MIB = 1024 * 1024

Outcome = tuple[list[Delta], Completion | tuple[Reason, str, int, int]]


def outcome(pieces: list[bytes], *, stream: bool, status: int = 200) -> Outcome:
    """Read a reply; return its deltas, and the answer or how it failed."""
    reader = dialect("anthropic").reader(stream, status, {})
    deltas: list[Delta] = []
    try:
        for piece in pieces:
            deltas.extend(reader.feed(piece))
        return deltas, reader.finish()
    except UpstreamError as error:
        return deltas, (error.reason, error.message, error.status, error.delivered)


REPLIES = [
    start() + PING + words("Hél", "lo \U0001f600") + stop() + END,
    start() + tool("f", '{"a"', ":1}") + tool("g", index=1) + stop("tool_use"),
    start() + words("a") + event("error", error={"type": "overloaded_error", "message": "x"}),
    event("error", error={"type": "rate_limit_error", "message": "x"}),
    start() + words("a") + b"data: {nonsense\n\n" + words("b"),
    start() + words("a") + END.rstrip(b"\n"),
    (start() + words("\ud800") + stop() + END).replace(b"\n", b"\r\n"),
    start() + words("a"),
    message([{"type": "text", "text": "a"}]),
    message([{"type": "text", "text": "\ud800"}])[:-3],
    b'  \n{"type":"error","error":{"type":"api_error","message":"x"}}',
    b"<html>",
    b"",
]


@pytest.mark.parametrize("body", REPLIES)
@pytest.mark.parametrize("stream", [True, False])
@given(data=st.data())
def test_cuts_change_neither_deltas_nor_outcome(
    stream: bool, body: bytes, data: st.DataObject
) -> None:
    at = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=8)))
    pieces = [body[start:end] for start, end in zip([0, *at], [*at, len(body)], strict=True)]

    assert outcome(pieces, stream=stream) == outcome([body], stream=stream)


@pytest.mark.parametrize("body", REPLIES)
def test_bytes_may_come_one_by_one(body: bytes) -> None:
    one_by_one = [body[at : at + 1] for at in range(len(body))]

    assert outcome(one_by_one, stream=True) == outcome([body], stream=True)


@given(
    st.lists(st.binary(max_size=80), max_size=5), st.booleans(), st.sampled_from([200, 400, 529])
)
def test_arbitrary_bytes_raise_nothing_else(pieces: list[bytes], stream: bool, status: int) -> None:
    for lead in (b"", b"{", b'{"content":[', b"event: error\ndata: ", b'data: {"type":"'):
        outcome([lead, *pieces], stream=stream, status=status)


NAMES = st.sampled_from(
    """
    type id model content stop_reason usage error message index content_block delta text thinking
    partial_json name input input_tokens output_tokens cache_read_input_tokens signature
    """.split()  # noqa: SIM905, a list of names
)
KINDS = st.sampled_from(
    """
    message_start content_block_start content_block_delta content_block_stop message_delta
    message_stop error text thinking tool_use text_delta thinking_delta input_json_delta end_turn
    """.split()  # noqa: SIM905, a list of names
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | KINDS | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=5),
    max_leaves=20,
)
EVENTS = st.fixed_dictionaries(
    {"type": KINDS},
    optional={
        "index": st.integers(-1, 3) | JSON,
        "message": JSON,
        "content_block": st.fixed_dictionaries({"type": KINDS}, optional={"input": JSON}) | JSON,
        "delta": st.fixed_dictionaries({"type": KINDS}, optional={"partial_json": JSON}) | JSON,
        "usage": JSON,
        "error": JSON,
    },
)


@given(st.lists(EVENTS | JSON, max_size=8))
def test_arbitrary_events_raise_nothing_else(values: list[object]) -> None:
    body = b"".join(b"data: " + json.dumps(one).encode() + b"\n\n" for one in values)

    outcome([body], stream=True)
    outcome([start() + body + stop() + END], stream=True)


@given(
    st.dictionaries(NAMES, JSON, max_size=5),
    st.lists(st.fixed_dictionaries({"type": KINDS}, optional={"input": JSON, "text": JSON})),
)
def test_arbitrary_answers_raise_nothing_else(
    reply: dict[str, object], content: list[object]
) -> None:
    _, found = outcome([json.dumps({**reply, "content": content}).encode()], stream=False)

    if isinstance(found, Completion) and found.usage is not None:
        assert 0 <= found.usage.total_tokens < 2**31


BAD = Reason.UPSTREAM_MALFORMED_RESPONSE


# Each is a mebibyte; the parser skips it or gives up, and builds nothing of that size.
@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"[" * MIB, BAD),
        (b'{"x":' + b"[" * MIB, BAD),
        (b'{"content":' + b"[" * MIB, BAD),
        (b'{"content":' + b'{"a":' * (MIB // 5), BAD),
        (b'{"content":[' + b"{}," * (MIB // 3) + b"{}]}", BAD),
        (b'{"content":[],"usage":' + b"9" * MIB + b"}", None),
        (b'{"content":[],"usage":{"input_tokens":' + b"9" * MIB + b"}}", None),
        (b'{"id":"' + rb"\ud800" * (MIB // 6) + b'"}', Reason.UPSTREAM_EMPTY_RESPONSE),
        (b'{"id":"' + b"\xff" * MIB + b'"}', BAD),
        (b'{"content":[{"type":"tool_use","input":' + b"[" * MIB, BAD),
        (b'{"content":[{"type":"tool_use","input":"' + b"\xff" * MIB + b'"}]}', BAD),
        (b'{"error":' + b"[" * MIB, BAD),
        (b'{"type":"error","error":"' + b"\\" * MIB + b'"}', Reason.UPSTREAM_INTERNAL_ERROR),
        (b" " * MIB, Reason.UPSTREAM_EMPTY_RESPONSE),
        (b"data: " + b"[" * MIB, Reason.UPSTREAM_TRUNCATED),
        (b"data: " + b"[" * MIB + b"\n\n", BAD),
        (b'data: {"index":' + b"9" * MIB + b"}\n\n", BAD),
        (b'data: {"type":"message_start","message":' + b"[" * MIB + b"\n\n", BAD),
        (b"data: {}\n\n" * (MIB // 10), Reason.UPSTREAM_TRUNCATED),
        (b"event: ping\n\n" * (MIB // 13), Reason.UPSTREAM_TRUNCATED),
    ],
)
def test_a_mebibyte_of_malice_is_survived(body: bytes, reason: Reason | None) -> None:
    pieces = [body[at : at + 65_536] for at in range(0, len(body), 65_536)]
    started = perf_counter()

    _, found = outcome(pieces, stream=body.startswith((b"data", b"event")))

    assert perf_counter() - started < 2
    if reason is None:
        assert isinstance(found, Completion)
    else:
        assert isinstance(found, tuple)
        assert found[0] is reason


def test_more_tools_than_anybody_has_are_refused() -> None:
    calls = b"".join(tool("f", index=at) for at in range(200))

    _, found = outcome([start() + calls], stream=True)

    assert isinstance(found, tuple)
    assert found[0] is Reason.UPSTREAM_MALFORMED_RESPONSE


def test_blocks_of_wrong_types_are_malformed() -> None:
    for body in (
        start() + block(0, {"type": "text", "text": 1}),
        start() + block(0, {"type": "text"}, {"type": "text_delta", "text": []}),
        event("message_start", message=[]),
        message([{"type": "tool_use", "id": 5}]),
    ):
        _, found = outcome([body], stream=True)

        assert isinstance(found, tuple)
        assert found[0] is Reason.UPSTREAM_MALFORMED_RESPONSE
