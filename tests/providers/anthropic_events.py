"""Anthropic's answers and events, built for the tests of its dialect."""

import json
from collections.abc import Mapping, Sequence

Json = Mapping[str, object]

USAGE = {"input_tokens": 3, "cache_creation_input_tokens": 2, "cache_read_input_tokens": 5}


def message(
    content: Sequence[Json], reason: str | None = "end_turn", usage: Json | None = None
) -> bytes:
    """A whole answer."""
    return json.dumps(
        {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": "claude-x",
            "content": content,
            "stop_reason": reason,
            "stop_sequence": None,
            "usage": {**USAGE, "output_tokens": 7} if usage is None else usage,
        }
    ).encode()


def event(kind: str, **members: object) -> bytes:
    """One event of a stream."""
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **members})}\n\n".encode()


def start(usage: Json | None = None) -> bytes:
    """The event that begins a stream."""
    return event(
        "message_start",
        message={
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": "claude-x",
            "content": [],
            "stop_reason": None,
            "usage": {**USAGE, "output_tokens": 1} if usage is None else usage,
        },
    )


def block(index: int, begun: Json, *deltas: Json) -> bytes:
    """The events of one block."""
    grown = (event("content_block_delta", index=index, delta=one) for one in deltas)
    return b"".join(
        (
            event("content_block_start", index=index, content_block=begun),
            *grown,
            event("content_block_stop", index=index),
        )
    )


def words(*pieces: str, index: int = 0) -> bytes:
    """The events of a block of text."""
    deltas = ({"type": "text_delta", "text": one} for one in pieces)
    return block(index, {"type": "text", "text": ""}, *deltas)


def tool(name: str, *pieces: str, index: int = 0, given: Json | None = None) -> bytes:
    """The events of a tool call."""
    deltas = ({"type": "input_json_delta", "partial_json": one} for one in pieces)
    begun = {"type": "tool_use", "id": f"toolu_{index}", "name": name, "input": given or {}}
    return block(index, begun, *deltas)


def stop(reason: str | None = "end_turn") -> bytes:
    """The event that says why an answer ended."""
    delta = {"stop_reason": reason, "stop_sequence": None}
    return event("message_delta", delta=delta, usage={"output_tokens": 7})


PING = event("ping")
END = event("message_stop")
