"""Whatever Ollama sends, however it is cut, reading it ends in an answer or an UpstreamError."""

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.server.domain.completion import Completion
from understudy.server.errors import Reason

from .ollama_samples import ENDED, Outcome, answered, last, line, outcome, word

MIB = 1024 * 1024
ERROR = b'{"error":"llama runner process has terminated"}\n'
CALL = {"function": {"name": "f", "arguments": {"a": "\U0001f600"}}}
REPLIES = [
    word("Hél") + word("lo \U0001f600") + last(),
    (word("a") + line({"content": "", "tool_calls": [CALL, CALL]}) + last()).replace(
        b"\n", b"\r\n"
    ),
    word("a") + ERROR + word("b"),
    ERROR,
    ERROR.rstrip(),
    word("a") + b"{nonsense\n" + word("b"),
    word("a"),
    word("a") + last().rstrip(),
    word("a") + line({"content": "b"}, **ENDED).rstrip(),
    line(response="a", thinking="b", **ENDED),
    word(r"\ud800") + rb'{"message":{"content":"\ud800"},"done":true}' + b"\n",
    line({"content": "a"}, **ENDED)[:-5],
    b"  \n" + last() + word("b"),
    b"{}",
    b"<html>",
    b"",
]


def cut(body: bytes, at: list[int]) -> list[bytes]:
    return [body[start:end] for start, end in pairwise([0, *sorted(at), len(body)])]


@pytest.mark.parametrize("body", REPLIES)
@pytest.mark.parametrize("stream", [True, False])
@given(data=st.data())
def test_cuts_change_neither_deltas_nor_outcome(
    stream: bool, body: bytes, data: st.DataObject
) -> None:
    pieces = cut(body, data.draw(st.lists(st.integers(0, len(body)), max_size=8)))

    assert outcome(pieces, stream=stream) == outcome([body], stream=stream)


@pytest.mark.parametrize("body", REPLIES)
@pytest.mark.parametrize("stream", [True, False])
def test_bytes_may_come_one_by_one(stream: bool, body: bytes) -> None:
    one_by_one = cut(body, list(range(len(body))))

    assert outcome(one_by_one, stream=stream) == outcome([body], stream=stream)


@given(
    st.lists(st.binary(max_size=80), max_size=5), st.booleans(), st.sampled_from([200, 400, 503])
)
def test_arbitrary_bytes_raise_nothing_else(pieces: list[bytes], stream: bool, status: int) -> None:
    for lead in (b"", b"{", b'{"message":{', b'{"done":true,"message":{"tool_calls":[', word("a")):
        outcome([lead, *pieces], stream=stream, status=status)


NAMES = st.sampled_from(
    """
    model created_at message response thinking done done_reason prompt_eval_count eval_count
    prompt_eval_cached_count logprobs error role content tool_calls id function name arguments
    index token logprob bytes top_logprobs
    """.split()  # noqa: SIM905, fifty quotation marks would not be clearer
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=5),
    max_leaves=20,
)
LINES = st.fixed_dictionaries(
    {"message": st.dictionaries(NAMES, JSON, max_size=5) | JSON},
    optional={
        "done": st.booleans(),
        "created_at": JSON | st.datetimes().map(lambda at: f"{at.isoformat()}Z"),
        "logprobs": JSON,
        "eval_count": JSON,
        "prompt_eval_count": JSON,
        "error": JSON,
    },
)


@given(st.lists(LINES | JSON, max_size=4))
def test_arbitrary_json_raises_nothing_else(values: list[object]) -> None:
    body = b"".join(json.dumps(one).encode() + b"\n" for one in values)

    for found in (outcome([body])[1], outcome([body], stream=False)[1]):
        if isinstance(found, Completion):
            assert 0 <= found.created < 2**63
            assert found.usage is None or 0 <= found.usage.total_tokens < 2**31


def survived(body: bytes) -> list[Outcome]:
    return [outcome([body], stream=stream) for stream in (True, False)]


# Each is a mebibyte; the parser skips it or gives up, and builds nothing of that size.
@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"[" * MIB, Reason.UPSTREAM_MALFORMED_RESPONSE),
        (b'{"x":' + b"[" * MIB, None),
        (b'{"x":' + b"[" * MIB + b"\n", Reason.UPSTREAM_MALFORMED_RESPONSE),
        (b'{"message":' + b'{"a":' * (MIB // 5) + b"\n", Reason.UPSTREAM_MALFORMED_RESPONSE),
        (b'{"message":{"role":' + b"9" * MIB + b"}}\n", Reason.UPSTREAM_MALFORMED_RESPONSE),
        (b'{"error":' + b"[" * MIB + b"\n", Reason.UPSTREAM_MALFORMED_RESPONSE),
        (b'{"model":"' + b"\xff" * MIB + b'"}\n', Reason.UPSTREAM_MALFORMED_RESPONSE),
        (
            b'{"message":{"tool_calls":[' + b"{}," * (MIB // 3) + b"{}]}}\n",
            Reason.UPSTREAM_MALFORMED_RESPONSE,
        ),
        (b'{"error":"' + b"\\" * MIB + b'"}\n', Reason.UPSTREAM_INTERNAL_ERROR),
        (b" " * MIB, None),
        (b"\n" * MIB, None),
        (b"{}\n" * (MIB // 3), None),
    ],
)
def test_a_mebibyte_of_malice_is_survived(body: bytes, reason: Reason | None) -> None:
    for _, found in survived(body):
        assert isinstance(found, tuple)
        assert reason is None or found[0] is reason
        assert len(found[1]) < 500


@pytest.mark.parametrize(
    "figures",
    [
        b'"eval_count":' + b"9" * MIB,
        b'"created_at":"' + b"9" * MIB + b'"',
        b'"created_at":' + b"9" * MIB,
        b'"logprobs":[' + b"{}," * (MIB // 3) + b"{}]",
        b'"context":[' + b"1," * (MIB // 2) + b"1]",
        b'"done_reason":"stop","done_reason":"stop"',
    ],
)
def test_an_answer_is_not_refused_over_its_figures(figures: bytes) -> None:
    answer = answered(b'{"message":{"content":"a\\u0000b"},"done":true,' + figures + b"}")

    assert answer.choices[0].message.content == "a\0b"
