"""Reads a caller's request into a domain value, or says which field is wrong.

Messages, tools and formats are read in `servicers.read_chat`; whether the target exists is
decided further in.
"""

import re
from collections.abc import Callable
from typing import Final

from msgspec import UNSET

from understudy.server.domain.chat import ChatCall, Extra, JsonValue
from understudy.server.domain.request import (
    CompletionRequest,
    SplitMode,
    Target,
    TraceContext,
)
from understudy.server.errors import RequestError
from understudy.server.servicers.read_chat import (
    read_format,
    read_messages,
    read_tool_choice,
    read_tools,
)
from understudy.server.servicers.read_json import read_members, struct_to_json
from understudy.v1 import completion_pb2

Wire = completion_pb2.CreateCompletionRequest

LONGEST_LABEL: Final = 128  # characters of a request id
MOST_METADATA: Final = 64
LONGEST_METADATA_KEY: Final = 64
LONGEST_METADATA_VALUE: Final = 512
MOST_STOPS: Final = 1024
MOST_BIASES: Final = 10_000
EXPERIMENT_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")

_SPLIT_MODES: Final = {
    Wire.SPLIT_MODE_UNSPECIFIED: SplitMode.FOLLOW,
    Wire.SPLIT_MODE_REGISTER: SplitMode.REGISTER,
    Wire.SPLIT_MODE_OVERRIDE: SplitMode.OVERRIDE,
}
# `stream` and its options are for the RPC to say.
_NAMED: Final = frozenset(Wire.DESCRIPTOR.fields_by_name) | {"stream", "stream_options"}

# What LiteLLM's proxy takes from a prompt's body to send it elsewhere, or under another key, even
# within `fallbacks`: behind `litellm_proxy/` these would lead the operator's key astray.
_OPERATORS: Final = re.compile(
    "api_(base|key|type|version)|base_url|client_(id|secret)|tenant_id|custom_llm_provider"
    "|default_(headers|query)|extra_(headers|query)|headers|ssl_verify|organization|project"
    "|deployment_id|region_name|litellm_(credential_name|params)|user_config|model_list"
    "|mock_response|fallbacks|(context_window|content_policy)_fallbacks"
    "|(aws|azure|vertex|langfuse|langsmith)_.*",
    re.IGNORECASE,
)


def _between(low: float, high: float) -> Callable[[str, float], None]:
    def check(name: str, value: float) -> None:
        if not low <= value <= high:  # NaN is in no range
            raise RequestError(f"{name} is {value}; it must be in [{low}, {high}]", field=name)

    return check


_MOST: Final = 2**31 - 1
# OpenAI's parameters that are passed on under their own names, and the range of each.
_CHECKS: Final[dict[str, Callable[[str, float], None]]] = {
    "temperature": _between(0, 2),
    "max_tokens": _between(1, _MOST),
    "max_completion_tokens": _between(1, _MOST),
    "top_p": _between(0, 1),
    "n": _between(1, 128),
    "presence_penalty": _between(-2, 2),
    "frequency_penalty": _between(-2, 2),
    "top_logprobs": _between(0, 20),
}
_PASSED_ON: Final = frozenset(
    {
        *_CHECKS,
        "user",
        "seed",
        "logprobs",
        "parallel_tool_calls",
        "reasoning_effort",
        "service_tier",
        "store",
        "verbosity",
    }
)


def read_request(
    wire: Wire,
    *,
    stream: bool,
    deadline: float,
    caller: str = "",
    is_client_retry: bool = False,
    trace: TraceContext | None = None,
) -> CompletionRequest:
    """Return what the caller asks. Raises RequestError, its `field` the path of the fault."""
    params: dict[str, JsonValue] = {}
    for descriptor, value in wire.ListFields():
        name = descriptor.name
        if name in _PASSED_ON:
            if (check := _CHECKS.get(name)) is not None:
                check(name, value)
            params[name] = value
    if wire.stop:
        _check_number("stop", len(wire.stop), MOST_STOPS)
        params["stop"] = list(wire.stop)
    if wire.logit_bias:
        _check_number("logit_bias", len(wire.logit_bias), MOST_BIASES)
        for token, bias in wire.logit_bias.items():
            _between(-100, 100)(f"logit_bias[{token!r}]", bias)
        params["logit_bias"] = dict(wire.logit_bias)
    chat = ChatCall(
        read_messages(wire.messages),
        params,
        read_tools(wire.tools) if wire.tools else (),
        read_tool_choice(wire.tool_choice) if wire.HasField("tool_choice") else UNSET,
        read_format(wire.response_format) if wire.HasField("response_format") else UNSET,
        _read_extra(wire),
        stream,
    )
    return CompletionRequest(
        _read_target(wire),
        chat,
        deadline,
        _read_request_id(wire.request_id),
        caller,
        wire.user,
        _read_metadata(wire),
        wire.mirror_mode != Wire.MIRROR_MODE_NEVER,
        is_client_retry,
        trace,
    )


def _check_number(field: str, number: int, most: int) -> None:
    if number > most:
        raise RequestError(f"{field} has {number} entries; at most {most} are taken", field=field)


def _read_target(wire: Wire) -> Target:
    if not wire.experiment and not wire.models:
        return Target(wire.model)
    if wire.experiment and not EXPERIMENT_ID.fullmatch(wire.experiment):
        raise RequestError(
            "experiment is not an id: letters, digits, '.', '_' and '-', at most 128, "
            "the first a letter or digit",
            field="experiment",
        )
    mode = _SPLIT_MODES.get(wire.split_mode)
    if mode is None:
        raise RequestError(f"split_mode {wire.split_mode} is unknown", field="split_mode")
    if wire.experiment and wire.models and mode is SplitMode.FOLLOW:
        raise RequestError(
            "experiment and models are both set; say in split_mode whether to REGISTER the "
            "experiment or to OVERRIDE it",
            field="split_mode",
        )
    return Target(wire.model, dict(wire.models), wire.experiment, mode, wire.control)


def _read_extra(wire: Wire) -> Extra:
    kind = wire.WhichOneof("extra")
    if kind is None:
        return {}
    if kind == "extra_body":
        text = bytes(struct_to_json(wire.extra_body, "extra_body")).decode()
    else:
        text = wire.extra_body_json
    members = read_members(text, kind, _NAMED)
    for name in members:
        if _OPERATORS.fullmatch(name):
            raise RequestError(
                f"{name!r} is for the operator to set: no call says where a prompt goes or with "
                "which key",
                field=kind,
            )
    return members


def _read_request_id(label: str) -> str:
    if len(label) > LONGEST_LABEL or not (label.isascii() and label.isprintable()):
        raise RequestError(
            f"request_id must be at most {LONGEST_LABEL} printable ASCII characters",
            field="request_id",
        )
    return label


def _read_metadata(wire: Wire) -> dict[str, str]:
    if not wire.metadata:
        return {}
    metadata = dict(wire.metadata)
    if len(metadata) > MOST_METADATA:
        raise RequestError(
            f"metadata has {len(metadata)} labels; at most {MOST_METADATA} are taken",
            field="metadata",
        )
    for key, value in metadata.items():
        if len(key) > LONGEST_METADATA_KEY or len(value) > LONGEST_METADATA_VALUE:
            raise RequestError(
                f"a metadata key has at most {LONGEST_METADATA_KEY} characters, a value at most "
                f"{LONGEST_METADATA_VALUE}",
                field="metadata",
            )
    return metadata
