"""Answers that come whole, and what may be odd about them."""

import pytest
from msgspec import UNSET

from understudy.server.domain.completion import (
    CompletionTokensDetails,
    PromptTokensDetails,
    Usage,
)
from understudy.server.errors import Reason, UpstreamError
from understudy.server.providers.assembly import as_delta

from .samples import called, events, last, read, whole, word

HELLO = '{"role":"assistant","content":"Hello"}'
PROVIDERS = ["openai", "azure", "huggingface", "together_ai", "baseten", "openrouter", "xai"]


def failure(body: bytes, *, stream: bool = False) -> UpstreamError:
    with pytest.raises(UpstreamError) as caught:
        read([body], stream=stream)
    return caught.value


@pytest.mark.parametrize("provider", PROVIDERS)
def test_an_answer_is_read_whole(provider: str) -> None:
    body = whole(
        HELLO,
        more=',"usage":{"prompt_tokens":5,"completion_tokens":7,"total_tokens":12,'
        '"prompt_tokens_details":{"cached_tokens":3},'
        '"completion_tokens_details":{"reasoning_tokens":2}},'
        '"system_fingerprint":"fp","service_tier":"flex","provider":"X","unknown":[{}]',
    )

    deltas, answer = read([body], provider=provider)

    assert deltas == []
    assert answer.choices[0].message.content == "Hello"
    assert answer.choices[0].message.role == "assistant"
    assert answer.choices[0].finish_reason == "stop"
    assert (answer.id, answer.model, answer.created) == ("c1", "m", 1700000000)
    assert (answer.system_fingerprint, answer.service_tier) == ("fp", "flex")
    assert answer.usage == Usage(
        5, 7, 12, PromptTokensDetails(cached_tokens=3), CompletionTokensDetails(reasoning_tokens=2)
    )
    assert answer.warnings == ()


@pytest.mark.parametrize(
    "head",
    [
        '"id":null,"created":null,"model":null',
        '"id":12,"created":1700000000.7,"object":null',
        '"id":"","created":"yesterday","system_fingerprint":null,"service_tier":null',
        '"created":1e300',
        '"created":-5,"usage":null,"error":null',
        '"error":"","usage":[]',
        '"usage":"lots","error":{}',
    ],
)
def test_odd_heads_do_no_harm(head: str) -> None:
    body = f'{{{head},"choices":[{{"message":{HELLO}}}]}}'

    _, answer = read([body.encode()])

    assert answer.choices[0].message.content == "Hello"
    assert answer.choices[0].finish_reason == ""
    assert answer.created in (0, 1700000000)


def test_tool_calls_come_with_no_content() -> None:
    message = (
        '{"content":null,"tool_calls":[{"id":"a","type":"function","index":0,"function":'
        '{"name":"f","arguments":"{\\"x\\": 1"}},{"id":null,"function":{"name":"g",'
        '"arguments":{"y" : 2}}},{"function":{"name":"h","arguments":null}}]}'
    )

    _, answer = read([whole(message, '"tool_calls"')])

    told = answer.choices[0].message
    assert told.content is None
    assert called(told) == [("f", '{"x": 1'), ("g", '{"y" : 2}'), ("h", "")]
    assert isinstance(told.tool_calls, tuple)
    assert {one.type for one in told.tool_calls} == {"function"}
    assert {one.index for one in told.tool_calls} == {UNSET}


def test_the_old_function_call_is_a_tool_call() -> None:
    _, answer = read([whole('{"content":null,"function_call":{"name":"f","arguments":"{}"}}')])

    assert called(answer.choices[0].message) == [("f", "{}")]


@pytest.mark.parametrize(
    ("message", "content"),
    [
        ('{"content":""}', ""),
        ('{"content":null,"refusal":"No."}', None),
        ('{"role":"assistant"}', None),
        ('{"content":[{"type":"text","text":"a"},{"type":"x"},{"text":"b"}]}', "ab"),
        ('{"content":"a\\u0000b"}', "a\0b"),
    ],
)
def test_content_may_be_absent_empty_or_in_parts(message: str, content: str | None) -> None:
    _, answer = read([whole(message)])

    assert answer.choices[0].message.content == content


@pytest.mark.parametrize("name", ["reasoning", "reasoning_content"])
def test_reasoning_goes_by_two_names(name: str) -> None:
    _, answer = read([whole(f'{{"content":"a","{name}":"thinking"}}')])

    assert answer.choices[0].message.reasoning_content == "thinking"


def test_an_unknown_finish_reason_is_passed_on() -> None:
    _, answer = read([whole(HELLO, '"model_got_bored"')])

    assert answer.choices[0].finish_reason == "model_got_bored"


@pytest.mark.parametrize(
    ("word_of_theirs", "ours"),
    [
        ("eos", "stop"),
        ("eos_token", "stop"),
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("model_length", "length"),
        ("model_context_window_exceeded", "length"),
        ("tool_use", "tool_calls"),
        ("function_call", "tool_calls"),
        ("refusal", "content_filter"),
        ("content_filtered", "content_filter"),
    ],
)
def test_an_end_that_openai_has_a_word_for_is_called_so(word_of_theirs: str, ours: str) -> None:
    _, answer = read([whole(HELLO, f'"{word_of_theirs}"')])
    _, streamed = read([events([word("Hi"), last(word_of_theirs)])], stream=True)

    assert answer.choices[0].finish_reason == streamed.choices[0].finish_reason == ours


def test_several_choices_keep_their_places() -> None:
    body = f'{{"choices":[{{"message":{HELLO}}},{{"index":null,"message":{HELLO}}}]}}'.encode()

    _, answer = read([body])

    assert [one.index for one in answer.choices] == [0, 1]


@pytest.mark.parametrize(
    "body",
    [
        b'{"choices":[]}',
        b'{"choices":null}',
        b"{}",
        b'{"choices":[{"index":0,"finish_reason":"stop"}]}',
        b'{"choices":[{"index":0,"message":null}]}',
        b"",
        b" \n\t ",
    ],
)
def test_no_choice_or_no_message_is_an_empty_response(body: bytes) -> None:
    error = failure(body)

    assert error.reason is Reason.UPSTREAM_EMPTY_RESPONSE
    assert error.status == 200


@pytest.mark.parametrize(
    "body",
    [
        b"<!doctype html><title>Welcome</title>",
        b"hello",
        b"error: nobody is there",
        b"internal failure",
        b"[]",
        b'"text"',
        b"null",
        b"\xef\xbb\xbf{}",
        whole(HELLO)[:-1],
        whole(HELLO) + b"x",
        whole('{"content":5}'),
        whole('{"content":NaN}'),
        whole('{"content":"\xff"}').replace(b"\xc3\xbf", b"\xff"),
        b'{"choices":{}}',
        b'{"choices":[null]}',
        b'{"choices":[1]}',
        b'{"choices":[{"index":-1,"message":{}}]}',
        b'{"choices":[{"index":1.5,"message":{}}]}',
        b'{"choices":[{"index":1e400,"message":{}}]}',
        b'{"x":' + b"[" * 100_000,
        b'{"x":' + b"[" * 2_000 + b"]" * 2_000 + b"}",
        b'{"model":{"a":1},"choices":[]}',
    ],
)
def test_what_is_no_answer_is_malformed(body: bytes) -> None:
    error = failure(body)

    assert error.reason is Reason.UPSTREAM_MALFORMED_RESPONSE
    assert error.status == 200
    assert len(error.message) < 300


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (r"a\ud800b", "a\ufffdb"),
        (r"\udc00", "\ufffd"),
        (r"\ud83d\ude00", "😀"),
        (r"\ud83d\ud83d\ude00\ude00", "\ufffd😀\ufffd"),
        (r"\\ud800", r"\ud800"),
        (r"\\\ud800", "\\\ufffd"),
        (r"\uD800\u0041", "\ufffdA"),
    ],
)
def test_lone_surrogates_are_replaced_with_a_warning(text: str, expected: str) -> None:
    _, answer = read([whole(f'{{"content":"{text} \\ud800"}}')])

    assert answer.choices[0].message.content == f"{expected} \ufffd"
    assert [one.reason for one in answer.warnings] == ["REPLACED_CHARS"]


def test_whole_characters_bring_no_warning() -> None:
    _, answer = read([whole(r'{"content":"\ud83d\ude00 \\ud800"}')])

    assert answer.choices[0].message.content == r"😀 \ud800"
    assert answer.warnings == ()


def test_a_stream_that_nobody_asked_for_is_put_together() -> None:
    body = events([word("Hel"), word("lo"), last()])

    deltas, answer = read([body])

    assert deltas == []
    assert answer.choices[0].message.content == "Hello"


def test_a_stream_that_nobody_asked_for_may_be_cut() -> None:
    error = failure(events([word("Hel")], end=b""))

    assert (error.reason, error.delivered) == (Reason.UPSTREAM_TRUNCATED, 0)


def test_a_whole_answer_can_stand_for_a_stream() -> None:
    message = '{"content":"Hi","tool_calls":[{"function":{"name":"f"}},{"function":{"name":"g"}}]}'
    deltas, answer = read([whole(message)], stream=True)

    delta = as_delta(answer)

    assert deltas == []
    assert delta.choices[0].message.content == "Hi"
    assert delta.choices[0].finish_reason == "stop"
    calls = delta.choices[0].message.tool_calls
    assert isinstance(calls, tuple)
    assert [one.index for one in calls] == [0, 1]
    assert delta.usage is None


def test_an_answer_over_the_cap_is_refused() -> None:
    piece = b" " * (1024 * 1024)

    with pytest.raises(UpstreamError) as caught:
        read([b"{", *[piece] * 33])

    assert caught.value.reason is Reason.UPSTREAM_RESPONSE_TOO_LARGE


def test_an_answer_that_says_it_is_over_the_cap_is_not_waited_for() -> None:
    with pytest.raises(UpstreamError) as caught:
        read([b"x"], headers={"content-length": "1000000000"})

    assert caught.value.reason is Reason.UPSTREAM_RESPONSE_TOO_LARGE


def test_compression_that_nobody_asked_for_is_refused() -> None:
    with pytest.raises(UpstreamError) as caught:
        read([b"\x1f\x8b"], headers={"content-encoding": "gzip"})

    assert caught.value.reason is Reason.UPSTREAM_BAD_ENCODING
