"""Whatever a provider sends, reading it ends in an answer or in an UpstreamError."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.server.domain.completion import Completion, Delta, Routing
from understudy.server.errors import Reason, UpstreamError
from understudy.server.providers import dialect
from understudy.server.servicers.write_answer import write_completion

from .samples import events, last, read, whole, word

MIB = 1024 * 1024

Outcome = tuple[list[Delta], Completion | tuple[Reason, str, int, int]]


def outcome(pieces: list[bytes], *, stream: bool, status: int = 200) -> Outcome:
    """Read a reply; return its deltas, and the answer or how it failed."""
    reader = dialect("openai").reader(stream, status, {})
    deltas: list[Delta] = []
    try:
        for piece in pieces:
            deltas.extend(reader.feed(piece))
        return deltas, reader.finish()
    except UpstreamError as error:
        return deltas, (error.reason, error.message, error.status, error.delivered)


STREAMS = [
    events([word("Hél"), word("lo \U0001f600"), last()]),
    events([word("a"), word("b", 1), last(), last(index=1)], end=b""),
    events([word("a")], end=b": bye\r\n\r\ndata: [DONE]"),
    events([word("a"), '{"error":{"message":"x","code":500}}', word("b")]),
    events(['{"error":{"message":"x","code":429}}']),
    events([word("a"), "{nonsense", word("b")]),
    events([word("a")], end=b"").replace(b"\n", b"\r\n"),
    events([word(r"\ud800"), last()]).replace(b"\n", b"\r"),
    events(['{"choices":[{"delta":{"tool_calls":[{"function":{"name":"f"}}]}}]}', last()]),
    events(
        [
            (
                '{"choices":[{"delta":{"content":[{"type":"thinking","thinking":[{"text":"Hm"}]},'
                '{"type":"text","text":"é"},{"type":"chart"}],"images":[{}]}}]}'
            ),
            '{"choices":[{"delta":{"tool_calls":[{"index":0,"id":"a","function":{"name":"f"}}]}}]}',
            (
                '{"choices":[{"delta":{"tool_calls":[{"index":0,"id":"b","function":{"name":"g"},'
                '"extra_content":{"x":1}}]}}]}'
            ),
            '{"choices":[],"x_groq":{"usage":{"prompt_tokens":1,"completion_tokens":2,"cost":0.5}}}',
            last(),
        ]
    ),
    whole('{"content":"a"}'),
    whole('{"content":"\\ud800"}')[:-3],
    b"  \n" + whole('{"content":"a"}'),
    b"<html>",
    b"",
]


@pytest.mark.parametrize("body", STREAMS)
@pytest.mark.parametrize("stream", [True, False])
@given(data=st.data())
def test_cuts_change_neither_deltas_nor_outcome(
    stream: bool, body: bytes, data: st.DataObject
) -> None:
    at = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=8)))
    pieces = [body[start:end] for start, end in zip([0, *at], [*at, len(body)], strict=True)]

    assert outcome(pieces, stream=stream) == outcome([body], stream=stream)


@pytest.mark.parametrize("body", STREAMS)
def test_bytes_may_come_one_by_one(body: bytes) -> None:
    one_by_one = [body[at : at + 1] for at in range(len(body))]

    assert outcome(one_by_one, stream=True) == outcome([body], stream=True)


@given(
    st.lists(st.binary(max_size=80), max_size=5), st.booleans(), st.sampled_from([200, 400, 503])
)
def test_arbitrary_bytes_raise_nothing_else(pieces: list[bytes], stream: bool, status: int) -> None:
    for lead in (b"", b"{", b'{"choices":[', b"data: ", b'data: {"choices":[{"delta":'):
        outcome([lead, *pieces], stream=stream, status=status)


NAMES = st.sampled_from(
    """
    id object created model choices usage error system_fingerprint index message delta content role
    finish_reason logprobs tool_calls function name arguments prompt_tokens total_tokens text
    completion_tokens refusal reasoning token logprob bytes top_logprobs prompt_tokens_details
    cost total_cost cached_tokens prompt_cache_hit_tokens thinking type images audio x_groq
    extra_content
    """.split()  # noqa: SIM905, as above
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=5),
    max_leaves=20,
)
REPLIES = st.fixed_dictionaries(
    {"choices": st.lists(st.dictionaries(NAMES, JSON, max_size=5), max_size=3)},
    optional={"usage": JSON, "error": JSON, "id": JSON, "created": JSON},
)


@given(st.lists(REPLIES | JSON, max_size=4))
def test_arbitrary_json_raises_nothing_else(values: list[object]) -> None:
    texts = [json.dumps(one) for one in values]

    outcome([events(texts)], stream=True)
    for text in texts:
        outcome([text.encode()], stream=False)


@given(REPLIES)
def test_answers_fit_the_wire(reply: dict[str, object]) -> None:
    _, found = outcome([json.dumps(reply).encode()], stream=False)

    if isinstance(found, Completion):
        assert 0 <= found.created < 2**63
        assert all(0 <= one.index < 2**31 for one in found.choices)
        if found.usage is not None:
            assert 0 <= found.usage.total_tokens < 2**31
        assert 0 <= (found.provider_cost_nano_usd or 0) < 2**63
        write_completion(found, Routing("p", "r", "g", "d", "openai", "m", 1, 1))


# Each is a mebibyte; the parser skips it or gives up, and builds nothing of that size.
@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"[" * MIB, Reason.UPSTREAM_MALFORMED_RESPONSE),
        (b'{"x":' + b"[" * MIB, Reason.UPSTREAM_MALFORMED_RESPONSE),
        (b'{"choices":' + b"[" * MIB, Reason.UPSTREAM_MALFORMED_RESPONSE),
        (b'{"choices":' + b'{"a":' * (MIB // 5), Reason.UPSTREAM_MALFORMED_RESPONSE),
        (b'{"choices":[' + b"{}," * (MIB // 3) + b"{}]}", Reason.UPSTREAM_MALFORMED_RESPONSE),
        (b'{"x":[' + b"[]," * (MIB // 3) + b"[]]}", Reason.UPSTREAM_EMPTY_RESPONSE),
        (b'{"created":' + b"9" * MIB + b"}", Reason.UPSTREAM_MALFORMED_RESPONSE),
        (b'{"usage":' + b"9" * MIB + b"}", Reason.UPSTREAM_EMPTY_RESPONSE),
        (b'{"id":"' + rb"\ud800" * (MIB // 6) + b'"}', Reason.UPSTREAM_EMPTY_RESPONSE),
        (b'{"id":"' + b"\\" * MIB + b'"}', Reason.UPSTREAM_EMPTY_RESPONSE),
        (b'{"id":"' + b"\xff" * MIB + b'"}', Reason.UPSTREAM_MALFORMED_RESPONSE),
        (b" " * MIB, Reason.UPSTREAM_EMPTY_RESPONSE),
        (b'{"error":' + b"[" * MIB, Reason.UPSTREAM_MALFORMED_RESPONSE),
        (
            b'{"choices":[{"message":{"tool_calls":[' + b"{}," * (MIB // 3) + b"{}]}}]}",
            Reason.UPSTREAM_MALFORMED_RESPONSE,
        ),
        (
            b'{"choices":[{"message":{"content":[' + b"{}," * (MIB // 3) + b"{}]}}]}",
            Reason.UPSTREAM_MALFORMED_RESPONSE,
        ),
        (
            b'{"choices":[{"message":{"content":[{"thinking":['
            + b"{}," * (MIB // 3)
            + b"{}]}]}}]}",
            None,
        ),
        (b'{"choices":[{"message":{"images":' + b"[" * MIB, Reason.UPSTREAM_MALFORMED_RESPONSE),
        (b'{"choices":[{"message":{"images":"' + b"a" * MIB + b'"}}]}', None),
        (b'{"choices":[{"message":{}}],"usage":{"cost":' + b"9" * MIB + b"}}", None),
        (
            b'{"choices":[{"message":{}}],"x_groq":{"error":' + b"[" * MIB,
            Reason.UPSTREAM_MALFORMED_RESPONSE,
        ),
        (
            b'{"choices":[{"message":{},"logprobs":{"content":[' + b"{}," * (MIB // 3) + b"{}]}}]}",
            None,
        ),
    ],
)
def test_a_mebibyte_of_malice_is_survived(body: bytes, reason: Reason | None) -> None:
    _, found = outcome([body], stream=False)

    if reason is None:
        assert isinstance(found, Completion)
    else:
        assert isinstance(found, tuple)
        assert found[0] is reason


@pytest.mark.parametrize("status", [400, 500])
@pytest.mark.parametrize(
    "body", [b"[" * MIB, b'{"error":' * 100_000, b"\xff" * MIB, b'{"error":"' + b"\\" * MIB]
)
def test_a_mebibyte_of_malicious_error_is_survived(status: int, body: bytes) -> None:
    _, found = outcome([body], stream=False, status=status)

    assert isinstance(found, tuple)
    assert len(found[1]) < 500


def test_duplicate_keys_and_nul_are_no_harm() -> None:
    _, answer = read([b'{"id":"a","id":"b","choices":[{"message":{"content":"x\\u0000y"}}]}'])

    assert answer.id == "b"
    assert answer.choices[0].message.content == "x\0y"
