"""Makes of a caller's prompt the one that an experiment wants. Pure, and never in place.

A variant's prompt is changed here, for the model that answers; a silent model's by the mirror,
which is told here what an experiment wants of it.
"""

from collections.abc import Mapping
from typing import Final, TypeVar

import msgspec
from msgspec import UNSET, Raw, structs

from understudy.server.domain.chat import (
    ChatCall,
    JsonValue,
    Message,
    NamedTool,
    ResponseFormat,
    Tool,
)
from understudy.server.domain.deployment import Deployment, SilentModel
from understudy.server.domain.experiments import Experiment, MirrorPart, Overrides, State
from understudy.server.errors import RequestError

# OpenAI's parameters that go by their own names; TYPED have a place of their own in a call.
PARAMS: Final = frozenset(
    {
        "frequency_penalty",
        "logit_bias",
        "logprobs",
        "max_completion_tokens",
        "max_tokens",
        "n",
        "parallel_tool_calls",
        "presence_penalty",
        "reasoning_effort",
        "seed",
        "service_tier",
        "stop",
        "store",
        "temperature",
        "top_logprobs",
        "top_p",
        "user",
        "verbosity",
    }
)
TYPED: Final = frozenset({"tools", "tool_choice", "response_format"})
LIMITS: Final = frozenset({"max_tokens", "max_completion_tokens"})

T = TypeVar("T")


def override(chat: ChatCall, overrides: Overrides) -> ChatCall:
    """Return the prompt with what a variant changes; what it leaves is the caller's, as written.

    The system prompt comes first, and the caller's own messages follow unchanged, a system prompt
    of theirs among them. `null` takes away what the caller wished of tools and format. Raises
    RequestError for a value that has not OpenAI's type.
    """
    messages = _prompted(chat.messages, overrides.system_prompt)
    own = wanted_params(overrides)
    if not own:
        return structs.replace(chat, messages=messages)
    dropped = frozenset(own)
    if not LIMITS.isdisjoint(own):
        dropped |= LIMITS  # under either name, the variant's limit replaces the caller's
    written = overrides.params
    tools = _read(written, "tools", tuple[Tool, ...], (), chat.tools)
    choice = _read(written, "tool_choice", str | NamedTool, UNSET, chat.tool_choice)
    shape = _read(written, "response_format", ResponseFormat, UNSET, chat.response_format)
    params = {name: value for name, value in chat.params.items() if name not in dropped}
    params.update((name, _plain(value)) for name, value in own.items() if name in PARAMS)
    # What a typed place cannot hold whole goes by its name, as an operator's defaults do.
    typed = {"tools": tools, "tool_choice": choice, "response_format": shape}
    params.update((name, value) for name, value in typed.items() if isinstance(value, Raw))
    extra = {name: value for name, value in chat.extra.items() if name not in dropped}
    extra.update((name, one) for name, one in written.items() if name not in PARAMS | TYPED)
    return structs.replace(
        chat,
        messages=messages,
        params=params,
        tools=() if isinstance(tools, Raw) else tools,
        tool_choice=UNSET if isinstance(choice, Raw) else choice,
        response_format=UNSET if isinstance(shape, Raw) else shape,
        extra=extra,
    )


def wanted_params(overrides: Overrides) -> Mapping[str, JsonValue]:
    """Return the parameters that are changed, by OpenAI's names, further ones as written."""
    named = {
        "temperature": overrides.temperature,
        "max_tokens": overrides.max_tokens,
        "top_p": overrides.top_p,
    }
    return {
        **overrides.params,
        **{name: value for name, value in named.items() if value is not None},
    }


def silent_models(experiment: Experiment | None, primary: Deployment) -> tuple[SilentModel, ...]:
    """Return whom the prompts that `primary` answers are played to, each group once.

    These are the deployment's own silent models and, while the experiment runs, its mirror. Where
    both name a group, the experiment says how.
    """
    if experiment is None or experiment.state is not State.RUNNING or not experiment.mirror:
        return primary.silent_models
    found = {one.group: one for one in primary.silent_models}
    found.update((one.model_group, _as_silent(one)) for one in experiment.mirror)
    return tuple(found.values())


def _as_silent(part: MirrorPart) -> SilentModel:
    return SilentModel(
        part.model_group,
        part.fraction,
        part.timeout,
        part.overrides.system_prompt,
        wanted_params(part.overrides),
    )


def _prompted(messages: tuple[Message, ...], system_prompt: str | None) -> tuple[Message, ...]:
    if system_prompt is None:
        return messages
    return (Message("system", content=system_prompt), *messages)


def _plain(value: JsonValue) -> JsonValue:
    """Return JSON text as the value it says where that writes the same text again.

    Dialects look into a plain value; a text that would be written otherwise stays as it is, and so
    does an object, in which they would write numbers their own way.
    """
    if not isinstance(value, Raw):
        return value
    plain: JsonValue = msgspec.json.decode(value)
    if isinstance(plain, dict) or msgspec.json.encode(plain) != bytes(value):
        return value
    return plain


def _read(written: Mapping[str, Raw], name: str, kind: object, nothing: T, otherwise: T) -> T | Raw:
    """Return a typed value, or its text where the type would lose some of it."""
    if (text := written.get(name)) is None:
        return otherwise
    plain = msgspec.json.decode(text)
    if plain is None:
        return nothing
    try:
        value: T = msgspec.json.decode(text, type=kind)
    except msgspec.ValidationError as error:
        raise RequestError(f"{name}: {error}", field=name) from None
    return value if msgspec.json.decode(msgspec.json.encode(value)) == plain else text
