"""The dialect of Anthropic's Messages interface. Pure.

A body is put together here; its conversation is written in `anthropic_messages`, what is asked of
the answer in `anthropic_params`, and what a model takes stands in `anthropic_models`. Where no
limit of tokens is asked for, the model's own is named, for there must be one, and 8192 for a model
that is not known. What comes back is read in `anthropic_reader`.
"""

from collections.abc import Mapping
from types import MappingProxyType

import msgspec
from msgspec import UNSET, Raw

from understudy.server.domain.chat import ChatCall, Tool
from understudy.server.domain.deployment import Deployment
from understudy.server.errors import Reason, RefusedError, RequestError
from understudy.server.ports import HttpRequest, Reader
from understudy.server.providers.anthropic_messages import write_conversation
from understudy.server.providers.anthropic_models import ModelFacts, Thinking, find_facts
from understudy.server.providers.anthropic_params import KNOWN, Body, add_extra, write_params
from understudy.server.providers.anthropic_reader import AnthropicReader
from understudy.server.providers.failures import EncodedReader, FailureReader, is_encoded
from understudy.server.providers.features import Feature
from understudy.server.providers.leaving import Losses
from understudy.server.providers.merging import Asked, merge

_ANY_OBJECT = Raw(b'{"type":"object","properties":{}}')
_CHOICES: Mapping[str, str] = MappingProxyType({"auto": "auto", "none": "none", "required": "any"})

_ENCODER = msgspec.json.Encoder()


class AnthropicDialect:
    """Writes prompts and reads answers as Anthropic does."""

    carries = frozenset(
        {
            Feature.STREAM,
            Feature.SYSTEM,
            Feature.TOOLS,
            Feature.PARALLEL_TOOLS,
            Feature.TOOL_CHOICE,
            Feature.IMAGES,
            Feature.FILES,
            Feature.JSON_SCHEMA,
            Feature.STOP,
            Feature.REASONING,
            Feature.EFFORT,
            Feature.USAGE,
            Feature.CACHED_TOKENS,
            Feature.USER,
        }
    )

    def encode(self, call: ChatCall, deployment: Deployment) -> HttpRequest:
        """Write a prompt as a request for a deployment."""
        if deployment.endpoint is None:
            raise RefusedError(
                Reason.DEPLOYMENT_UNUSABLE,
                f"{deployment.id!r} cannot be asked: {deployment.unusable}",
            )
        losses = Losses(deployment)
        body = _write_body(merge(call, deployment, KNOWN), deployment.model, losses)
        if call.stream:
            body["stream"] = True
        try:
            data = _ENCODER.encode(body)
        except UnicodeEncodeError as error:
            raise RequestError(
                "the prompt holds a lone surrogate, which is no character"
            ) from error
        return HttpRequest(deployment.endpoint, data, call.stream, losses.warnings)

    def reader(self, stream: bool, status: int, headers: Mapping[str, str]) -> Reader:
        """Return what reads a reply."""
        if not 200 <= status < 300:
            return FailureReader(status, headers)
        if is_encoded(headers):
            return EncodedReader(status)
        return AnthropicReader(stream, status, headers)


def _write_body(asked: Asked, model: str, losses: Losses) -> Body:
    facts = find_facts(model)
    system, turns = write_conversation(asked.messages, losses)
    body: Body = {"model": model, "messages": turns}
    if system:
        body["system"] = system
    choice = _write_choice(asked, facts, losses)
    forces_tool = choice.get("type") in ("any", "tool")
    body.update(write_params(asked, facts, losses, forces_tool=forces_tool))
    if asked.tools:
        body["tools"] = [
            _write_tool(one, f"tools[{at}]", facts, losses) for at, one in enumerate(asked.tools)
        ]
    if choice:
        body["tool_choice"] = choice
    add_extra(body, asked.extra)
    return body


def _write_tool(tool: Tool, path: str, facts: ModelFacts, losses: Losses) -> Body:
    extra = {} if tool.extra is UNSET else dict(tool.extra)
    function = tool.function
    if function is UNSET:
        return {"type": tool.type, **extra}  # one of Anthropic's own
    written: Body = {"name": function.name}
    if function.description is not UNSET:
        written["description"] = function.description
    schema = function.parameters
    written["input_schema"] = _ANY_OBJECT if schema is UNSET else schema
    if function.strict is True:
        if facts.schemas:
            written["strict"] = True
        else:
            losses.drop(f"{path}.function.strict", "this model cannot be held to a schema")
    return {**written, **extra}


def _write_choice(asked: Asked, facts: ModelFacts, losses: Losses) -> Body:
    """Return which tool to call, nothing where that goes without saying."""
    wanted = asked.tool_choice
    choice: Body = {}
    if isinstance(wanted, str):
        if wanted not in _CHOICES:
            raise RequestError(
                f"tool_choice is {wanted!r}; it is none, auto or required", field="tool_choice"
            )
        choice = {"type": _CHOICES[wanted]}
    elif wanted is not UNSET:
        choice = {"type": "tool", "name": wanted.function.name}
    if choice.get("type") in ("any", "tool") and facts.thinking is Thinking.ALWAYS:
        losses.drop("tool_choice", "this model always thinks, and then chooses itself")
        choice = {"type": "auto"}
    if not asked.tools and choice.get("type") in ("auto", "none"):
        return {}
    if asked.params.get("parallel_tool_calls") is False and asked.tools:
        choice = choice or {"type": "auto"}
        if choice["type"] != "none":
            choice["disable_parallel_tool_use"] = True
    return choice
