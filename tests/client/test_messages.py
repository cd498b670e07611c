"""Messages in OpenAI's shape become proto messages, whole."""

from collections.abc import Mapping

import pytest

from understudy.client.parameters import MessageInput
from understudy.client.requests import build_request
from understudy.v1.chat_pb2 import (
    ChatMessage,
    ContentPart,
    FunctionCall,
    ImageUrl,
    InputAudio,
    InputFile,
    ToolCall,
)

MESSAGES: dict[str, tuple[Mapping[str, object], ChatMessage]] = {
    "text": ({"role": "user", "content": "hi"}, ChatMessage(role="user", content="hi")),
    "empty text": ({"role": "user", "content": ""}, ChatMessage(role="user", content="")),
    "no content": ({"role": "assistant", "content": None}, ChatMessage(role="assistant")),
    "parts": (
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "see", "cache_control": {"type": "ephemeral"}},
                {"type": "image_url", "image_url": {"url": "https://x/y.png", "detail": "low"}},
                {"type": "image_url", "image_url": "https://x/z.png"},
                {"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}},
                {"type": "file", "file": {"file_id": "f1"}},
                {"type": "refusal", "refusal": "no"},
                {"type": "video_url", "video_url": {"url": "https://x/v.mp4"}},
                ContentPart(type="text", text="proto"),
            ],
        },
        ChatMessage(
            role="user",
            content_parts=[
                ContentPart(
                    type="text", text="see", extra_json='{"cache_control":{"type":"ephemeral"}}'
                ),
                ContentPart(
                    type="image_url", image_url=ImageUrl(url="https://x/y.png", detail="low")
                ),
                ContentPart(type="image_url", image_url=ImageUrl(url="https://x/z.png")),
                ContentPart(type="input_audio", input_audio=InputAudio(data="AA==", format="wav")),
                ContentPart(type="file", file=InputFile(file_id="f1")),
                ContentPart(type="refusal", refusal="no"),
                ContentPart(type="video_url", extra_json='{"video_url":{"url":"https://x/v.mp4"}}'),
                ContentPart(type="text", text="proto"),
            ],
        ),
    ),
    "tool calls": (
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {
                    "id": "c1",
                    "type": "function",
                    "function": {"name": "f", "arguments": "{bad json"},
                    "thought_signature": "s",
                },
                ToolCall(id="c2"),
                {"id": "c3", "function": FunctionCall(name="g")},
            ],
            "function_call": None,
            "annotations": [],
        },
        ChatMessage(
            role="assistant",
            tool_calls=[
                ToolCall(
                    id="c1",
                    type="function",
                    function=FunctionCall(name="f", arguments="{bad json"),
                    extra_json='{"thought_signature":"s"}',
                ),
                ToolCall(id="c2"),
                ToolCall(id="c3", function=FunctionCall(name="g")),
            ],
            extra_json='{"annotations":[]}',
        ),
    ),
    "tool answer": (
        {"role": "tool", "tool_call_id": "c1", "content": "42", "name": "f"},
        ChatMessage(role="tool", tool_call_id="c1", content="42", name="f"),
    ),
    "what a model said": (
        {"role": "assistant", "content": "x", "refusal": "r", "reasoning_content": "because"},
        ChatMessage(role="assistant", content="x", refusal="r", reasoning_content="because"),
    ),
}


@pytest.mark.parametrize(("source", "expected"), MESSAGES.values(), ids=MESSAGES)
def test_a_message_in_openais_shape_becomes_the_proto_message(
    source: MessageInput, expected: ChatMessage
) -> None:
    assert build_request(None, [source], {}).messages[0] == expected
