"""Answers that come piece by piece, and what may be odd about that."""

import pytest
from msgspec import UNSET

from understudy.server.domain.completion import Usage
from understudy.server.ports import Reader
from understudy.server.providers import dialect

from .samples import ROLE, USAGE, called, events, last, read, texts, whole, word

PROVIDERS = ["openai", "azure", "huggingface", "together_ai", "baseten", "openrouter", "xai"]


def reader() -> Reader:
    return dialect("openai").reader(True, 200, {"content-type": "text/event-stream"})


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_stream_is_read(provider: str) -> None:
    body = events([ROLE, word("Hel"), word("lo"), last(), USAGE])

    deltas, answer = read([body], provider=provider, stream=True)

    assert texts(deltas) == ["Hel", "lo", None]
    assert [one.choices[0].message.role for one in deltas] == ["assistant", "", ""]
    assert [one.choices[0].finish_reason for one in deltas] == ["", "", "stop"]
    assert answer.choices[0].message.content == "Hello"
    assert answer.choices[0].message.role == "assistant"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage == Usage(5, 7, 12)
    assert (answer.id, answer.model, answer.created) == ("c1", "m", 17)


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"])
@pytest.mark.parametrize("prefix", [b"data:", b"data: "])
def test_lines_end_as_they_like(end: bytes, prefix: bytes) -> None:
    chunks = [word("Hel"), word("lo"), last(), "[DONE]"]
    body = b"".join(prefix + one.encode() + end + end for one in chunks)

    deltas, answer = read([body], stream=True)

    assert texts(deltas) == ["Hel", "lo", None]
    assert answer.choices[0].message.content == "Hello"


def test_what_is_not_data_is_skipped() -> None:
    body = (
        b": OPENROUTER PROCESSING\n\n\n\nid: 5\nretry: 10\nevent: message\ndata: "
        + word("Hi").encode()
        + b"\n\n:\n\nevent: ping\n\ndata\n\ndata:\n\nnonsense\n\ndata: "
        + last().encode()
        + b"\n\ndata: [DONE]\n\n"
    )

    deltas, _ = read([body], stream=True)

    assert texts(deltas) == ["Hi", None]


def test_an_event_may_have_several_lines() -> None:
    body = b'data: {"choices":\ndata: [{"delta":\ndata: {"content":"Hi"}}]}\n\ndata: [DONE]\n\n'

    deltas, _ = read([body], stream=True)

    assert texts(deltas) == ["Hi"]


def test_pieces_that_say_nothing_commit_nobody() -> None:
    stream = reader()
    empty = '{"choices":[{"delta":{"role":"assistant","content":""},"finish_reason":null}]}'
    azure = '{"choices":[],"prompt_filter_results":[{"prompt_index":0}],"id":"","model":""}'
    filtered = '{"choices":[{"index":0,"content_filter_results":{},"finish_reason":null}]}'

    assert list(stream.feed(events([azure, empty, empty, filtered], end=b""))) == []
    assert texts(list(stream.feed(events([word("Hi")], end=b"")))) == ["Hi"]


def test_an_answer_may_be_empty() -> None:
    deltas, answer = read([events([ROLE, last()])], stream=True)

    assert [(one.message.role, one.finish_reason) for one in deltas[0].choices] == [
        ("assistant", "stop")
    ]
    assert answer.choices[0].message.content == ""


def test_tool_calls_are_joined_by_index_by_id_or_by_order() -> None:
    def piece(call: str) -> str:
        return f'{{"choices":[{{"delta":{{"tool_calls":[{call}]}}}}]}}'

    by_index = [
        '{"index":0,"id":"a","type":"function","function":{"name":"f","arguments":""}}',
        '{"index":1,"id":"b","function":{"name":"g","arguments":"{"}}',
        '{"index":0,"function":{"arguments":"{}"}}',
        '{"index":1,"function":{"arguments":"}"}}',
    ]
    by_id = [
        '{"id":"a","function":{"name":"f","arguments":"{"}}',
        '{"index":null,"id":"b","function":{"name":"g","arguments":"{}"}}',
        '{"id":"a","function":{"arguments":"}"}}',
    ]
    by_order = [
        '{"id":null,"function":{"name":"f","arguments":"{"}}',
        '{"function":{"name":null,"arguments":"}"}}',
        '{"function":{"name":"g","arguments":{}}}',
    ]
    for calls in (by_index, by_id, by_order):
        body = events([*map(piece, calls), last("tool_calls")])

        deltas, answer = read([body], stream=True)

        message = answer.choices[0].message
        assert message.content is None
        assert called(message) == [("f", "{}"), ("g", "{}")]
        pieces = [one.choices[0].message.tool_calls for one in deltas[:-1]]
        indexes = [one[0].index for one in pieces if one is not UNSET]
        assert set(indexes) == {0, 1}


def test_choices_that_are_mixed_are_sorted_out() -> None:
    body = events([word("b", 1), word("a"), word("B", 1), last(), last(index=1)])

    deltas, answer = read([body], stream=True)

    assert [one.message.content for one in answer.choices] == ["a", "bB"]
    assert [one.choices[0].message.role for one in deltas] == ["assistant", "assistant", "", "", ""]


def test_reasoning_refusals_and_probabilities_are_joined() -> None:
    chunks = [
        '{"choices":[{"delta":{"reasoning":"hm"}}]}',
        '{"choices":[{"delta":{"reasoning_content":"m"}}]}',
        '{"choices":[{"delta":{"refusal":"No"}}]}',
        (
            '{"choices":[{"delta":{"refusal":"."},"logprobs":'
            '{"content":[{"token":"a","logprob":-1}],"refusal":[{"token":".","logprob":-2}]}}]}'
        ),
        last(),
    ]

    _, answer = read([events(chunks)], stream=True)

    choice = answer.choices[0]
    assert choice.message.reasoning_content == "hmm"
    assert choice.message.refusal == "No."
    assert choice.message.content is None
    assert choice.logprobs is not None
    assert [one.token for one in choice.logprobs.refusal] == ["."]


def test_usage_that_is_repeated_counts_once() -> None:
    counted = (
        word("a")[:-1] + ',"usage":{"prompt_tokens":1,"completion_tokens":%d,"total_tokens":%d}}'
    )

    deltas, answer = read([events([counted % (1, 2), counted % (2, 3), last()])], stream=True)

    assert answer.usage == Usage(1, 2, 3)
    assert {one.usage for one in deltas} == {None}


def test_a_lone_surrogate_in_a_stream_is_replaced_with_a_warning() -> None:
    _, answer = read([events([word(r"\ud83d"), word("!"), last()])], stream=True)

    assert answer.choices[0].message.content == "\ufffd!"
    assert [one.reason for one in answer.warnings] == ["REPLACED_CHARS"]


def test_a_whole_answer_to_a_stream_leaves_the_delta_to_the_caller() -> None:
    deltas, answer = read([whole('{"content":"Hi"}')], stream=True)

    assert deltas == []
    assert answer.choices[0].message.content == "Hi"
