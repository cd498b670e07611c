"""What Anthropic answers: the JSON as it comes, and as values. Pure.

Of an answer's blocks the text, the tool calls and the thoughts have a place in OpenAI's interface;
others, such as hidden thoughts and searches of Anthropic's own, are passed over. How a reply is
framed is `anthropic_reader`'s concern, what its errors mean that of `failures`.
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from msgspec import UNSET, Raw, Struct
from msgspec.json import Decoder

from understudy.server.domain.chat import FunctionCall, Message, ToolCall
from understudy.server.domain.completion import PromptTokensDetails, Usage
from understudy.server.errors import UpstreamError
from understudy.server.providers.bounded import Bounded
from understudy.server.providers.decoding import decode, malformed, said
from understudy.server.providers.openai_figures import INT32_MAX, Number


class WireBlock(Struct, gc=False):
    """A block of content, or in a stream the beginning of one."""

    type: str | None = None
    text: str | None = None
    thinking: str | None = None
    id: str | None = None
    name: str | None = None
    input: Raw = Raw()


class WireDelta(Struct, gc=False):
    """What a block grows by, or what is known of a message at its end."""

    type: str | None = None
    text: str | None = None
    thinking: str | None = None
    partial_json: str | None = None
    stop_reason: str | None = None


class WireMessage(Struct, gc=False):
    """A whole answer, or in a stream the beginning of one, or the object of an error."""

    type: str | None = None
    id: str | None = None
    model: str | None = None
    content: Bounded[WireBlock] | None = None
    stop_reason: str | None = None
    usage: Raw = Raw()
    error: Raw = Raw()


class WireEvent(Struct, gc=False):
    """One event of a stream. Its type says what its members are, so they are read by it alone."""

    type: str | None = None
    index: Number = None
    message: Raw = Raw()
    content_block: Raw = Raw()
    delta: Raw = Raw()
    usage: Raw = Raw()


class _WireUsage(Struct, gc=False):
    input_tokens: Number = None
    output_tokens: Number = None
    cache_creation_input_tokens: Number = None
    cache_read_input_tokens: Number = None


MESSAGES = Decoder(WireMessage)
EVENTS = Decoder(WireEvent)
BLOCKS = Decoder(WireBlock)
DELTAS = Decoder(WireDelta)
_USAGES = Decoder(_WireUsage)

_FINISH_REASONS: Mapping[str, str] = MappingProxyType(
    {
        "end_turn": "stop",
        "stop_sequence": "stop",
        "max_tokens": "length",
        "model_context_window_exceeded": "length",
        "pause_turn": "length",
        "tool_use": "tool_calls",
        "refusal": "content_filter",
    }
)


def read_finish_reason(wire: str | None) -> str:
    """Return OpenAI's word for why an answer ended, the word itself if there is none."""
    return "" if wire is None else _FINISH_REASONS.get(wire, wire)


def read_message(blocks: Iterable[WireBlock]) -> Message:
    """Return the message that the blocks of a whole answer make."""
    texts: list[str] = []
    thoughts: list[str] = []
    calls: list[ToolCall] = []
    for block in blocks:
        if block.type == "text":
            texts.append(block.text or "")
        elif block.type == "thinking":
            thoughts.append(block.thinking or "")
        elif block.type == "tool_use":
            calls.append(read_call(block))
    return Message(
        "assistant",
        "".join(texts) if texts else None,
        tool_calls=tuple(calls) or UNSET,
        reasoning_content="".join(thoughts) or UNSET,
    )


def read_call(block: WireBlock) -> ToolCall:
    """Return a tool call; the arguments are the object as it was written."""
    try:
        arguments = bytes(block.input).decode() if said(block.input) else "{}"
    except UnicodeDecodeError:
        raise malformed("it is not UTF-8") from None
    return ToolCall(block.id or UNSET, "function", FunctionCall(block.name or UNSET, arguments))


class Counts:
    """The tokens of an answer, as they become known: a later figure replaces an earlier one."""

    def __init__(self) -> None:
        self._wire = _WireUsage()

    def take(self, raw: Raw) -> None:
        """Take what a reply says of its tokens; what cannot be read says nothing."""
        if not said(raw):
            return
        try:
            newer, _ = decode(_USAGES, raw)
        except UpstreamError:
            return
        for name in newer.__struct_fields__:
            if (value := getattr(newer, name)) is not None:
                setattr(self._wire, name, value)

    def read(self) -> Usage | None:
        """Return the usage in OpenAI's terms, where the prompt includes what was cached of it.

        None unless both prompt and answer were counted: unknown is not zero.
        """
        wire = self._wire
        if wire.input_tokens is None or wire.output_tokens is None:
            return None
        fresh, answer = wire.input_tokens, wire.output_tokens
        created, cached = wire.cache_creation_input_tokens, wire.cache_read_input_tokens
        parts = [fresh, answer, created or 0, cached or 0]
        if not all(0 <= one <= INT32_MAX for one in parts):
            return None
        prompt = int(fresh) + int(created or 0) + int(cached or 0)
        total = prompt + int(answer)
        if total > INT32_MAX:
            return None
        details = None
        if created is not None or cached is not None:
            details = PromptTokensDetails(int(cached or 0), 0, int(created or 0))
        return Usage(prompt, int(answer), total, details)
