"""What a model answers, as bytes: OpenAI-shaped completions, stream events and errors.

Pure. How the bytes travel, and how they go wrong on the way, is in `plans`.
"""

import json
from collections.abc import Mapping, Sequence

_CREATED = 1_700_000_000
DONE = b"data: [DONE]\n\n"


def encode(value: object) -> bytes:
    """Write compact JSON, non-ASCII letters as they are."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def event(value: object) -> bytes:
    """Write one server-sent event."""
    return b"data: " + encode(value) + b"\n\n"


def count_tokens(text: str) -> int:
    """Count words: this model's tokens."""
    return len(text.split())


def usage(prompt: str, content: str) -> dict[str, int]:
    """Say what a call cost, a token a word."""
    asked, said = count_tokens(prompt), count_tokens(content)
    return {"prompt_tokens": asked, "completion_tokens": said, "total_tokens": asked + said}


def completion(
    model: str,
    message: Mapping[str, object],
    *,
    prompt: str = "",
    finish_reason: str = "stop",
) -> dict[str, object]:
    """Return a whole answer of one choice."""
    return {
        "id": "chatcmpl-stub",
        "object": "chat.completion",
        "created": _CREATED,
        "model": model,
        "choices": [{"index": 0, "message": message, "finish_reason": finish_reason}],
        "usage": usage(prompt, str(message.get("content") or "")),
    }


def chunk(
    model: str,
    delta: Mapping[str, object] | None,
    *,
    finish_reason: str | None = None,
    spent: Mapping[str, int] | None = None,
) -> dict[str, object]:
    """Return one piece of a streamed answer; without a delta it holds no choice."""
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
    piece: dict[str, object] = {
        "id": "chatcmpl-stub",
        "object": "chat.completion.chunk",
        "created": _CREATED,
        "model": model,
        "choices": [] if delta is None else [choice],
    }
    return piece if spent is None else piece | {"usage": spent}


def stream(
    model: str,
    content: str,
    *,
    prompt: str = "",
    finish_reason: str = "stop",
    include_usage: bool = False,
) -> list[bytes]:
    """Return the events of a streamed answer, a word each, the terminator last."""
    words = content.split(" ") if content else []
    deltas = [word if first else f" {word}" for first, word in _mark_first(words)]
    events = [event(chunk(model, {"role": "assistant", "content": ""}))]
    events += [event(chunk(model, {"content": delta})) for delta in deltas]
    events.append(event(chunk(model, {}, finish_reason=finish_reason)))
    if include_usage:
        events.append(event(chunk(model, None, spent=usage(prompt, content))))
    events.append(DONE)
    return events


def error(message: str, *, kind: str = "", code: str | None = None) -> dict[str, object]:
    """Return OpenAI's error object."""
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def _mark_first(words: Sequence[str]) -> list[tuple[bool, str]]:
    return [(place == 0, word) for place, word in enumerate(words)]
