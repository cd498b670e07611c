"""What Anthropic's answers mean, whole and streamed, and what may be odd about them."""

import pytest
from msgspec import UNSET

from understudy.server.domain.completion import Completion, Delta, PromptTokensDetails, Usage
from understudy.server.errors import Reason, UpstreamError
from understudy.server.providers import dialect

from .anthropic_events import END, PING, Json, block, event, message, start, stop, tool, words
from .samples import called, read, texts


def reading(*pieces: bytes, stream: bool = True) -> tuple[list[Delta], Completion]:
    return read(pieces, provider="anthropic", stream=stream)


def test_a_whole_answer_is_read() -> None:
    body = message(
        [
            {"type": "redacted_thinking", "data": "Eo"},
            {"type": "thinking", "thinking": "hm", "signature": "Eq"},
            {"type": "text", "text": "Hel"},
            {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}},
            {"type": "text", "text": "lo", "citations": [1]},
            {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {"at": 1}},
            {"type": "tool_use", "id": "toolu_2", "name": "wait"},
        ],
        "tool_use",
    )

    _, answer = reading(body, stream=False)

    told = answer.choices[0].message
    assert (told.role, told.content, told.reasoning_content) == ("assistant", "Hello", "hm")
    assert called(told) == [("look", '{"at": 1}'), ("wait", "{}")]
    assert told.tool_calls is not UNSET
    assert [(one.id, one.type) for one in told.tool_calls] == [
        ("toolu_1", "function"),
        ("toolu_2", "function"),
    ]
    assert answer.choices[0].finish_reason == "tool_calls"
    assert (answer.id, answer.model) == ("msg_1", "claude-x")
    assert answer.usage == Usage(10, 7, 17, PromptTokensDetails(5, 0, 2))


def test_a_stream_is_read() -> None:
    body = (
        start()
        + PING
        + block(
            0,
            {"type": "thinking", "thinking": "", "signature": ""},
            {"type": "thinking_delta", "thinking": "h"},
            {"type": "thinking_delta", "thinking": "m"},
            {"type": "signature_delta", "signature": "Eq"},
        )
        + words("Hel", "lo", index=1)
        + block(2, {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}})
        + tool("look", "", '{"a', 't": 1}', index=3)
        + tool("wait", "", index=4)
        + stop("tool_use")
        + END
    )

    deltas, answer = reading(body)

    told = answer.choices[0].message
    assert (told.content, told.reasoning_content) == ("Hello", "hm")
    assert called(told) == [("look", '{"at": 1}'), ("wait", "{}")]
    assert answer.choices[0].finish_reason == "tool_calls"
    assert answer.usage == Usage(10, 7, 17, PromptTokensDetails(5, 0, 2))
    assert (answer.id, answer.model) == ("msg_1", "claude-x")
    assert [one for one in texts(deltas) if isinstance(one, str)] == ["Hel", "lo"]
    assert [one.choices[0].message.role for one in deltas] == ["assistant"] + [""] * 9
    calls = [one.choices[0].message.tool_calls for one in deltas]
    assert [one[0].index for one in calls if one is not UNSET] == [0, 0, 0, 1, 1]
    assert {one.id for one in deltas} == {"msg_1"}


def test_whole_and_streamed_answers_are_alike() -> None:
    whole = [{"type": "text", "text": "Hi"}, {"type": "tool_use", "id": "toolu_1", "name": "f"}]

    _, streamed = reading(start() + words("H", "i") + tool("f", index=1) + stop() + END)
    _, unary = reading(message(whole), stream=False)

    assert streamed == unary


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("pause_turn", "length"),
        ("tool_use", "tool_calls"),
        ("refusal", "content_filter"),
        ("something_new", "something_new"),
    ],
)
def test_reasons_to_stop_have_openai_s_names(theirs: str, ours: str) -> None:
    _, unary = reading(message([], theirs), stream=False)
    _, streamed = reading(start() + stop(theirs) + END)

    assert unary.choices[0].finish_reason == streamed.choices[0].finish_reason == ours
    assert unary.choices[0].message.content is None


@pytest.mark.parametrize("stream", [True, False])
def test_the_framing_is_seen_and_not_believed(stream: bool) -> None:
    body = start() + words("Hi") + stop() + END

    deltas, answer = reading(body, stream=stream)
    none, whole = reading(message([{"type": "text", "text": "Hi"}]), stream=stream)

    assert bool(deltas) is stream
    assert none == []
    assert answer == whole


def test_a_reason_to_stop_is_an_end_and_so_is_one_without_its_blank_line() -> None:
    for end in (stop(), stop() + b"event: mess", END.rstrip(b"\n"), END):
        _, answer = reading(start() + words("Hi") + end)

        assert answer.choices[0].message.content == "Hi"


def test_what_follows_the_end_is_not_looked_at() -> None:
    reader = dialect("anthropic").reader(True, 200, {})

    reader.feed(start() + words("Hi") + stop() + END + b"data: {nonsense\n\n")

    assert reader.done
    assert reader.finish().choices[0].message.content == "Hi"


@pytest.mark.parametrize(
    ("usage", "told"),
    [
        ({"input_tokens": 3, "output_tokens": 7}, Usage(3, 7, 10)),
        ({"input_tokens": 3}, None),
        ({"output_tokens": 7}, None),
        ({"input_tokens": -1, "output_tokens": 7}, None),
        ({"input_tokens": 2**31, "output_tokens": 7}, None),
        ({"input_tokens": 2**31 - 2, "output_tokens": 7}, None),
        ({"input_tokens": "3", "output_tokens": 7}, None),
        (
            {"input_tokens": 3, "output_tokens": 7, "cache_read_input_tokens": 0},
            Usage(3, 7, 10, PromptTokensDetails()),
        ),
    ],
)
def test_what_was_not_counted_is_unknown(usage: Json, told: Usage | None) -> None:
    _, answer = reading(message([], usage=usage), stream=False)

    assert answer.usage == told


def test_later_figures_replace_earlier_ones() -> None:
    delta = {"stop_reason": "end_turn"}
    last = {"input_tokens": 4, "cache_creation_input_tokens": 0, "output_tokens": 9}

    _, answer = reading(start() + event("message_delta", delta=delta, usage=last) + END)

    assert answer.usage == Usage(9, 9, 18, PromptTokensDetails(5, 0, 0))


def test_arguments_may_come_with_the_beginning_of_a_call() -> None:
    _, answer = reading(start() + tool("f", given={"a": 1}) + stop("tool_use") + END)

    assert called(answer.choices[0].message) == [("f", '{"a": 1}')]


def test_what_is_not_known_is_passed_over() -> None:
    body = (
        start()
        + event("something_new", delta="of another shape", message=1, content_block=[])
        + block(0, {"type": "something_new"}, {"type": "new_delta", "partial_json": "{"})
        + b": a comment\n\n"
        + words("Hi", index=1)
        + event("content_block_delta", index=7, delta={"type": "input_json_delta"})
        + stop()
        + END
    )

    deltas, answer = reading(body)

    assert texts(deltas) == ["Hi", UNSET]
    assert answer.choices[0].message.content == "Hi"


def test_lone_surrogates_are_replaced_with_a_warning() -> None:
    body = start() + words("\ud83d") + stop() + END

    for reply, stream in ((body, True), (message([{"type": "text", "text": "\ud83d"}]), False)):
        _, answer = reading(reply, stream=stream)

        assert answer.choices[0].message.content == "\ufffd"
        assert [one.reason for one in answer.warnings] == ["REPLACED_CHARS"]


def test_an_answer_that_is_compressed_unasked_is_refused() -> None:
    reader = dialect("anthropic").reader(True, 200, {"content-encoding": "gzip"})

    with pytest.raises(UpstreamError) as caught:
        reader.feed(b"\x1f\x8b")

    assert caught.value.reason is Reason.UPSTREAM_BAD_ENCODING
