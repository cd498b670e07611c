"""What OpenAI and those who follow it answer: the JSON as it comes, and as values. Pure.

Lenient where providers differ (null ids, fractional times, text in parts, usage by halves), for
nothing is gained by refusing an answer over a field that nobody asked for. How a reply is framed
is `openai_reader`'s concern, what its errors mean that of `failures`.
"""

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from msgspec import UNSET, Raw, Struct, UnsetType
from msgspec.json import Decoder

from understudy.server.domain.chat import Extra, FunctionCall, Message, ToolCall
from understudy.server.domain.completion import Choice
from understudy.server.errors import UpstreamError
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
    extra_content: Raw = Raw()  # Gemini's signature, which it wants back with the call


class WirePart(Struct, gc=False):
    """A piece of content that is given in pieces."""

    type: str | None = None
    text: str | None = None
    refusal: str | None = None
    thinking: Raw = Raw()  # Mistral: pieces again


class WireMessage(Struct, gc=False):
    """A message, or a piece of one."""

    role: str | None = None
    content: str | Bounded[WirePart] | None = None
    refusal: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    tool_calls: Bounded[WireToolCall] | None = None
    function_call: WireFunction | None = None  # what tool calls were before 2023-11
    images: Raw = Raw()  # OpenRouter
    audio: Raw = Raw()


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
    x_groq: Raw = Raw()


class WireGroq(Struct, gc=False):
    """What Groq says in a place of its own, on the last piece of a stream."""

    usage: Raw = Raw()
    error: Raw = Raw()


# Words for what OpenAI has a word for; any other is passed on as it is.
_ENDS: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(("eos", "eos_token", "end_turn", "stop_sequence"), "stop"),
        **dict.fromkeys(("max_tokens", "model_length", "model_context_window_exceeded"), "length"),
        **dict.fromkeys(("tool_use", "function_call"), "tool_calls"),
        **dict.fromkeys(("refusal", "content_filtered"), "content_filter"),
    }
)

REPLIES = Decoder(WireReply)
_STRINGS = Decoder(str)
_THOUGHTS = Decoder(Bounded[WirePart])
_GROQ = Decoder(WireGroq)
_NOTHING = (b"", b"null", b"[]", b"{}")


def read_answer(choice: WireChoice, message: WireMessage, position: int) -> Choice:
    """Return a whole answer as a value."""
    told = _read_message(message)
    calls: tuple[ToolCall, ...] | UnsetType = UNSET
    if told.tool_calls is not UNSET:
        calls = tuple(
            ToolCall(one.id, one.type or "function", one.function, extra=one.extra)
            for one in told.tool_calls
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
        _ENDS.get(choice.finish_reason or "", choice.finish_reason or ""),
        read_logprobs(choice.logprobs),
    )


def left_out(wire: WireMessage) -> Iterator[str]:
    """Yield the kinds of content in a message that have no place in an answer."""
    if bytes(wire.images) not in _NOTHING:
        yield "image"
    if bytes(wire.audio) not in _NOTHING:
        yield "audio"
    if wire.content is None or isinstance(wire.content, str):
        return
    for part in wire.content:
        if part.text is None and part.refusal is None and not said(part.thinking):
            yield part.type or "unknown"


def read_groq(wire: WireReply) -> WireGroq:
    """Return what stands in Groq's own place; nothing, for everybody else."""
    if not said(wire.x_groq):
        return WireGroq()
    try:
        return decode(_GROQ, wire.x_groq)[0]
    except UpstreamError:
        return WireGroq()


def _read_message(wire: WireMessage) -> Message:
    content, refusal = wire.content, wire.refusal
    thoughts = wire.reasoning_content or wire.reasoning or ""
    if content is not None and not isinstance(content, str):
        parts = list(content)
        content = "".join(part.text or "" for part in parts)
        thoughts += "".join(_read_thoughts(part.thinking) for part in parts)
        refusals = [part.refusal for part in parts if part.refusal is not None]
        refusal = "".join(refusals) if refusal is None and refusals else refusal
    calls: tuple[ToolCall, ...] = ()
    if wire.tool_calls is not None:
        calls = tuple(map(_read_tool_call, wire.tool_calls))
    elif wire.function_call is not None:
        calls = (ToolCall(function=_read_function(wire.function_call), index=0),)
    return Message(
        wire.role or "",
        content,
        tool_calls=calls or UNSET,
        refusal=UNSET if refusal is None else refusal,
        reasoning_content=thoughts or UNSET,
    )


def _read_thoughts(raw: Raw) -> str:
    """Return the words of Mistral's thoughts, which are pieces, or a string."""
    if not said(raw):
        return ""
    try:
        if bytes(raw).startswith(b'"'):
            return decode(_STRINGS, raw)[0]
        return "".join(part.text or "" for part in decode(_THOUGHTS, raw)[0])
    except UpstreamError:
        return ""


def _read_tool_call(wire: WireToolCall) -> ToolCall:
    extra: Extra | UnsetType = UNSET
    if said(wire.extra_content):
        extra = {"extra_content": wire.extra_content.copy()}  # not the whole reply along with it
    return ToolCall(
        wire.id or UNSET,
        wire.type or UNSET,
        UNSET if wire.function is None else _read_function(wire.function),
        UNSET if wire.index is None else _read_index(wire.index),
        extra,
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
