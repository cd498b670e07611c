"""Deployments, prompts and replies that the tests of the dialects share."""

from collections.abc import Iterable, Mapping, Sequence
from typing import cast

from msgspec import UNSET, Raw

from understudy.server.domain.chat import (
    ChatCall,
    ContentPart,
    FunctionCall,
    FunctionDefinition,
    ImageUrl,
    JsonSchema,
    JsonValue,
    Message,
    NamedTool,
    ResponseFormat,
    Tool,
    ToolCall,
)
from understudy.server.domain.chat import FunctionName as Name
from understudy.server.domain.completion import Completion, Delta
from understudy.server.domain.deployment import Deployment, Endpoint
from understudy.server.ports import Reader
from understudy.server.providers import dialect

KEY = "sk-canary-3kT9vLq2XzB7nRw5"

ROLE = (
    '{"id":"c1","model":"m","created":17,'
    '"choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}'
)
USAGE = (
    '{"id":"c1","choices":[],"usage":{"prompt_tokens":5,"completion_tokens":7,"total_tokens":12}}'
)


def endpoint(key: str = KEY, url: str = "https://models.example/v1/chat/completions") -> Endpoint:
    return Endpoint(url, (("content-type", "application/json"), ("authorization", f"Bearer {key}")))


def deployment(
    provider: str = "openai",
    model: str = "gpt-4",
    defaults: Mapping[str, object] | None = None,
) -> Deployment:
    return Deployment(
        id=f"{provider}-1",
        group="group",
        provider=provider,
        model=model,
        endpoint=endpoint(),
        defaults=cast(Mapping[str, JsonValue], defaults or {}),
    )


def call(
    *,
    params: Mapping[str, JsonValue] | None = None,
    extra: Mapping[str, bytes] | None = None,
    stream: bool = False,
) -> ChatCall:
    """The prompt that the reference recordings were made with."""
    messages = (
        Message("system", "You are terse."),
        Message("user", "Say hi."),
    )
    usual: Mapping[str, JsonValue] = {
        "temperature": 0.2,
        "max_tokens": 16,
        "top_p": 0.9,
        "stop": ["X"],
    }
    raws = {name: Raw(text) for name, text in (extra or {}).items()}
    return ChatCall(messages, usual if params is None else params, extra=raws, stream=stream)


# Neither sorted nor compact, with numbers that a float would change.
SCHEMA = b'{"type" : "object", "z": 1, "a": 10, "big": 12345678901234567890, "f": 1.0, "e": 1e3}'


def everything() -> ChatCall:
    """A prompt that uses all that the contract has."""
    return ChatCall(
        (
            Message("system", "You are terse.", name="boss"),
            Message(
                "user",
                (
                    ContentPart(
                        "text", text="What is this?", extra={"cache": Raw(b'{"z":1,"a":2}')}
                    ),
                    ContentPart("image_url", image_url=ImageUrl("https://x.example/a.png", "low")),
                ),
            ),
            Message(
                "assistant",
                None,
                tool_calls=(
                    ToolCall("call_1", "function", FunctionCall("look", '{"at": 1}'), index=0),
                ),
            ),
            Message("tool", "a cat", tool_call_id="call_1", extra={"note": Raw(b"[1, 2]")}),
        ),
        {"seed": 7, "logit_bias": {"50256": -100.0, "11": 0.5}, "n": 2, "user": "u"},
        tools=(
            Tool(
                "function",
                FunctionDefinition("look", "Looks.", Raw(SCHEMA), True),
                {"vendor": Raw(b'"x"')},
            ),
        ),
        tool_choice=NamedTool(Name("look")),
        response_format=ResponseFormat("json_schema", JsonSchema("s", schema=Raw(SCHEMA))),
        extra={"top_k": Raw(b"40"), "model": Raw(b'"other"'), "messages": Raw(b"[]")},
    )


def read(
    pieces: Iterable[bytes],
    *,
    provider: str = "openai",
    stream: bool = False,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> tuple[list[Delta], Completion]:
    """Feed a reply piece by piece; return its deltas and the whole answer."""
    reader: Reader = dialect(provider).reader(stream, status, headers or {})
    deltas: list[Delta] = []
    for piece in pieces:
        deltas.extend(reader.feed(piece))
    return deltas, reader.finish()


def events(chunks: Sequence[str | bytes], end: bytes = b"data: [DONE]\n\n") -> bytes:
    """Frame JSON texts as a stream."""
    each = (one.encode() if isinstance(one, str) else one for one in chunks)
    return b"".join(b"data: " + one + b"\n\n" for one in each) + end


def word(text: str, index: int = 0) -> str:
    """A chunk with a piece of an answer."""
    return (
        f'{{"id":"c1","model":"m","choices":[{{"index":{index},"delta":{{"content":"{text}"}}}}]}}'
    )


def last(reason: str = "stop", index: int = 0) -> str:
    """A chunk that ends an answer."""
    return f'{{"id":"c1","choices":[{{"index":{index},"delta":{{}},"finish_reason":"{reason}"}}]}}'


def whole(message: str, finish_reason: str = '"stop"', more: str = "") -> bytes:
    """A reply in one piece."""
    return (
        f'{{"id":"c1","object":"chat.completion","created":1700000000,"model":"m","choices":'
        f'[{{"index":0,"message":{message},"finish_reason":{finish_reason}}}]{more}}}'
    ).encode()


def called(message: Message) -> list[tuple[str, str]]:
    """The functions that a message calls, and their arguments."""
    calls = message.tool_calls if message.tool_calls is not UNSET else ()
    functions = [one.function for one in calls if one.function is not UNSET]
    return [(one.name if one.name is not UNSET else "", one.arguments) for one in functions]


def texts(deltas: list[Delta]) -> list[object]:
    """The content of each piece."""
    return [one.message.content for delta in deltas for one in delta.choices]
