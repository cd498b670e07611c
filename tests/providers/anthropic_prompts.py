"""Deployments and prompts for the tests of Anthropic's dialect, and how they are written."""

import json
from collections.abc import Mapping
from typing import cast

import pytest
from msgspec import Raw, structs

from understudy.server.domain.chat import (
    ChatCall,
    FunctionDefinition,
    JsonValue,
    NamedTool,
    ResponseFormat,
    Tool,
)
from understudy.server.domain.deployment import Deployment
from understudy.server.errors import Reason, RequestError
from understudy.server.ports import HttpRequest
from understudy.server.providers import dialect

from .samples import SCHEMA, call, deployment

SONNET = "claude-sonnet-4-20250514"
HAIKU = "claude-haiku-4-5-20251001"
OPUS = "claude-opus-4-6"
NEWEST = "claude-opus-5-5"
LOOK = Tool("function", FunctionDefinition("look", "Looks.", Raw(SCHEMA)))


def claude(
    model: str = SONNET, *, drop: bool = False, defaults: Mapping[str, object] | None = None
) -> Deployment:
    target = deployment("anthropic", model, defaults)
    return Deployment(
        id=target.id,
        group=target.group,
        provider=target.provider,
        model=model,
        endpoint=target.endpoint,
        defaults=target.defaults,
        drop_params=drop,
    )


def encode(prompt: ChatCall, target: Deployment | None = None) -> HttpRequest:
    return dialect("anthropic").encode(prompt, target or claude())


def body_of(prompt: ChatCall, target: Deployment | None = None) -> dict[str, object]:
    return cast(dict[str, object], json.loads(encode(prompt, target).body))


def asking(
    params: Mapping[str, object] | None = None,
    *,
    tools: tuple[Tool, ...] = (),
    choice: str | NamedTool | None = None,
    shape: ResponseFormat | None = None,
    extra: Mapping[str, bytes] | None = None,
) -> ChatCall:
    prompt = call(params=cast(Mapping[str, JsonValue], params or {}), extra=extra)
    prompt = structs.replace(prompt, tools=tools)
    if choice is not None:
        prompt = structs.replace(prompt, tool_choice=choice)
    return prompt if shape is None else structs.replace(prompt, response_format=shape)


def refusal_of(prompt: ChatCall, model: str = SONNET) -> str:
    """Encode what cannot be carried; return the field, having seen it dropped where allowed."""
    with pytest.raises(RequestError) as caught:
        encode(prompt, claude(model))
    assert caught.value.reason is Reason.UNSUPPORTED_PARAMETER
    warnings = encode(prompt, claude(model, drop=True)).warnings
    assert [one.reason for one in warnings] == ["DROPPED_PARAMETER"]
    return caught.value.field
