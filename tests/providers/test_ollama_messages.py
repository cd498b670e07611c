"""How a conversation is written for Ollama, and what it has no words for."""

from dataclasses import replace
from typing import cast

import pytest
from msgspec import UNSET, Raw, UnsetType

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

from .ollama_samples import DIALECTS, body_of, target


def chat(*messages: Message) -> ChatCall:
    return ChatCall(messages, {})


def messages_of(*messages: Message) -> list[dict[str, object]]:
    return cast(list[dict[str, object]], body_of(chat(*messages))["messages"])


def text(words: str) -> ContentPart:
    return ContentPart("text", text=words)


def picture(url: str) -> ContentPart:
    return ContentPart("image_url", image_url=ImageUrl(url))


def calls(
    arguments: str, name: str = "look", ident: str | UnsetType = "call_1"
) -> tuple[ToolCall, ...]:
    return (ToolCall(ident, "function", FunctionCall(name, arguments)),)


def test_words_and_pictures_in_parts_are_told_apart() -> None:
    parts = (text("What"), picture("data:image/png;base64,iVBOR"), text("is this?"))

    assert messages_of(Message("user", parts)) == [
        {"role": "user", "content": "What\n\nis this?", "images": ["iVBOR"]}
    ]


@pytest.mark.parametrize(
    ("url", "image"),
    [
        ("data:image/png;base64,iVBOR==", "iVBOR=="),
        ("DATA:image/png;charset=utf-8;BASE64,iVBOR", "iVBOR"),
        ("data:,a%20b", "YSBi"),
        ("data:image/svg+xml,<svg/>", "PHN2Zy8+"),
    ],
)
@pytest.mark.parametrize("provider", DIALECTS)
def test_data_urls_become_base64(provider: str, url: str, image: str) -> None:
    body = body_of(chat(Message("user", (picture(url),))), target(provider))

    assert f'"images": ["{image}"]' in str(body).replace("'", '"')


@pytest.mark.parametrize("provider", DIALECTS)
@pytest.mark.parametrize(
    "part",
    [
        picture("https://x.example/a.png"),
        picture("http://x.example/a.png"),
        picture("file:///etc/passwd"),
        picture("iVBOR"),
        picture("data:image/png"),
        ContentPart("input_audio", input_audio=InputAudio("AAAA", "wav")),
        ContentPart("file", file=InputFile("data:application/pdf;base64,AAAA")),
        ContentPart("hologram"),
    ],
)
def test_other_content_is_an_error_or_a_recorded_loss(provider: str, part: ContentPart) -> None:
    prompt = chat(Message("user", (text("Look."), part)))

    with pytest.raises(RequestError) as caught:
        body_of(prompt, target(provider))
    dropping = replace(target(provider), drop_params=True)
    request = dialect(provider).encode(prompt, dropping)

    assert caught.value.reason is Reason.UNSUPPORTED_PARAMETER
    assert caught.value.field == "messages[0].content[1]"
    assert [one.reason for one in request.warnings] == ["DROPPED_PARAMETER"]
    assert b"Look." in request.body
    assert b"images" not in request.body


def test_tool_calls_go_as_objects_and_answers_by_the_function_s_name() -> None:
    found = messages_of(
        Message("user", "Look."),
        Message("assistant", None, tool_calls=calls('{"at" : 1.0}')),
        Message("tool", "a cat", tool_call_id="call_1"),
        Message("tool", "a dog", name="sniff", tool_call_id="call_2"),
        Message("function", "a cow", name="hear"),
        Message("tool", "silence"),
    )

    assert found == [
        {"role": "user", "content": "Look."},
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [
                {"id": "call_1", "function": {"name": "look", "arguments": {"at": 1.0}}}
            ],
        },
        {"role": "tool", "content": "a cat", "tool_name": "look", "tool_call_id": "call_1"},
        {"role": "tool", "content": "a dog", "tool_name": "sniff", "tool_call_id": "call_2"},
        {"role": "tool", "content": "a cow", "tool_name": "hear"},
        {"role": "tool", "content": "silence"},
    ]


def test_an_id_that_is_used_again_means_the_newer_call() -> None:
    found = messages_of(
        Message("assistant", None, tool_calls=calls("{}", "look")),
        Message("tool", "a cat", tool_call_id="call_1"),
        Message("assistant", None, tool_calls=calls("{}", "sniff")),
        Message("tool", "a dog", tool_call_id="call_1"),
    )

    assert [one.get("tool_name") for one in found if "tool_name" in one] == ["look", "sniff"]


def test_arguments_keep_their_bytes() -> None:
    arguments = '{"z" : 12345678901234567890, "a": 1.0}'
    prompt = chat(Message("assistant", None, tool_calls=calls(arguments)))

    assert arguments.encode() in dialect("ollama_chat").encode(prompt, target()).body


@pytest.mark.parametrize("arguments", ["", " \n", "{}"])
def test_no_arguments_are_an_empty_object(arguments: str) -> None:
    prompt = chat(Message("assistant", None, tool_calls=calls(arguments, ident=UNSET)))

    assert b'{"function":{"name":"look","arguments":{}}}' in (
        dialect("ollama_chat").encode(prompt, target()).body
    )


@pytest.mark.parametrize("arguments", ["[1]", "17", '{"a":', "look at it", "{" * 100_000])
def test_arguments_that_are_no_object_are_an_error_or_a_recorded_loss(arguments: str) -> None:
    prompt = chat(Message("assistant", None, tool_calls=calls(arguments)))

    with pytest.raises(RequestError) as caught:
        body_of(prompt)
    request = dialect("ollama_chat").encode(prompt, replace(target(), drop_params=True))

    assert caught.value.field == "messages[0].tool_calls[0].function.arguments"
    assert b'"arguments":{}' in request.body
    assert len(request.warnings) == 1


def test_calls_of_other_things_than_functions_cannot_be_told() -> None:
    prompt = chat(Message("assistant", None, tool_calls=(ToolCall("call_1", "custom"),)))

    with pytest.raises(RequestError) as caught:
        body_of(prompt)

    assert caught.value.field == "messages[0].tool_calls[0]"


@pytest.mark.parametrize("provider", DIALECTS)
def test_names_of_speakers_cannot_be_told(provider: str) -> None:
    with pytest.raises(RequestError) as caught:
        body_of(chat(Message("user", "Hi.", name="Ann")), target(provider))

    assert caught.value.field == "messages[0].name"


def test_thoughts_refusals_and_members_of_the_caller_s_own_are_told() -> None:
    found = messages_of(
        Message("developer", "Be terse."),
        Message("assistant", "Hi.", reasoning_content="Greet."),
        Message("assistant", None, refusal="No."),
        Message("user", "Why?", extra={"note": Raw(b"1"), "content": Raw(b'"x"')}),
        Message("control", "thinking"),
    )

    assert found == [
        {"role": "system", "content": "Be terse."},
        {"role": "assistant", "content": "Hi.", "thinking": "Greet."},
        {"role": "assistant", "content": "No."},
        {"role": "user", "content": "Why?", "note": 1},
        {"role": "control", "content": "thinking"},
    ]


def test_a_conversation_becomes_one_prompt() -> None:
    body = body_of(
        chat(
            Message("system", "Be terse."),
            Message("developer", "Be kind."),
            Message("user", (text("Look."), picture("data:image/png;base64,AAAA"))),
            Message("assistant", "A cat."),
            Message("system", "Be quick."),
            Message("user", (text("And this?"), picture("data:image/png;base64,BBBB"))),
            Message("assistant", None),
        ),
        target("ollama"),
    )

    assert body == {
        "model": "llama3.2",
        "prompt": (
            "### User:\nLook.\n\n### Assistant:\nA cat.\n\n"
            "### System:\nBe quick.\n\n### User:\nAnd this?\n\n"
        ),
        "system": "Be terse.\n\nBe kind.",
        "images": ["AAAA", "BBBB"],
        "stream": False,
    }


@pytest.mark.parametrize(
    ("message", "field"),
    [
        (Message("assistant", "I look.", tool_calls=calls("{}")), "messages[1].tool_calls"),
        (Message("tool", "a cat", tool_call_id="call_1"), "messages[1]"),
    ],
)
def test_what_became_of_tools_has_no_place_in_a_prompt(message: Message, field: str) -> None:
    prompt = chat(Message("user", "Look."), message)

    with pytest.raises(RequestError, match="ollama_chat/") as caught:
        body_of(prompt, target("ollama"))
    body = body_of(prompt, replace(target("ollama"), drop_params=True))

    assert caught.value.field == field
    assert "cat" not in str(body["prompt"])


@pytest.mark.parametrize("provider", DIALECTS)
@pytest.mark.parametrize(
    "message",
    [
        Message("user", "\ud800"),
        Message("user", (picture("data:,\ud800"),)),
    ],
)
def test_a_lone_surrogate_is_the_caller_s_to_mend(provider: str, message: Message) -> None:
    with pytest.raises(RequestError, match="lone surrogate"):
        body_of(chat(message), target(provider))
