"""Reads the blocks of an answer that is streamed, in OpenAI's terms. Pure.

There only tool calls are counted, and a call without arguments has an empty object for them, which
Anthropic does not send.
"""

from msgspec import UNSET

from understudy.server.domain.chat import FunctionCall, Message, ToolCall
from understudy.server.providers.anthropic_replies import WireBlock, WireDelta, read_call

_NO_ARGUMENTS = "{}"


class Blocks:
    """The blocks that have begun, by the index that each event names."""

    def __init__(self) -> None:
        self._places: dict[float, int] = {}  # which of the tool calls a block is
        self._bare: set[float] = set()  # blocks of calls whose arguments have not begun

    def begin(self, index: float, block: WireBlock) -> Message | None:
        """Return what the beginning of a block says."""
        if block.type == "text":
            return Message("", block.text or "")
        if block.type == "thinking" and block.thinking:
            return Message("", reasoning_content=block.thinking)
        if block.type != "tool_use":
            return None
        call = read_call(block)
        place = self._places.setdefault(index, len(self._places))
        function = call.function
        if function is not UNSET and function.arguments == _NO_ARGUMENTS:
            function = FunctionCall(function.name)  # they come in pieces
            self._bare.add(index)
        return _call(ToolCall(call.id, call.type, function, place))

    def grow(self, index: float, delta: WireDelta) -> Message | None:
        """Return what a piece of a block says."""
        if delta.type == "text_delta":
            return Message("", delta.text or "")
        if delta.type == "thinking_delta" and delta.thinking:
            return Message("", reasoning_content=delta.thinking)
        place = self._places.get(index)
        if delta.type != "input_json_delta" or place is None or not delta.partial_json:
            return None
        self._bare.discard(index)
        return _call(ToolCall(function=FunctionCall(arguments=delta.partial_json), index=place))

    def end(self, index: float) -> Message | None:
        """Return what the end of a block says."""
        if index not in self._bare:
            return None
        self._bare.discard(index)
        place = self._places[index]
        return _call(ToolCall(function=FunctionCall(arguments=_NO_ARGUMENTS), index=place))


def _call(call: ToolCall) -> Message:
    return Message("", tool_calls=(call,))
