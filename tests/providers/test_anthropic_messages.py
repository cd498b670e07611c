"""How a conversation becomes Anthropic's system prompt and turns."""

import json
from base64 import b64encode
from typing import cast

import pytest
from msgspec import Raw

from understudy.server.domain.chat import (
    ChatCall,
    ContentPart,
    FunctionCall,
    ImageUrl,
    InputAudio,
    InputFile,
    Message,
    ToolCall,
)
from understudy.server.errors import Reason, RequestError
from understudy.server.providers import dialect

from .anthropic_prompts import claude, refusal_of

Blocks = list[dict[str, object]]

HI = Message("user", "Hi")


def text(words: str) -> dict[str, object]:
    return {"type": "text", "text": words}


def written(*messages: Message) -> tuple[Blocks, list[tuple[str, Blocks]]]:
    """The system prompt, and each turn's side and blocks."""
    request = dialect("anthropic").encode(ChatCall(messages, {}), claude())
    body = json.loads(request.body)
    turns = cast(list[dict[str, object]], body["messages"])
    return (
        cast(Blocks, body.get("system", [])),
        [(cast(str, one["role"]), cast(Blocks, one["content"])) for one in turns],
    )


def user_blocks(*parts: ContentPart) -> Blocks:
    return written(Message("user", parts))[1][0][1]


def calling(*calls: ToolCall) -> Message:
    return Message("assistant", None, tool_calls=calls)


def test_what_the_system_says_is_gathered_in_order() -> None:
    system, turns = written(
        Message("system", "One"),
        HI,
        Message("developer", (ContentPart("text", text="Two"), ContentPart("text", text="Three"))),
        Message("user", "Ho"),
    )

    assert system == [text("One"), text("Two"), text("Three")]
    assert turns == [("user", [text("Hi"), text("Ho")])]


def test_consecutive_messages_of_one_side_are_one_turn() -> None:
    _, turns = written(
        HI, Message("user", "Ho"), Message("assistant", "A"), Message("assistant", "B"), HI
    )

    assert turns == [
        ("user", [text("Hi"), text("Ho")]),
        ("assistant", [text("A"), text("B")]),
        ("user", [text("Hi")]),
    ]


def test_text_that_shows_nothing_is_left_out() -> None:
    system, turns = written(
        Message("system", ""),
        Message("user", (ContentPart("text", text=" \n"), ContentPart("text", text="Hi"))),
        Message("assistant", ""),
        Message("user", "Ho"),
    )

    assert system == []
    assert turns == [("user", [text("Hi"), text("Ho")])]


def test_tool_calls_and_their_results_become_blocks() -> None:
    calls = (
        ToolCall("call_1", "function", FunctionCall("look", '{"at": 1.0}'), index=0),
        ToolCall("a.b:0", "function", FunctionCall("wait", "")),
    )

    _, turns = written(
        HI,
        Message("assistant", "Let me see.", tool_calls=calls, reasoning_content="hm"),
        Message("tool", "a cat", tool_call_id="call_1", name="look"),
        Message(
            "tool",
            (ContentPart("text", text="done"),),
            tool_call_id="a.b:0",
            extra={"is_error": Raw(b"false")},
        ),
        Message("user", "And?"),
    )

    assert turns[1] == (
        "assistant",
        [
            text("Let me see."),
            {"type": "tool_use", "id": "call_1", "name": "look", "input": {"at": 1.0}},
            {"type": "tool_use", "id": "a_b_0", "name": "wait", "input": {}},
        ],
    )
    assert turns[2] == (
        "user",
        [
            {"type": "tool_result", "tool_use_id": "call_1", "content": "a cat"},
            {
                "type": "tool_result",
                "tool_use_id": "a_b_0",
                "content": [text("done")],
                "is_error": False,
            },
            text("And?"),
        ],
    )


@pytest.mark.parametrize("arguments", ["{", "[1]", "1", '"{}"', '{"a":' + "[" * 100_000, "\ud800"])
def test_arguments_that_are_no_object_are_the_caller_s_to_mend(arguments: str) -> None:
    bad = calling(ToolCall("c", "function", FunctionCall("f", arguments)))

    with pytest.raises(RequestError) as caught:
        written(HI, bad)

    assert caught.value.field == "messages[1].tool_calls[0].function.arguments"
    assert caught.value.reason is Reason.INVALID_REQUEST


@pytest.mark.parametrize(
    ("message", "field"),
    [
        (calling(ToolCall(function=FunctionCall("f"))), "messages[1].tool_calls[0].id"),
        (Message("tool", "x"), "messages[1].tool_call_id"),
    ],
)
def test_calls_and_results_that_name_no_call_are_the_caller_s_to_mend(
    message: Message, field: str
) -> None:
    with pytest.raises(RequestError) as caught:
        written(HI, message)

    assert caught.value.field == field


def test_pictures_come_by_url_or_inline() -> None:
    assert user_blocks(
        ContentPart("image_url", image_url=ImageUrl("https://x.example/a.png", "low")),
        ContentPart("image_url", image_url=ImageUrl("data:image/PNG;base64,iVBORw0=")),
    ) == [
        {"type": "image", "source": {"type": "url", "url": "https://x.example/a.png"}},
        {
            "type": "image",
            "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0="},
        },
    ]


def test_documents_are_pdf_or_text() -> None:
    words = b64encode("Grüße".encode()).decode()

    blocks = user_blocks(
        ContentPart("file", file=InputFile("data:application/pdf;base64,JVBERi0=", filename="a")),
        ContentPart("file", file=InputFile("JVBERi0=")),
        ContentPart("file", file=InputFile(f"data:text/markdown;charset=utf-8;base64,{words}")),
        ContentPart("file", file=InputFile(file_id="file_1")),
    )

    pdf = {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="}
    assert blocks == [
        {"type": "document", "source": pdf, "title": "a"},
        {"type": "document", "source": pdf},
        {
            "type": "document",
            "source": {"type": "text", "media_type": "text/plain", "data": "Grüße"},
        },
        {"type": "document", "source": {"type": "file", "file_id": "file_1"}},
    ]


@pytest.mark.parametrize(
    "part",
    [
        ContentPart("image_url", image_url=ImageUrl("data:image/png,xyz")),
        ContentPart("image_url", image_url=ImageUrl("data:;base64,xyz")),
        ContentPart("file", file=InputFile("data:text/plain;base64,!")),
        ContentPart("file", file=InputFile("data:text/plain;base64,//8=")),
        ContentPart("file", file=InputFile()),
    ],
)
def test_media_that_cannot_be_read_are_the_caller_s_to_mend(part: ContentPart) -> None:
    with pytest.raises(RequestError, match=r"messages\[0\]\.content\[0\]"):
        user_blocks(part)


@pytest.mark.parametrize(
    "part",
    [
        ContentPart("input_audio", input_audio=InputAudio("AAAA", "wav")),
        ContentPart("image_url", image_url=ImageUrl("http://x.example/a.png")),
        ContentPart("file", file=InputFile("data:application/zip;base64,AAAA")),
    ],
)
def test_media_that_cannot_be_carried_are_lost(part: ContentPart) -> None:
    prompt = ChatCall((Message("user", (ContentPart("text", text="Hi"), part)),), {})

    assert refusal_of(prompt) == "messages[0].content[1]"


@pytest.mark.parametrize(
    ("message", "field"),
    [
        (Message("user", "Hi", name="bob"), "messages[1].name"),
        (Message("function", "x", name="f"), "messages[1]"),
        (Message("user", "Hi", extra={"vendor": Raw(b"1")}), "messages[1].vendor"),
        (calling(ToolCall("c", "custom")), "messages[1].tool_calls[0]"),
        (
            Message("system", (ContentPart("image_url", image_url=ImageUrl("https://x/a")),)),
            "messages[1].content[0]",
        ),
    ],
)
def test_what_has_no_place_in_a_turn_is_lost(message: Message, field: str) -> None:
    assert refusal_of(ChatCall((HI, message), {})) == field


def test_refusals_are_said_again_as_text() -> None:
    _, turns = written(
        HI,
        Message("assistant", None, refusal="No."),
        Message("assistant", (ContentPart("refusal", refusal="Never."),)),
    )

    assert turns[1] == ("assistant", [text("No."), text("Never.")])


def test_anthropic_s_own_parts_and_marks_pass_byte_for_byte() -> None:
    mark = {"cache_control": Raw(b'{"type" : "ephemeral"}')}
    messages = (
        Message("system", "One", extra=mark),
        Message(
            "user",
            (
                ContentPart("text", text="A", extra=mark),
                ContentPart("search_result", extra={"title": Raw(b'"t"')}),
            ),
        ),
        Message("user", "B", extra=mark),
    )

    body = dialect("anthropic").encode(ChatCall(messages, {}), claude()).body

    assert body.count(b'"cache_control":{"type" : "ephemeral"}') == 3
    assert b'"text":"B","cache_control":' in body
    assert b'{"type":"search_result","title":"t"}' in body


@pytest.mark.parametrize(
    "messages",
    [
        (Message("assistant", "Hi"), HI),
        (Message("system", "Hi"),),
        (Message("user", " "),),
    ],
)
def test_a_conversation_begins_with_a_user(messages: tuple[Message, ...]) -> None:
    with pytest.raises(RequestError, match="begin with what a user says") as caught:
        written(*messages)

    assert caught.value.field == "messages"
    assert caught.value.reason is Reason.UNSUPPORTED_PARAMETER
