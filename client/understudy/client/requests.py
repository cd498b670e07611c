"""Turns the arguments of a call into a request. Pure; whether it makes sense the server says.

Messages, tools and formats are `messages`.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from understudy.client.fields import (
    assign,
    fill_map,
    read_list,
    read_mapping,
    scalar,
    write_json,
)
from understudy.client.messages import (
    build_format,
    build_message,
    build_tool,
    build_tool_choice,
)
from understudy.client.parameters import MessageInput
from understudy.v1.completion_pb2 import CreateCompletionRequest

Request = CreateCompletionRequest

_SERVERS_CONFIGURATION: Final = "is for the server's configuration, not for callers"
# Parameters of other SDKs, for which `extra_body` would be the wrong advice.
_ELSEWHERE: Final[Mapping[str, str]] = {
    "api_key": _SERVERS_CONFIGURATION,
    "api_base": _SERVERS_CONFIGURATION,
    "base_url": _SERVERS_CONFIGURATION,
    "api_version": _SERVERS_CONFIGURATION,
    "fallbacks": _SERVERS_CONFIGURATION,
    "num_retries": _SERVERS_CONFIGURATION,
    "drop_params": _SERVERS_CONFIGURATION,
    "stream_options": "is not needed: the last piece of a stream always carries the usage",
}


def build_request(
    model: str | None, messages: Iterable[MessageInput], parameters: Mapping[str, object]
) -> Request:
    """Return the request for a completion.

    Raises TypeError for an unknown parameter; TypeError or ValueError, with the path of the fault,
    for a value that has no place in a request.
    """
    request = Request()
    if model is not None:
        assign(request, "model", model, "model")
    for index, message in enumerate(read_list(messages, "messages")):
        request.messages.append(build_message(message, f"messages[{index}]"))
    for name, value in parameters.items():
        setter = _SETTERS.get(name)
        if setter is None:
            raise TypeError(_tell_unknown(name))
        if value is not None:
            setter(request, value, name)
    return request


def name_split(
    models: Mapping[str, float] | None, use_client: bool, override_client: bool, id: str | None
) -> dict[str, object]:
    """Return the parameters that name the target of a split test.

    Alone, `models` is drawn from for this call. With `use_client` the experiment `id` is followed,
    and registered from `models` if there is none yet. With `override_client` it is `models` that
    counts, recorded under the experiment if there is an `id`.
    """
    if override_client:
        return (
            {"models": models, "experiment": id, "split_mode": "override"}
            if id
            else {"models": models}
        )
    if use_client:
        if not id:
            raise ValueError("use_client=True needs the id= of the experiment to follow")
        return {
            "models": models,
            "experiment": id,
            "split_mode": "register" if models else None,
        }
    if id:
        raise ValueError(
            "id= names an experiment: add use_client=True to follow it, or override_client=True; "
            "to label the call, request_id= is what you want"
        )
    return {"models": models}


def _tell_unknown(name: str) -> str:
    if name in _ELSEWHERE:
        return f"completion() takes no {name!r}: that {_ELSEWHERE[name]}"
    return (
        f"completion() takes no {name!r}; what a provider understands and Understudy has no name "
        f"for goes into extra_body={{{name!r}: …}}"
    )


def _set_stop(request: Request, value: object, path: str) -> None:
    texts = [value] if isinstance(value, str) else read_list(value, path)
    for index, text in enumerate(texts):
        if not isinstance(text, str):
            raise TypeError(f"{path}[{index}]: a text is needed, not {type(text).__name__}")
        request.stop.append(text)


def _set_tools(request: Request, value: object, path: str) -> None:
    request.tools.extend(
        build_tool(tool, f"{path}[{index}]") for index, tool in enumerate(read_list(value, path))
    )


def _set_extra_body(request: Request, value: object, path: str) -> None:
    if mapping := read_mapping(value, path):
        assign(request, "extra_body_json", write_json(mapping, path), path)


def _set_enum(name: str, words: Mapping[str, int]) -> Callable[[Request, object, str], None]:
    """Return what sets an enum field from one of our words, or from the enum's value."""

    def set_it(request: Request, value: object, path: str) -> None:
        if isinstance(value, str):
            if value not in words:
                raise ValueError(f"{path}: {value!r} is not one of {', '.join(words)}")
            value = words[value]
        assign(request, name, value, path)

    return set_it


_SCALARS: Final = (
    "experiment", "control", "request_id", "temperature", "top_p", "n", "max_tokens",
    "max_completion_tokens", "presence_penalty", "frequency_penalty", "logprobs", "top_logprobs",
    "seed", "parallel_tool_calls", "reasoning_effort", "verbosity", "service_tier", "store", "user",
)  # fmt: skip

_SETTERS: Final[Mapping[str, Callable[[Request, object, str], None]]] = {
    **{name: scalar(name) for name in _SCALARS},
    "models": lambda request, value, path: fill_map(request.models, value, path),
    "metadata": lambda request, value, path: fill_map(request.metadata, value, path),
    "logit_bias": lambda request, value, path: fill_map(request.logit_bias, value, path),
    "split_mode": _set_enum(
        "split_mode",
        {"register": Request.SPLIT_MODE_REGISTER, "override": Request.SPLIT_MODE_OVERRIDE},
    ),
    "mirror_mode": _set_enum("mirror_mode", {"never": Request.MIRROR_MODE_NEVER}),
    "stop": _set_stop,
    "tools": _set_tools,
    "tool_choice": lambda request, value, path: request.tool_choice.CopyFrom(
        build_tool_choice(value, path)
    ),
    "response_format": lambda request, value, path: request.response_format.CopyFrom(
        build_format(value, path)
    ),
    "extra_body": _set_extra_body,
}
