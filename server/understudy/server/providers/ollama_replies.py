"""What Ollama answers, by `/api/chat` and `/api/generate`: the JSON as it comes, and as values. Pure.

Both say the same in nearly the same words, so one set of structs reads both. Figures that cannot
be read are as good as none. How a reply is framed is `ollama_reader`'s concern.
"""

from collections.abc import Iterable
from datetime import datetime
from hashlib import blake2b
from typing import Annotated

from msgspec import UNSET, Meta, Raw, Struct, UnsetType
from msgspec.json import Decoder

from understudy.server.domain.chat import FunctionCall, Message, ToolCall
from understudy.server.domain.completion import Logprobs, PromptTokensDetails, Usage
from understudy.server.errors import UpstreamError
from understudy.server.providers.bounded import Bounded
from understudy.server.providers.decoding import decode, said
from understudy.server.providers.openai_figures import INT32_MAX, read_logprobs


class WireFunction(Struct, gc=False):
    """A function and its arguments, which are an object and not text."""

    name: str | None = None
    arguments: Raw = Raw()


class WireToolCall(Struct, gc=False):
    """A tool call, always whole. Servers before 0.13 give it no id."""

    id: str | None = None
    function: WireFunction | None = None


class WireMessage(Struct, gc=False):
    """A message of `/api/chat`, or a piece of one."""

    role: str | None = None
    content: str | None = None
    thinking: str | None = None
    tool_calls: Bounded[WireToolCall] | None = None


class WireReply(Struct, gc=False):
    """A whole answer or a piece of one, or the object of an error."""

    model: str | None = None
    created_at: Raw = Raw()
    message: WireMessage | None = None  # /api/chat
    response: str | None = None  # /api/generate
    thinking: str | None = None  # /api/generate
    done: bool | None = None
    done_reason: str | None = None
    prompt_eval_count: Raw = Raw()
    prompt_eval_cached_count: Raw = Raw()
    eval_count: Raw = Raw()
    logprobs: Raw = Raw()
    error: Raw = Raw()


REPLIES = Decoder(WireReply)
_NUMBERS = Decoder(int | float | None)
_STRINGS = Decoder(str)
_TIMES = Decoder(Annotated[datetime, Meta(tz=True)])


def reports_error(wire: WireReply) -> bool:
    """Return whether a reply is the report of an error."""
    return said(wire.error) and bytes(wire.error) not in (b'""', b"{}", b"false")


def read_message(wire: WireReply, calls_before: int) -> Message | None:
    """Return the message in a reply or a piece of one, None if it holds none.

    `calls_before` counts the tool calls in the pieces before it.
    """
    message = wire.message
    if message is None:
        if wire.response is None and wire.thinking is None:
            return None
        message = WireMessage("assistant", wire.response, wire.thinking)
    calls = tuple(
        _read_call(one, position, wire.created_at)
        for position, one in enumerate(message.tool_calls or (), calls_before)
    )
    return Message(
        message.role or "",
        UNSET if message.content is None else message.content,
        tool_calls=calls or UNSET,
        reasoning_content=message.thinking or UNSET,
    )


def read_finish(wire: WireReply, called: bool) -> str:
    """Return why an answer ended, in OpenAI's words where they mean the same; empty before then."""
    if not wire.done:
        return ""
    reason = wire.done_reason or "stop"  # servers before 0.2 do not say
    return "tool_calls" if called and reason == "stop" else reason


def read_usage(wire: WireReply) -> Usage | None:
    """Return the tokens as Ollama counted them, None unless it counted both sides."""
    prompt, answer = _read_count(wire.prompt_eval_count), _read_count(wire.eval_count)
    if prompt is None or answer is None or prompt + answer > INT32_MAX:
        return None
    cached = _read_count(wire.prompt_eval_cached_count)
    details = None if cached is None else PromptTokensDetails(cached_tokens=cached)
    return Usage(prompt, answer, prompt + answer, details)


def read_odds(wire: WireReply) -> Logprobs | None:
    """Return the probabilities of the tokens, None if there are none to read."""
    if not said(wire.logprobs):
        return None
    # OpenAI's entries, without the object around them.
    return read_logprobs(Raw(b'{"content":' + bytes(wire.logprobs) + b"}"))


def read_time(raw: Raw) -> int:
    """Return the time of a reply in seconds since 1970, 0 if it says none that can be."""
    try:
        seconds = decode(_TIMES, raw)[0].timestamp() if said(raw) else 0.0
    except (UpstreamError, OverflowError):
        return 0
    return max(int(seconds), 0)


def _read_call(wire: WireToolCall, position: int, when: Raw) -> ToolCall:
    function = wire.function or WireFunction()
    name: str | UnsetType = function.name or UNSET
    arguments = "{}"
    if said(function.arguments):
        text = bytes(function.arguments)
        is_text = text.startswith(b'"')  # from those who imitate Ollama
        arguments = decode(_STRINGS, text)[0] if is_text else text.decode(errors="replace")
    made_up = _name_call((bytes(when), position, function.name, arguments))
    return ToolCall(wire.id or made_up, "function", FunctionCall(name, arguments), position)


def _name_call(what: Iterable[object]) -> str:
    """Return an id for a call that came without: the same for the same reply, and no other."""
    text = "\n".join(map(str, what)).encode(errors="replace")
    return f"call_{blake2b(text, digest_size=12).hexdigest()}"


def _read_count(raw: Raw) -> int | None:
    try:
        number = decode(_NUMBERS, raw)[0] if said(raw) else None
    except UpstreamError:
        return None
    if number is None or not 0 <= number <= INT32_MAX:
        return None
    return int(number)
