"""What OpenAI and those who follow it answer: the JSON as it comes, and as values. Pure.

Lenient where providers differ (null ids, fractional times, text in parts, usage by halves), for
nothing is gained by refusing an answer over a field that nobody asked for. How a reply is framed
is `openai_reader`'s concern, what its errors mean that of `failures`.
"""

from msgspec import UNSET, Raw, Struct, UnsetType
from msgspec.json import Decoder

from understudy.server.domain.chat import FunctionCall, Message, ToolCall
from understudy.server.domain.completion import Choice
from understudy.server.providers.bounded import MOST, Bounded
from understudy.server.providers.decoding import decode, malformed, said
from understudy.server.providers.openai_figures import Number, read_logprobs


class WireFunction(Struct, gc=False):
    """A function call. Most send the arguments as a string, some as the object itself."""

    name: str | None = None
    arguments: Raw = Raw()


class WireToolCall(Struct, gc=False):
    """A tool call, or a piece of one."""

    index: Number = None
    id: str | None = None
    type: str | None = None
    function: WireFunction | None = None


class WirePart(Struct, gc=False):
    """A piece of content that is given in pieces."""

    text: str | None = None


class WireMessage(Struct, gc=False):
    """A message, or a piece of one."""

    role: str | None = None
    content: str | Bounded[WirePart] | None = None
    refusal: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    tool_calls: Bounded[WireToolCall] | None = None
    function_call: WireFunction | None = None  # what tool calls were before 2023-11


class WireChoice(Struct, gc=False):
    """One of the answers, or a piece of one."""

    index: Number = None
    message: WireMessage | None = None
    delta: WireMessage | None = None
    finish_reason: str | None = None
    logprobs: Raw = Raw()
    error: Raw = Raw()


class WireReply(Struct, gc=False):
    """A whole answer or a piece of one, or the object of an error."""

    id: str | int | None = None
    object: str | None = None
    created: int | float | str | None = None
    model: str | None = None
    choices: Bounded[WireChoice] | None = None
    usage: Raw = Raw()
    system_fingerprint: str | None = None
    service_tier: str | None = None
    error: Raw = Raw()


REPLIES = Decoder(WireReply)
_STRINGS = Decoder(str)


def read_answer(choice: WireChoice, message: WireMessage, position: int) -> Choice:
    """Return a whole answer as a value."""
    told = _read_message(message)
    calls: tuple[ToolCall, ...] | UnsetType = UNSET
    if told.tool_calls is not UNSET:
        calls = tuple(
            ToolCall(one.id, one.type or "function", one.function) for one in told.tool_calls
        )
    whole = Message(
        told.role or "assistant",
        told.content,
        tool_calls=calls,
        refusal=told.refusal,
        reasoning_content=told.reasoning_content,
    )
    return _read_choice(choice, whole, position)


def read_piece(choice: WireChoice, message: WireMessage, position: int) -> Choice:
    """Return a piece of an answer as a value; a role that is not said is empty."""
    return _read_choice(choice, _read_message(message), position)


def _read_choice(choice: WireChoice, message: Message, position: int) -> Choice:
    return Choice(
        position if choice.index is None else _read_index(choice.index),
        message,
        choice.finish_reason or "",
        read_logprobs(choice.logprobs),
    )


def _read_message(wire: WireMessage) -> Message:
    content = wire.content
    if content is not None and not isinstance(content, str):
        content = "".join(part.text or "" for part in content)
    calls: tuple[ToolCall, ...] = ()
    if wire.tool_calls is not None:
        calls = tuple(map(_read_tool_call, wire.tool_calls))
    elif wire.function_call is not None:
        calls = (ToolCall(function=_read_function(wire.function_call), index=0),)
    return Message(
        wire.role or "",
        content,
        tool_calls=calls or UNSET,
        refusal=UNSET if wire.refusal is None else wire.refusal,
        reasoning_content=wire.reasoning_content or wire.reasoning or UNSET,
    )


def _read_tool_call(wire: WireToolCall) -> ToolCall:
    return ToolCall(
        wire.id or UNSET,
        wire.type or UNSET,
        UNSET if wire.function is None else _read_function(wire.function),
        UNSET if wire.index is None else _read_index(wire.index),
    )


def _read_function(wire: WireFunction) -> FunctionCall:
    name: str | UnsetType = wire.name or UNSET
    if not said(wire.arguments):
        return FunctionCall(name)
    text = bytes(wire.arguments)
    if text.startswith(b'"'):
        return FunctionCall(name, decode(_STRINGS, text)[0])
    return FunctionCall(name, text.decode(errors="replace"))


def _read_index(wire: float) -> int:
    if not 0 <= wire < MOST or wire != int(wire):
        raise malformed(f"an index is no whole number from 0 to {MOST - 1}")
    return int(wire)


def read_id(wire: str | int | None) -> str:
    """Return an id as text, empty if there is none."""
    return "" if wire is None else str(wire)
