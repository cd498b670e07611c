"""The dialect of OpenAI, and of all who speak it with an accent. Pure.

Azure, Hugging Face, Together, Baseten, OpenRouter, LiteLLM's proxy and any compatible server get
one body; how each differs is a line of `openai_accents`. Where requests go is `catalog`'s concern;
what comes back is read in `openai_reader`.
"""

from collections.abc import Mapping, Sequence
from typing import cast

import msgspec
from msgspec import UNSET, Raw

from understudy.server.domain.chat import ChatCall, ContentPart, Message, Tool, ToolCall
from understudy.server.domain.deployment import Deployment
from understudy.server.errors import Reason, RefusedError, RequestError
from understudy.server.ports import HttpRequest, Reader
from understudy.server.providers.failures import EncodedReader, FailureReader, is_encoded
from understudy.server.providers.leaving import Losses
from understudy.server.providers.merging import merge_extra, merge_params
from understudy.server.providers.openai_accents import (
    Body,
    accent_of,
    fit_body,
    fit_messages,
    name_limit,
)
from understudy.server.providers.openai_reader import OpenAiReader

_ASK_FOR_USAGE = Raw(b'{"include_usage":true}')

_ENCODER = msgspec.json.Encoder()


class OpenAiDialect:
    """Writes prompts and reads answers as OpenAI does."""

    def encode(self, call: ChatCall, deployment: Deployment) -> HttpRequest:
        """Write a prompt as a request for a deployment."""
        if deployment.endpoint is None:
            raise RefusedError(
                Reason.DEPLOYMENT_UNUSABLE,
                f"{deployment.id!r} cannot be asked: {deployment.unusable}",
            )
        accent, losses = accent_of(deployment.provider), Losses(deployment)
        try:
            members = write_body(fit_messages(call, accent, losses), deployment)
            fit_body(members, accent, deployment, losses)
            body = _ENCODER.encode(members)
        except UnicodeEncodeError as error:
            raise RequestError(
                "the prompt holds a lone surrogate, which is no character"
            ) from error
        return HttpRequest(deployment.endpoint, body, call.stream, losses.warnings)

    def reader(self, stream: bool, status: int, headers: Mapping[str, str]) -> Reader:
        """Return what reads a reply."""
        if not 200 <= status < 300:
            return FailureReader(status, headers)
        if is_encoded(headers):
            return EncodedReader(status)
        return OpenAiReader(stream, status, headers)


def write_body(call: ChatCall, deployment: Deployment) -> Body:
    """Return the body of a request, the caller's words over the operator's."""
    accent = accent_of(deployment.provider)
    body: Body = {"model": deployment.model, "messages": _write_messages(call.messages)}
    params = merge_params(call, deployment)
    body.update(params)
    if call.tools:
        body["tools"] = [_members(one) for one in call.tools]
    if call.tool_choice is not UNSET:
        body["tool_choice"] = call.tool_choice
    if call.response_format is not UNSET:
        body["response_format"] = call.response_format
    if "logit_bias" in params:
        body["logit_bias"] = _write_bias(params["logit_bias"])
    name_limit(body, accent, deployment)
    body.update(accent.extra)
    body.update(merge_extra(call, deployment))
    if call.stream or accent.always_stream:
        body["stream"] = call.stream
    if call.stream:
        usual = _ASK_FOR_USAGE if accent.asked_for_usage else None
        options = deployment.defaults.get("stream_options", usual)
        if options is not None:  # null: for a server that refuses to be asked
            body["stream_options"] = options
    return body


def _write_bias(bias: object) -> object:
    """Return whole numbers as OpenAI wants them; a protobuf map of doubles has none."""
    if not isinstance(bias, Mapping):
        return bias
    members = cast(Mapping[object, object], bias)
    return {
        token: int(value) if isinstance(value, float) and value.is_integer() else value
        for token, value in members.items()
    }


def _write_messages(messages: Sequence[Message]) -> Sequence[object]:
    """Return the messages ready to encode, most often as they are."""
    for one in messages:
        if one.extra is not UNSET or one.tool_calls is not UNSET or isinstance(one.content, tuple):
            return [_write_message(one) for one in messages]
    return messages


def _write_message(message: Message) -> object:
    members = _members(message)
    if isinstance(message.content, tuple):
        members["content"] = [_members(one) for one in message.content]
    if message.tool_calls is not UNSET:
        # Taken from a stream, a call may bring its index, which is refused in a prompt.
        members["tool_calls"] = [
            {name: value for name, value in _members(one).items() if name != "index"}
            for one in message.tool_calls
        ]
    return members


def _members(value: Message | ContentPart | ToolCall | Tool) -> Body:
    """Return what is set, and beside it the caller's further members as written."""
    own = {
        name: member
        for name in value.__struct_fields__
        if name != "extra" and (member := getattr(value, name)) is not UNSET
    }
    if value.extra is not UNSET:
        own.update((name, member) for name, member in value.extra.items() if name not in own)
    return own
