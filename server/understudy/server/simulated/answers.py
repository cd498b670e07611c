"""What a simulated model says to a request: words, a tool call, or JSON that fits a schema. Pure.

The same request is always answered in the same words. When they come, and in which frame, is
`replies`' concern.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from random import Random

import msgspec
from msgspec import Raw, Struct
from msgspec.json import encode

from understudy.server.providers.simulated import Settings
from understudy.server.simulated.values import fill
from understudy.server.simulated.words import MARK, compose, count_tokens, split_tokens

_MOST_ANSWERS = 128


class _Part(Struct):
    text: str = ""


class _Message(Struct):
    role: str = ""
    content: str | list[_Part] | None = None


class _Function(Struct):
    name: str = "function"
    parameters: Raw = Raw(b"{}")


class _Tool(Struct):
    function: _Function = msgspec.field(default_factory=_Function)


class _NamedTool(Struct):
    function: _Function


class _JsonSchema(Struct):
    schema: Raw = Raw(b"{}")


class _Format(Struct):
    type: str = "text"
    json_schema: _JsonSchema = msgspec.field(default_factory=_JsonSchema)


class _StreamOptions(Struct):
    include_usage: bool = False


class Request(Struct):
    """What a simulated model heeds of a request in OpenAI's language."""

    model: str
    messages: list[_Message]
    simulated: Settings
    stream: bool = False
    stream_options: _StreamOptions = msgspec.field(default_factory=_StreamOptions)
    n: int | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    tools: list[_Tool] = msgspec.field(default_factory=list[_Tool])
    tool_choice: str | _NamedTool | None = None
    response_format: _Format | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """One of n answers: words, or the call of a tool with its arguments as JSON."""

    pieces: tuple[str, ...]
    finish_reason: str
    tool: str = ""


def count_prompt(request: Request) -> int:
    """Return about how many tokens the prompt has."""
    return sum(4 + count_tokens(_text(one)) for one in request.messages)


def answer_all(request: Request) -> Iterator[Answer]:
    """Yield the n answers that were asked for."""
    said = "\n".join(f"{one.role}:{_text(one)}" for one in request.messages)
    for index in range(min(max(request.n or 1, 1), _MOST_ANSWERS)):
        seed = f"{request.simulated.seed}:{request.model}:{index}:{said}"
        digest = blake2b(seed.encode(errors="replace"), digest_size=8).digest()
        yield _answer(request, Random(int.from_bytes(digest)))


def _answer(request: Request, chance: Random) -> Answer:
    if (tool := _required_tool(request, chance)) is not None:
        arguments = encode(fill(_read(tool.parameters), chance)).decode()
        return Answer(tuple(split_tokens(arguments)), "tool_calls", tool.name)
    asked = next((_text(one) for one in reversed(request.messages) if one.role == "user"), "")
    settings = request.simulated
    if settings.reply is not None:
        text = f"{MARK} {settings.reply}"
    else:
        text = compose(asked, request.model, chance, settings.tokens)
    shape = request.response_format
    if shape is not None and shape.type == "json_schema":
        text = encode(fill(_read(shape.json_schema.schema), chance)).decode()
    elif shape is not None and shape.type == "json_object":
        text = encode({"simulated": True, "model": request.model, "answer": text}).decode()
    pieces = tuple(split_tokens(text))
    limit = request.max_completion_tokens or request.max_tokens or len(pieces)
    return Answer(pieces[:limit], "length" if limit < len(pieces) else "stop")


def _required_tool(request: Request, chance: Random) -> _Function | None:
    offered = [one.function for one in request.tools]
    choice = request.tool_choice
    if isinstance(choice, _NamedTool):
        return next((one for one in offered if one.name == choice.function.name), choice.function)
    return chance.choice(offered) if choice == "required" and offered else None


def _read(schema: Raw) -> object:
    try:
        value: object = msgspec.json.decode(schema)
    except (msgspec.DecodeError, RecursionError):
        return {}
    return value


def _text(message: _Message) -> str:
    content = message.content
    if isinstance(content, list):
        return " ".join(part.text for part in content)
    return content or ""
