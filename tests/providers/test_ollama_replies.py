"""What Ollama's answers mean, whole and streamed, by both of its interfaces."""

import json

import pytest
from msgspec import UNSET

from understudy.server.domain.completion import PromptTokensDetails, TokenLogprob, TopLogprob, Usage
from understudy.server.errors import Reason

from .ollama_samples import DIALECTS, ENDED, WHEN, answered, failed, last, line, outcome, word
from .samples import called, texts


def test_a_whole_chat_is_read() -> None:
    reply = line({"content": "Hi", "thinking": "Greet."}, **ENDED)

    answer = answered(reply.rstrip())

    (choice,) = answer.choices
    assert (choice.message.role, choice.message.content) == ("assistant", "Hi")
    assert choice.message.reasoning_content == "Greet."
    assert choice.finish_reason == "stop"
    assert (answer.model, answer.created) == ("m", 1691164339)
    assert answer.usage == Usage(26, 3, 29)


def test_a_whole_generation_is_read() -> None:
    reply = line(response="Hi", thinking="Greet.", context=[1, 2], **ENDED)

    answer = answered(reply, provider="ollama")

    (choice,) = answer.choices
    assert (choice.message.role, choice.message.content) == ("assistant", "Hi")
    assert choice.message.reasoning_content == "Greet."
    assert answer.usage == Usage(26, 3, 29)


@pytest.mark.parametrize("provider", DIALECTS)
def test_a_stream_is_read_piece_by_piece(provider: str) -> None:
    pieces = {
        "ollama": [
            line(response="", thinking="Greet."),
            line(response="Hel"),
            line(response="lo"),
            line(response="", **ENDED),
        ],
        "ollama_chat": [
            line({"content": "", "thinking": "Greet."}),
            word("Hel"),
            word("lo"),
            last(),
        ],
    }[provider]

    deltas, _ = outcome(pieces, provider=provider)
    answer = answered(*pieces, stream=True, provider=provider)

    assert texts(deltas) == ["", "Hel", "lo", ""]
    assert [one.choices[0].message.role for one in deltas] == ["assistant", "", "", ""]
    assert deltas[0].choices[0].message.reasoning_content == "Greet."
    assert [one.choices[0].finish_reason for one in deltas] == ["", "", "", "stop"]
    assert {one.created for one in deltas} == {1691164339}
    assert answer.choices[0].message.content == "Hello"
    assert answer.choices[0].message.reasoning_content == "Greet."
    assert answer.usage == Usage(26, 3, 29)


def test_tool_calls_have_their_arguments_as_text_and_an_id() -> None:
    calls = [
        {"function": {"name": "look", "arguments": {"at": 1.0}}},
        {"id": "call_x", "function": {"index": 1, "name": "look", "arguments": {"at": 1.0}}},
        {"function": {"name": "look", "arguments": {"at": 1.0}}},
        {"function": {"name": "sniff"}},
    ]
    reply = line({"content": "", "tool_calls": calls}, **ENDED)

    answer = answered(reply)

    message = answer.choices[0].message
    assert called(message) == [*[("look", '{"at": 1.0}')] * 3, ("sniff", "{}")]
    assert answer.choices[0].finish_reason == "tool_calls"
    assert message.tool_calls is not UNSET
    idents = [str(one.id) for one in message.tool_calls]
    assert idents[1] == "call_x"
    assert len(set(idents)) == 4
    assert all(one.startswith("call_") for one in idents)
    assert answered(reply) == answer


def test_streamed_tool_calls_are_counted_over_all_lines() -> None:
    call: dict[str, object] = {"function": {"index": 0, "name": "look", "arguments": {}}}
    pieces = [word("I look."), *[line({"content": "", "tool_calls": [call]})] * 2, last()]

    deltas, _ = outcome(pieces)
    answer = answered(*pieces, stream=True)

    streamed = [
        one.index
        for delta in deltas
        for choice in delta.choices
        if choice.message.tool_calls is not UNSET
        for one in choice.message.tool_calls
    ]
    assert streamed == [0, 1]
    assert called(answer.choices[0].message) == [("look", "{}")] * 2
    assert answer.choices[0].finish_reason == "tool_calls"


def test_arguments_that_come_as_text_are_taken_as_they_are() -> None:
    call: dict[str, object] = {"function": {"name": "look", "arguments": '{"at":1}'}}

    answer = answered(line({"content": "", "tool_calls": [call]}, **ENDED))

    assert called(answer.choices[0].message) == [("look", '{"at":1}')]


@pytest.mark.parametrize(
    ("said", "meant"),
    [("stop", "stop"), ("length", "length"), ("load", "load"), ("weary", "weary"), (None, "stop")],
)
def test_reasons_to_end_pass_unless_they_mean_tools(said: str | None, meant: str) -> None:
    assert answered(word("a"), last(done_reason=said)).choices[0].finish_reason == meant


def test_a_cut_call_ended_for_its_length() -> None:
    call: dict[str, object] = {"function": {"name": "look", "arguments": {}}}

    answer = answered(line({"content": "", "tool_calls": [call]}), last(done_reason="length"))

    assert answer.choices[0].finish_reason == "length"


@pytest.mark.parametrize(
    ("counts", "usage"),
    [
        ({"prompt_eval_count": 5, "eval_count": 2}, Usage(5, 2, 7)),
        (
            {"prompt_eval_count": 5, "eval_count": 2, "prompt_eval_cached_count": 4},
            Usage(5, 2, 7, PromptTokensDetails(cached_tokens=4)),
        ),
        ({"prompt_eval_count": 0, "eval_count": 0}, Usage(0, 0, 0)),
        ({"prompt_eval_count": 5.0, "eval_count": 2}, Usage(5, 2, 7)),
        ({"prompt_eval_count": 5}, None),
        ({"eval_count": 2}, None),
        ({"prompt_eval_count": -1, "eval_count": 2}, None),
        ({"prompt_eval_count": "5", "eval_count": 2}, None),
        ({"prompt_eval_count": 5, "eval_count": 2**31}, None),
        ({"prompt_eval_count": 2**31 - 1, "eval_count": 1}, None),
        ({"prompt_eval_count": 10**40, "eval_count": 2}, None),
        ({"prompt_eval_count": [5], "eval_count": 2}, None),
        ({}, None),
    ],
)
def test_tokens_are_known_only_when_both_sides_are(
    counts: dict[str, object], usage: Usage | None
) -> None:
    assert answered(line({"content": "a"}, done=True, **counts)).usage == usage


@pytest.mark.parametrize(
    ("when", "created"),
    [
        (WHEN, 1691164339),
        ("2023-12-12T14:13:43.416799Z", 1702390423),
        ("0001-01-01T00:00:00Z", 0),
        ("0001-01-01T00:00:00+23:59", 0),
        ("9999-12-31T23:59:59-23:59", 253402387139),
        ("2023-12-12T14:13:43", 0),
        ("yesterday", 0),
        (17, 0),
        (None, 0),
        ([], 0),
    ],
)
def test_times_that_cannot_be_read_are_unsaid(when: object, created: int) -> None:
    assert answered(line({"content": "a"}, created_at=when, done=True)).created == created


def test_probabilities_are_read() -> None:
    top = [{"token": "Hey", "logprob": -0.5, "bytes": [72]}]
    first = [{"token": "Hi", "logprob": -0.25, "bytes": [72, 105], "top_logprobs": top}]
    second = [{"token": "!", "logprob": -1.5}]
    pieces = [
        line({"content": "Hi"}, logprobs=first),
        line({"content": "!"}, logprobs=second),
        last(),
    ]

    logprobs = answered(*pieces, stream=True).choices[0].logprobs

    assert logprobs is not None
    assert logprobs.content == (
        TokenLogprob("Hi", -0.25, (72, 105), (TopLogprob("Hey", -0.5, (72,)),)),
        TokenLogprob("!", -1.5),
    )


@pytest.mark.parametrize("odds", [17, "x", [17], [{"token": 1}], {"content": []}, None, []])
def test_probabilities_of_another_shape_are_none(odds: object) -> None:
    answer = answered(line({"content": "a"}, logprobs=odds, **ENDED))

    assert answer.choices[0].logprobs is None


def test_halves_of_surrogate_pairs_are_replaced_and_told() -> None:
    answer = answered(rb'{"message":{"content":"a\ud83d"},"done":true}')

    assert answer.choices[0].message.content == "a�"
    assert [one.reason for one in answer.warnings] == ["REPLACED_CHARS"]


def test_a_whole_answer_to_a_stream_is_read() -> None:
    reply = line({"content": "Hi"}, **ENDED).rstrip()

    deltas, _ = outcome([reply])

    assert deltas == []  # it is made one piece of, as every whole answer is
    assert answered(reply, stream=True).choices[0].message.content == "Hi"


def test_a_streamed_answer_to_a_call_for_a_whole_one_is_read() -> None:
    deltas, _ = outcome([word("Hel"), word("lo"), last()], stream=False)

    assert deltas == []
    assert answered(word("Hel"), word("lo"), last()).choices[0].message.content == "Hello"


def test_the_last_message_may_be_missing() -> None:
    answer = answered(word("Hi"), line(**ENDED), stream=True)

    assert answer.choices[0].message.content == "Hi"
    assert answer.choices[0].finish_reason == "stop"


def test_an_answer_may_be_empty_but_not_missing() -> None:
    assert answered(last()).choices[0].message.content == ""
    assert failed(line(**ENDED), stream=False) == (Reason.UPSTREAM_EMPTY_RESPONSE, 0)
    assert failed(line(**ENDED)) == (Reason.UPSTREAM_EMPTY_RESPONSE, 0)


def test_large_whole_answers_are_read() -> None:
    text = "x" * (5 * 1024 * 1024)  # more than a line of a stream may have

    assert answered(line({"content": text}, **ENDED)).choices[0].message.content == text
    assert failed(line({"content": text}, **ENDED)) == (Reason.UPSTREAM_RESPONSE_TOO_LARGE, 0)


def test_what_nobody_asked_for_is_no_matter() -> None:
    strange = {"role": None, "content": "a", "images": ["AAAA"], "mood": {"of": ["day"]}}

    answer = answered(json.dumps({"message": strange, "done": True, "context": "x"}).encode())

    assert answer.choices[0].message.content == "a"
