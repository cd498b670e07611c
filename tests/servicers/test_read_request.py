"""A caller's message becomes a domain value, or an error that names the field."""

from contextlib import suppress
from typing import Any

import pytest
from google.protobuf import json_format
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET, UnsetType

from understudy.server.domain.chat import Message, NamedTool
from understudy.server.errors import RequestError
from understudy.server.servicers.read_request import read_request
from understudy.v1 import completion_pb2

USER = {"role": "user", "content": "hi"}


def read(**fields: Any) -> Any:
    wire = json_format.ParseDict(
        {"model": "m", "messages": [USER], **fields}, completion_pb2.CreateCompletionRequest()
    )
    return read_request(wire, stream=False, deadline=1.0)


def test_a_prompt_typed_by_hand_is_read() -> None:
    request = read()

    assert request.target.model == "m"
    assert request.chat.messages == (Message("user", "hi"),)
    assert request.chat.params == {}


def test_only_what_is_set_is_passed_on() -> None:
    params = read(temperature=0, max_tokens=5, stop=["X"], seed="7", user="u").chat.params

    assert params == {"temperature": 0.0, "max_tokens": 5, "stop": ["X"], "seed": 7, "user": "u"}


def test_metadata_never_becomes_a_parameter() -> None:
    request = read(metadata={"team": "search"}, request_id="r-1")

    assert request.metadata == {"team": "search"}
    assert "metadata" not in request.chat.params


def test_json_texts_are_kept_byte_for_byte() -> None:
    text = '{"z": 1, "a": {"b": 10, "a": 1.50}}'
    request = read(
        tools=[{"function": {"name": "f", "parametersJson": text}}],
        response_format={"type": "json_schema", "jsonSchema": {"name": "s", "schemaJson": text}},
        extra_body_json=text,
    )

    function = request.chat.tools[0].function
    assert not isinstance(function, UnsetType)
    assert bytes(function.parameters) == text.encode()
    assert bytes(request.chat.response_format.json_schema.schema) == text.encode()
    assert {key: bytes(raw) for key, raw in request.chat.extra.items()} == {
        "z": b"1",
        "a": b'{"b": 10, "a": 1.50}',
    }


def test_structs_keep_whole_numbers_whole() -> None:
    request = read(tools=[{"function": {"name": "f", "parameters": {"minimum": 10}}}])

    function = request.chat.tools[0].function
    assert not isinstance(function, UnsetType)
    assert bytes(function.parameters) == b'{"minimum":10}'


def test_an_assistants_message_with_tool_calls_has_no_content() -> None:
    call = {"id": "c1", "function": {"name": "f", "arguments": "{}"}}
    request = read(messages=[USER, {"role": "assistant", "toolCalls": [call]}])

    message = request.chat.messages[1]
    assert message.content is None
    assert message.tool_calls[0].function.name == "f"


def test_unset_and_empty_content_differ() -> None:
    assert read(messages=[{"role": "user", "content": ""}]).chat.messages[0].content == ""


def test_parts_are_kept_in_order() -> None:
    parts = [{"text": "look"}, {"imageUrl": {"url": "https://example.com/x.png"}}]
    request = read(messages=[{"role": "user", "contentParts": parts}])

    content = request.chat.messages[0].content
    assert [part.type for part in content] == ["text", "image_url"]
    assert content[1].image_url.detail is UNSET


def test_a_function_may_be_chosen_by_name() -> None:
    choice = read(tool_choice={"function": "f"}).chat.tool_choice

    assert isinstance(choice, NamedTool)
    assert choice.function.name == "f"


def test_a_prompt_may_refuse_to_be_mirrored() -> None:
    assert read().may_mirror
    assert not read(mirror_mode="MIRROR_MODE_NEVER").may_mirror


FAULTS: list[tuple[dict[str, Any], str]] = [
    ({"messages": []}, "messages"),
    ({"messages": [{"content": "hi"}]}, "messages[0].role"),
    ({"messages": [USER, {"role": "user"}]}, "messages[1].content"),
    (
        {"messages": [{"role": "user", "content": "a", "contentParts": [{"text": "b"}]}]},
        "messages[0].content_parts",
    ),
    ({"messages": [{"role": "user", "contentParts": [{}]}]}, "messages[0].content_parts[0]"),
    ({"temperature": 2.1}, "temperature"),
    ({"temperature": "NaN"}, "temperature"),
    ({"max_tokens": 0}, "max_tokens"),
    ({"n": 129}, "n"),
    ({"top_p": -0.1}, "top_p"),
    ({"top_logprobs": 21}, "top_logprobs"),
    ({"logit_bias": {"50256": 101}}, "logit_bias['50256']"),
    ({"request_id": "x" * 129}, "request_id"),
    ({"request_id": "a\nb"}, "request_id"),
    ({"request_id": "é"}, "request_id"),
    ({"metadata": {"k" * 65: "v"}}, "metadata"),
    ({"metadata": {"k": "v" * 513}}, "metadata"),
    ({"tools": [{"function": {}}]}, "tools[0].function.name"),
    ({"tools": [{}]}, "tools[0].function"),
    (
        {"tools": [{"function": {"name": "f", "parametersJson": "[1]"}}]},
        "tools[0].function.parameters_json",
    ),
    ({"tool_choice": {"mode": "maybe"}}, "tool_choice.mode"),
    ({"response_format": {}}, "response_format.type"),
    ({"extra_body_json": "{"}, "extra_body_json"),
    ({"extra_body_json": '{"temperature": 1}'}, "extra_body_json"),
    ({"extra_body_json": '{"stream": true}'}, "extra_body_json"),
    ({"extra_body": {"model": "other"}}, "extra_body"),
    ({"model": "", "experiment": "no spaces"}, "experiment"),
    ({"model": "", "experiment": "e", "models": {"m": 1}}, "split_mode"),
]


@pytest.mark.parametrize(("fields", "field"), FAULTS)
def test_a_fault_is_named_by_its_path(fields: dict[str, Any], field: str) -> None:
    with pytest.raises(RequestError) as caught:
        read(**fields)

    assert caught.value.field == field


@given(st.binary(max_size=200))
def test_any_message_is_read_or_refused(data: bytes) -> None:
    """G-7: whatever parses as a request ends as a value or as a RequestError."""
    wire = completion_pb2.CreateCompletionRequest()
    with suppress(DecodeError):
        wire.ParseFromString(data)

    with suppress(RequestError):
        read_request(wire, stream=True, deadline=1.0)
