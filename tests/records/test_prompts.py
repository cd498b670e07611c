"""A prompt that was kept is shown as its caller sent it."""

import pytest
from google.protobuf import json_format

from understudy.server.servicers.read_chat import read_messages
from understudy.server.servicers.write_prompt import write_prompt
from understudy.v1 import chat_pb2

MESSAGES = [
    {"role": "user", "content": "hi", "name": "ann"},
    {"role": "system", "content": ""},
    {"role": "tool", "content": "42", "tool_call_id": "call-1"},
    {
        "role": "assistant",
        "tool_calls": [
            {"id": "1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}
        ],
    },
    {"role": "assistant", "refusal": "no", "reasoning_content": "hm"},
    {
        "role": "user",
        "extra_json": '{"cache_control":{"type":"ephemeral"}}',
        "content_parts": [
            {"type": "text", "text": "look", "extra_json": '{"z":1,"a":2}'},
            {"type": "image_url", "image_url": {"url": "https://x/y.png", "detail": "low"}},
            {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
            {"type": "file", "file": {"file_id": "f-1"}},
        ],
    },
]


@pytest.mark.parametrize("message", MESSAGES)
def test_a_prompt_comes_back_as_it_was_sent(message: dict[str, object]) -> None:
    wire = json_format.ParseDict(message, chat_pb2.ChatMessage())
    (read,) = read_messages([wire])

    assert write_prompt(read) == wire
