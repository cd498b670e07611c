"""The dialect of OpenAI, and of all who speak it with an accent. Pure.

Azure, Hugging Face, Together, Baseten, OpenRouter, LiteLLM's proxy and any compatible server get
one body; how each differs is a line of `_ACCENTS`. Where requests go is `catalog`'s concern; what
comes back is read in `openai_reader`.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import cast

import msgspec
from msgspec import UNSET, Raw

from understudy.server.domain.chat import ChatCall, ContentPart, Message, Tool, ToolCall
from understudy.server.domain.deployment import Deployment
from understudy.server.errors import Reason, RefusedError, RequestError
from understudy.server.ports import HttpRequest, Reader
from understudy.server.providers.failures import EncodedReader, FailureReader, is_encoded
from understudy.server.providers.merging import LIMITS, merge_extra, merge_params
from understudy.server.providers.openai_reader import OpenAiReader

Body = dict[str, object]


@dataclass(frozen=True, slots=True)
class _Accent:
    """How a provider's requests differ from OpenAI's."""

    always_stream: bool = False  # `"stream": false` is written too
    token_limit: str = ""  # the only name that `max_tokens` and `max_completion_tokens` go by
    reasoning_limit: str = ""  # likewise, for reasoning models
    extra: Mapping[str, Raw] = field(default_factory=dict[str, Raw])


_PLAIN = _Accent()
_ACCENTS: Mapping[str, _Accent] = MappingProxyType(
    {
        "openai": _Accent(reasoning_limit="max_completion_tokens"),
        "azure": _Accent(always_stream=True, reasoning_limit="max_completion_tokens"),
        "baseten": _Accent(token_limit="max_tokens"),
        "openrouter": _Accent(extra={"usage": Raw(b'{"include":true}')}),
    }
)
_REASONING_MODEL = re.compile(r"(?<![A-Za-z0-9])(?:o[134]|gpt-?5)(?![A-Za-z0-9])")

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
        try:
            body = _ENCODER.encode(write_body(call, deployment))
        except UnicodeEncodeError as error:
            raise RequestError(
                "the prompt holds a lone surrogate, which is no character"
            ) from error
        return HttpRequest(deployment.endpoint, body, call.stream)

    def reader(self, stream: bool, status: int, headers: Mapping[str, str]) -> Reader:
        """Return what reads a reply."""
        if not 200 <= status < 300:
            return FailureReader(status, headers)
        if is_encoded(headers):
            return EncodedReader(status)
        return OpenAiReader(stream, status, headers)


def write_body(call: ChatCall, deployment: Deployment) -> Body:
    """Return the body of a request, the caller's words over the operator's."""
    accent = _ACCENTS.get(deployment.provider, _PLAIN)
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
    _name_limit(body, accent, deployment.model)
    body.update(accent.extra)
    body.update(merge_extra(call, deployment))
    if call.stream or accent.always_stream:
        body["stream"] = call.stream
    if call.stream:
        options = deployment.defaults.get("stream_options", _ASK_FOR_USAGE)
        if options is not None:  # null: for a server that refuses to be asked
            body["stream_options"] = options
    return body


def _name_limit(body: Body, accent: _Accent, model: str) -> None:
    """Give the limit of tokens the one name that the model knows, where it knows only one."""
    name = accent.token_limit
    if accent.reasoning_limit and _REASONING_MODEL.search(model):
        name = accent.reasoning_limit
    given = [body.pop(other) for other in LIMITS if other in body] if name else []
    if given:
        body[name] = given[0]  # the newer name supersedes the older


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
