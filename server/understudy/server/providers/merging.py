"""What is asked of a model in all: the caller's words over the operator's, in OpenAI's terms. Pure.

How that is written for a provider is each dialect's own; what it has to leave out, `leaving`'s.
"""

from collections.abc import Mapping
from typing import TypeVar

import msgspec
from msgspec import UNSET, Struct, UnsetType

from understudy.server.domain.chat import ChatCall, Message, NamedTool, ResponseFormat, Tool
from understudy.server.domain.deployment import Deployment
from understudy.server.errors import RequestError

LIMITS = ("max_completion_tokens", "max_tokens")
OURS = frozenset({"model", "messages", "stream", "stream_options"})
# What an operator may write beside a model that is not the provider's to read.
_NOT_SENT = OURS | {"extra_body", "metadata", "simulated"}
_TYPED = ("tools", "tool_choice", "response_format")

T = TypeVar("T")


class Asked(Struct, frozen=True):
    """A prompt with all that is wished for it, for dialects that are not OpenAI's.

    `params` are OpenAI's scalar parameters by OpenAI's names, the limit of tokens as `max_tokens`
    whichever name it was given; `extra` what has no name there, as the provider itself calls it.
    Values are plain, or JSON text of the caller's or the operator's own (`Raw`).
    """

    messages: tuple[Message, ...]
    params: dict[str, object]
    extra: dict[str, object]
    tools: tuple[Tool, ...]
    tool_choice: str | NamedTool | UnsetType
    response_format: ResponseFormat | UnsetType


def merge(call: ChatCall, deployment: Deployment, known: frozenset[str]) -> Asked:
    """Return all that is asked. `known` are the parameters that OpenAI's interface has.

    Raises RequestError if what the operator wrote for a typed parameter has not its type.
    """
    params = merge_params(call, deployment)
    typed = {name: params.pop(name) for name in _TYPED if name in params}
    limits = [params.pop(name) for name in LIMITS if name in params]
    if limits:
        params["max_tokens"] = limits[0]  # the newer name supersedes the older
    extra = {name: params.pop(name) for name in list(params) if name not in known}
    return Asked(
        call.messages,
        params,
        {**extra, **merge_extra(call, deployment)},
        call.tools or _read("tools", typed, tuple[Tool, ...], ()),
        _either(call.tool_choice, _read("tool_choice", typed, str | NamedTool | UnsetType, UNSET)),
        _either(
            call.response_format,
            _read("response_format", typed, ResponseFormat | UnsetType, UNSET),
        ),
    )


def merge_params(call: ChatCall, deployment: Deployment) -> dict[str, object]:
    """Return the parameters by OpenAI's names, the caller's over the operator's."""
    merged: dict[str, object] = {
        name: value for name, value in deployment.defaults.items() if name not in _NOT_SENT
    }
    params = call.params
    if not merged.keys().isdisjoint(LIMITS) and not params.keys().isdisjoint(LIMITS):
        for name in LIMITS:
            merged.pop(name, None)  # under either name, the caller's limit replaces the operator's
    merged.update(params)
    return merged


def merge_extra(call: ChatCall, deployment: Deployment) -> dict[str, object]:
    """Return what is not OpenAI's: the operator's `extra_body`, the caller's own over it."""
    merged: dict[str, object] = {}
    extra_body = deployment.defaults.get("extra_body")
    if isinstance(extra_body, Mapping):
        merged.update((name, value) for name, value in extra_body.items() if name not in OURS)
    for name, value in call.extra.items():
        if name not in OURS and name != "metadata":
            merged[name] = value
    return merged


def _either(first: T | UnsetType, second: T | UnsetType) -> T | UnsetType:
    return second if first is UNSET else first


def _read(name: str, typed: Mapping[str, object], kind: object, default: T) -> T:
    if name not in typed:
        return default
    try:
        value: T = msgspec.json.decode(msgspec.json.encode(typed[name]), type=kind)
    except msgspec.DecodeError as error:
        raise RequestError(f"{name}: {error}", field=name) from None
    return value
