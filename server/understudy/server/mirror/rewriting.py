"""The caller's prompt as a silent model gets it. Pure, and never in place.

It is the primary's but for what says who the caller is, what would keep a trace at the provider,
and what the operator's long form of `silent_model` sets.
"""

from collections.abc import Mapping

from msgspec import UNSET, Raw, structs

from understudy.server.domain.chat import ChatCall, JsonValue, Message
from understudy.server.domain.mirroring import SilentTarget

_NOT_PARAMS = frozenset({"model", "messages", "stream", "stream_options", "metadata"})
_WHO = frozenset({"user", "safety_identifier"})
_LIMITS = frozenset({"max_tokens", "max_completion_tokens"})


def rewrite(chat: ChatCall, target: SilentTarget) -> ChatCall:
    """Return the prompt for a silent model."""
    own = {name: value for name, value in target.params.items() if name not in _NOT_PARAMS}
    dropped = _WHO | own.keys()
    if not _LIMITS.isdisjoint(own):
        dropped |= _LIMITS  # under either name, the operator's limit replaces the caller's
    params: dict[str, JsonValue] = {
        name: value for name, value in chat.params.items() if name not in dropped
    }
    extra: Mapping[str, Raw] = {
        name: value
        for name, value in chat.extra.items()
        if name not in dropped and name != "metadata"
    }
    if "store" in params:
        params["store"] = False
    if "store" in extra:
        extra = {**extra, "store": Raw(b"false")}
    params.update(own)
    return structs.replace(
        chat,
        messages=_prompted(chat.messages, target.system_prompt),
        params=params,
        extra=extra,
        tools=() if "tools" in own else chat.tools,
        tool_choice=UNSET if "tool_choice" in own else chat.tool_choice,
        response_format=UNSET if "response_format" in own else chat.response_format,
    )


def _prompted(messages: tuple[Message, ...], system_prompt: str | None) -> tuple[Message, ...]:
    if system_prompt is None:
        return messages
    return (Message("system", content=system_prompt), *messages)
