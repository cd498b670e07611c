"""Answers whose content is more than text: what is passed on, and what is named as lost."""

import pytest
from msgspec import UNSET, Raw

from understudy.server.domain.chat import Message
from understudy.server.domain.completion import Completion, Routing
from understudy.server.errors import Reason, UpstreamError
from understudy.server.servicers.write_answer import write_completion, write_delta

from .samples import called, events, last, read, whole

NOWHERE = Routing("p", "r", "g", "d", "openai", "m", 1, 1)


def chunk(delta: str) -> str:
    return f'{{"choices":[{{"index":0,"delta":{delta}}}]}}'


def read_both(message: str) -> tuple[Completion, Completion]:
    """Read a message whole, and as the one piece of a stream."""
    _, answer = read([whole(message)])
    _, streamed = read([events([chunk(message), last()])], stream=True)
    return answer, streamed


@pytest.mark.parametrize(
    ("message", "content", "reasoning"),
    [
        (
            (
                '{"content":[{"type":"thinking","thinking":[{"type":"text","text":"Hm"},'
                '{"type":"text","text":"."}],"closed":true},{"type":"text","text":"So."}]}'
            ),
            "So.",
            "Hm.",
        ),
        ('{"content":[{"type":"thinking","thinking":"Hm."}]}', "", "Hm."),
        (
            '{"content":[{"type":"thinking","thinking":[{"type":"reference"}]}]}',
            "",
            UNSET,
        ),
        ('{"content":[{"type":"thinking","thinking":5},{"text":"a"}]}', "a", UNSET),
        ('{"content":"So.","reasoning_content":"","reasoning":"Hm."}', "So.", "Hm."),
    ],
)
def test_thoughts_are_told_from_words(message: str, content: str, reasoning: object) -> None:
    for answer in read_both(message):
        told = answer.choices[0].message
        assert (told.content, told.reasoning_content) == (content, reasoning)
        assert answer.warnings == ()


def test_a_refusal_may_be_a_part() -> None:
    message = '{"content":[{"type":"refusal","refusal":"No"},{"type":"refusal","refusal":"."}]}'

    for answer in read_both(message):
        assert answer.choices[0].message.refusal == "No."
        assert answer.warnings == ()


@pytest.mark.parametrize(
    ("message", "kinds"),
    [
        ('{"content":[{"type":"reference","reference_ids":[1]},{"text":"a"}]}', ["reference"]),
        ('{"content":[{"type":"image_url","image_url":{}},{"type":"image_url"}]}', ["image_url"]),
        ('{"content":[{}]}', ["unknown"]),
        (
            '{"content":"a","images":[{"type":"image_url","image_url":{"url":"data:"}}]}',
            ["image"],
        ),
        ('{"content":null,"audio":{"id":"a","data":"UklGRg=="}}', ["audio"]),
        ('{"content":"a","images":[],"audio":null}', []),
        ('{"content":[{"type":"\\u0000\\u001b[31m"}]}', [r"\x00\x1b[31m"]),
    ],
)
def test_what_has_no_place_in_an_answer_is_named(message: str, kinds: list[str]) -> None:
    for answer in read_both(message):
        assert {one.reason for one in answer.warnings} <= {"DROPPED_CONTENT"}
        assert [one.message.split("'")[1] for one in answer.warnings] == kinds
        assert all(one.message.isprintable() for one in answer.warnings)


def test_there_are_no_more_warnings_than_anybody_reads() -> None:
    parts = ",".join(f'{{"type":"{"x" * 500}{at}"}}' for at in range(100))

    for answer in read_both(f'{{"content":[{parts}]}}'):
        assert len(answer.warnings) <= 8
        assert all(len(one.message) < 200 for one in answer.warnings)


SIGNED = (
    '{"id":"a","type":"function","function":{"name":"f","arguments":"{}"},'
    '"extra_content":{"google":{"thought_signature":"c2ln"}}}'
)


def test_what_a_provider_signs_a_call_with_reaches_the_caller() -> None:
    signature = '{"extra_content":{"google":{"thought_signature":"c2ln"}}}'
    message = f'{{"content":null,"tool_calls":[{SIGNED}]}}'

    for answer in read_both(message):
        calls = answer.choices[0].message.tool_calls
        assert calls is not UNSET
        assert calls[0].extra == {"extra_content": Raw(signature[17:-1].encode())}
        wire = write_completion(answer, NOWHERE)
        assert wire.choices[0].message.tool_calls[0].extra_json == signature

    deltas, _ = read([events([chunk(message), last()])], stream=True)
    piece = write_delta(deltas[0], None)
    assert piece.choices[0].delta.tool_calls[0].extra_json == signature


def test_parallel_calls_that_all_say_they_are_the_first_are_told_apart() -> None:
    def piece(name: str, arguments: str) -> str:
        call = (
            f'"index":0,"id":"id-{name}","function":{{"name":"{name}","arguments":"{arguments}"}}'
        )
        return chunk(f'{{"tool_calls":[{{{call}}}]}}')

    body = events([piece("f", "{}"), piece("g", "[]"), piece("h", ""), last("tool_calls")])

    deltas, answer = read([body], provider="gemini", stream=True)

    assert called(answer.choices[0].message) == [("f", "{}"), ("g", "[]"), ("h", "")]
    places = [one.choices[0].message.tool_calls for one in deltas[:-1]]
    assert [one[0].index for one in places if one is not UNSET] == [0, 1, 2]


def test_a_call_whose_id_changes_on_the_way_is_one_call() -> None:
    first = '{"index":0,"id":"a","function":{"name":"f","arguments":"{"}}'
    second = '{"index":0,"id":"b","function":{"arguments":"}"}}'
    body = events([*(chunk(f'{{"tool_calls":[{one}]}}') for one in (first, second)), last()])

    _, answer = read([body], stream=True)

    assert called(answer.choices[0].message) == [("f", "{}")]


def test_openrouter_s_broken_stream_is_a_failure() -> None:
    broken = (
        '{"id":"c","object":"chat.completion.chunk","provider":"X","error":{"code":502,"message":'
        '"Provider disconnected"},"choices":[{"index":0,"delta":{"content":""},'
        '"finish_reason":"error"}]}'
    )

    with pytest.raises(UpstreamError) as caught:
        read([events([broken])], provider="openrouter", stream=True)

    assert caught.value.reason is Reason.UPSTREAM_UNAVAILABLE


def test_gemini_s_broken_stream_is_a_failure() -> None:
    broken = '[{"error":{"code":503,"message":"The model is overloaded.","status":"UNAVAILABLE"}}]'

    with pytest.raises(UpstreamError) as caught:
        read([events([broken])], provider="gemini", stream=True)

    assert caught.value.reason is Reason.UPSTREAM_OVERLOADED


def test_groq_s_broken_stream_is_a_failure() -> None:
    broken = chunk("{}")[:-1] + ',"x_groq":{"id":"r","error":"over capacity"}}'

    with pytest.raises(UpstreamError) as caught:
        read([events([broken])], provider="groq", stream=True)

    assert caught.value.reason is Reason.UPSTREAM_OVERLOADED


def test_an_answer_of_nothing_but_text_has_no_extra() -> None:
    _, answer = read([whole('{"content":"a"}')])

    assert answer.choices[0].message == Message("assistant", "a")
