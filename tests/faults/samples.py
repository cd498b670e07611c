"""What each dialect's providers really answer, to be changed beyond recognition.

Whole answers are values, streams are lists of events: framing is part of what goes wrong.
"""

import json
from collections.abc import Callable, Mapping, Sequence

from ..stub.replies import completion, error, stream

Json = Mapping[str, object]

_NOTHING: Json = {}
_NO_BLOCKS: Sequence[object] = ()

_USAGE: Json = {
    "prompt_tokens": 9,
    "completion_tokens": 12,
    "total_tokens": 21,
    "prompt_tokens_details": {"cached_tokens": 4, "audio_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 8},
}
_CALLS = [
    {
        "index": 0,
        "id": "call_1",
        "type": "function",
        "function": {"name": "get_weather", "arguments": '{"city": "Bern"}'},
    }
]
_LOGPROBS: Json = {
    "content": [{"token": "Hi", "logprob": -0.1, "bytes": [72, 105], "top_logprobs": []}]
}


def _openai() -> list[object]:
    said = {"role": "assistant", "content": "Hello.", "reasoning_content": "Hm.", "refusal": None}
    whole = completion("m", said)
    called = completion("m", {"role": "assistant", "content": None, "tool_calls": _CALLS})
    choice = {"index": 0, "message": said, "finish_reason": "stop", "logprobs": _LOGPROBS}
    return [
        whole,
        called,
        {**whole, "choices": [choice], "usage": _USAGE, "system_fingerprint": "fp"},
        error("No.", kind="invalid_request_error", code="context_length_exceeded"),
        error("You exceeded your quota.", kind="insufficient_quota", code="insufficient_quota"),
        {"error": "Model too busy"},
        {"object": "error", "message": "m", "type": "BadRequestError", "code": 400},
    ]


def _openai_streams() -> list[list[bytes]]:
    call = {"choices": [{"index": 0, "delta": {"role": "assistant", "tool_calls": _CALLS}}]}
    more = {"choices": [{"index": 0, "delta": {"tool_calls": _CALLS}, "logprobs": _LOGPROBS}]}
    end: Json = {
        "choices": [{"index": 0, "delta": _NOTHING, "finish_reason": "tool_calls"}],
        "usage": _USAGE,
    }
    return [
        stream("m", "one two three", include_usage=True),
        [*_events(call, more, end), b"data: [DONE]\n\n"],
        _events(error("The server had an error", kind="server_error")),
    ]


def _events(*values: object) -> list[bytes]:
    return [b"data: " + json.dumps(one).encode() + b"\n\n" for one in values]


_ANTHROPIC_USAGE: Json = {
    "input_tokens": 10,
    "output_tokens": 5,
    "cache_read_input_tokens": 2,
    "cache_creation_input_tokens": 1,
}


def _anthropic() -> list[object]:
    return [
        {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": "claude",
            "content": [
                {"type": "thinking", "thinking": "Hm.", "signature": "s"},
                {"type": "text", "text": "Hello."},
                {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"a": 1}},
            ],
            "stop_reason": "tool_use",
            "stop_sequence": None,
            "usage": _ANTHROPIC_USAGE,
        },
        {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}},
    ]


def _anthropic_streams() -> list[list[bytes]]:
    start: Json = {"id": "msg_1", "type": "message", "role": "assistant", "content": _NO_BLOCKS}
    tool: Json = {"type": "tool_use", "id": "toolu_1", "name": "f", "input": _NOTHING}
    events: Sequence[Json] = [
        {"type": "message_start", "message": {**start, "model": "c", "usage": _ANTHROPIC_USAGE}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "ping"},
        {
            "type": "content_block_delta",
            "index": 0,
            "delta": {"type": "text_delta", "text": "Hello."},
        },
        {"type": "content_block_stop", "index": 0},
        {"type": "content_block_start", "index": 1, "content_block": tool},
        {
            "type": "content_block_delta",
            "index": 1,
            "delta": {"type": "input_json_delta", "partial_json": '{"a": 1}'},
        },
        {"type": "content_block_stop", "index": 1},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "tool_use", "stop_sequence": None},
            "usage": {"output_tokens": 5},
        },
        {"type": "message_stop"},
    ]
    failed = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    whole = [b"event: %b\n" % str(e["type"]).encode() + _events(e)[0] for e in events]
    return [whole, [*whole[:4], b"event: error\n" + _events(failed)[0]]]


_OLLAMA_FIGURES: Json = {
    "done": True,
    "done_reason": "stop",
    "total_duration": 4883583458,
    "load_duration": 1334875,
    "prompt_eval_count": 26,
    "eval_count": 282,
}
_OLLAMA_HEAD: Json = {"model": "llama3", "created_at": "2024-01-01T00:00:00.123456Z"}


def _lines(*values: object) -> list[bytes]:
    return [json.dumps(one).encode() + b"\n" for one in values]


def _ollama() -> list[object]:
    return [
        {**_OLLAMA_HEAD, "response": "Hello.", "thinking": "Hm.", **_OLLAMA_FIGURES},
        {"error": "model 'm' not found"},
    ]


def _ollama_streams() -> list[list[bytes]]:
    pieces = [{**_OLLAMA_HEAD, "response": word, "done": False} for word in ("a", " b")]
    last = {**_OLLAMA_HEAD, "response": "", **_OLLAMA_FIGURES}
    return [_lines(*pieces, last), _lines(pieces[0], {"error": "out of memory"})]


_OLLAMA_CALL: Json = {"function": {"name": "f", "arguments": {"a": 1}}}


def _ollama_chat() -> list[object]:
    message = {"role": "assistant", "content": "Hello.", "tool_calls": [_OLLAMA_CALL]}
    return [{**_OLLAMA_HEAD, "message": message, **_OLLAMA_FIGURES}, {"error": "no"}]


def _ollama_chat_streams() -> list[list[bytes]]:
    said = [
        {"role": "assistant", "content": "Hel", "thinking": "Hm."},
        {"role": "assistant", "content": "", "tool_calls": [_OLLAMA_CALL]},
    ]
    pieces = [{**_OLLAMA_HEAD, "message": one, "done": False} for one in said]
    last = {**_OLLAMA_HEAD, "message": {"role": "assistant", "content": ""}, **_OLLAMA_FIGURES}
    return [_lines(*pieces, last)]


def _petals() -> list[object]:
    return [{"ok": True, "outputs": "Hello."}, {"ok": False, "traceback": "Traceback …"}]


def _no_streams() -> list[list[bytes]]:
    return []


# By the name of a dialect; whoever is not here is fed what OpenAI says.
_WHOLE: Mapping[str, Callable[[], list[object]]] = {
    "anthropic": _anthropic,
    "ollama": _ollama,
    "ollama_chat": _ollama_chat,
    "petals": _petals,
}
_STREAMS: Mapping[str, Callable[[], list[list[bytes]]]] = {
    "anthropic": _anthropic_streams,
    "ollama": _ollama_streams,
    "ollama_chat": _ollama_chat_streams,
    "petals": _no_streams,
}


def whole_replies(name: str) -> list[object]:
    """Return answers and refusals of a dialect, each a JSON value."""
    return _WHOLE.get(name, _openai)()


def streamed_replies(name: str) -> list[list[bytes]]:
    """Return streams of a dialect, each as its events."""
    return _STREAMS.get(name, _openai_streams)()
