"""Writes what is asked of an answer as Anthropic has it: length, sampling, format. Pure.

`store`, `metadata`, `safety_identifier` and the caching keys of OpenAI's interface are labels that
change no answer; they are left out without a word, as are values that ask for nothing, such as
`n: 1`. Of `service_tier` the two classes that Anthropic has are named.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import cast

import msgspec
from msgspec import UNSET, DecodeError, Raw
from msgspec.json import Decoder

from understudy.server.errors import RequestError
from understudy.server.providers.anthropic_models import ModelFacts, Sampling
from understudy.server.providers.anthropic_thinking import THINKING, thinks, write_thinking
from understudy.server.providers.leaving import Losses
from understudy.server.providers.merging import LIMITS, Asked

Body = dict[str, object]

_HARMLESS = frozenset(
    {"store", "metadata", "safety_identifier", "prompt_cache_key", "prompt_cache_retention"}
)
# What cannot be carried, and beside null the value that asks for nothing.
_LOST: Mapping[str, object] = MappingProxyType(
    {
        "n": 1,
        "seed": None,
        "logprobs": False,
        "top_logprobs": 0,
        "presence_penalty": 0,
        "frequency_penalty": 0,
        "logit_bias": {},
        "verbosity": None,
        "modalities": ["text"],
        "audio": None,
        "prediction": None,
        "web_search_options": None,
        "functions": None,
        "function_call": None,
    }
)
_TIERS: Mapping[str, str] = MappingProxyType({"auto": "auto", "default": "standard_only"})
_WRITTEN = frozenset(
    {
        "temperature",
        "top_p",
        "stop",
        "user",
        "service_tier",
        "reasoning_effort",
        "parallel_tool_calls",
        "tools",
        "tool_choice",
        "response_format",
    }
)
KNOWN = frozenset(LIMITS) | _WRITTEN | _HARMLESS | _LOST.keys()
_MEMBERS = Decoder(dict[str, Raw])


def write_params(
    asked: Asked, facts: ModelFacts, losses: Losses, *, forces_tool: bool = False
) -> Body:
    """Return the members that say how to answer. `forces_tool` is whether a tool must be called.

    Raises RequestError for what cannot be read, and for what cannot be carried unless it may be
    dropped.
    """
    params = {
        name: plain for name, value in asked.params.items() if (plain := _plain(value)) is not None
    }
    for name, neutral in _LOST.items():
        if name in params and params[name] != neutral:
            losses.drop(name)
    body: Body = {"max_tokens": params.get("max_tokens", facts.max_output)}
    thinking, effort = write_thinking(asked, params, facts, forces_tool, losses)
    does_think = thinks(_plain(asked.extra.get(THINKING, thinking.get(THINKING))))
    body.update(_write_sampling(params, facts, does_think, losses))
    if stops := _write_stops(params.get("stop"), losses):
        body["stop_sequences"] = stops
    if "user" in params:
        body["metadata"] = {"user_id": params["user"]}
    if (tier := _TIERS.get(str(params.get("service_tier")))) is not None:
        body["service_tier"] = tier
    body.update(thinking)
    if output := {**effort, **_write_format(asked, facts, losses)}:
        body["output_config"] = output
    return body


def add_extra(body: Body, extra: Mapping[str, object]) -> None:
    """Put Anthropic's own members into a body, over ours; of its output's settings, each alone."""
    for name, value in extra.items():
        ours = body.get(name)
        if name == "output_config" and isinstance(ours, dict):
            body[name] = {**cast(Body, ours), **_read_members(name, value)}
        else:
            body[name] = value


def _write_sampling(
    params: Mapping[str, object], facts: ModelFacts, does_think: bool, losses: Losses
) -> Body:
    kept: Body = {}
    given = [name for name in ("temperature", "top_p") if name in params]
    for name in sorted(given, key=lambda one: params[one] == 1):
        why = _find_fault(name, params[name], facts, does_think, beside=bool(kept))
        if not why:
            kept[name] = params[name]
        elif params[name] != 1:  # 1 is what they do unasked
            losses.drop(name, why)
    return kept


def _find_fault(
    name: str, value: object, facts: ModelFacts, does_think: bool, *, beside: bool
) -> str:
    """Return why a model does not take this, empty if it does."""
    if facts.sampling is Sampling.NEITHER:
        return "this model has no sampling parameters"
    if facts.sampling is Sampling.EITHER and beside:
        return "this model takes it or temperature, not both"
    if not isinstance(value, int | float):
        return ""
    if name == "temperature" and value > 1:
        return "it is at most 1 there"
    if does_think and (name == "temperature" or value < 0.95):
        return "a model that thinks does not take it"
    return ""


def _write_format(asked: Asked, facts: ModelFacts, losses: Losses) -> Body:
    wanted = asked.response_format
    if wanted is UNSET or wanted.type == "text":
        return {}
    if wanted.type != "json_schema":
        losses.drop("response_format", f"it has no {wanted.type}; give a json_schema")
    elif wanted.json_schema is UNSET or wanted.json_schema.schema is UNSET:
        losses.drop("response_format", "it holds no schema")
    elif not facts.schemas:
        losses.drop("response_format", "this model cannot be held to a schema")
    else:
        return {"format": {"type": "json_schema", "schema": wanted.json_schema.schema}}
    return {}


def _write_stops(value: object, losses: Losses) -> list[str]:
    stops = [value] if isinstance(value, str) else value
    if not isinstance(stops, list | tuple):
        return []
    kept: list[str] = []
    for index, stop in enumerate(cast(Sequence[object], stops)):
        if isinstance(stop, str) and stop.strip():
            kept.append(stop)
        else:
            losses.drop(f"stop[{index}]", "a stop sequence shows something")
    return kept


def _plain(value: object) -> object:
    """Return a parameter that may have come as JSON text."""
    return msgspec.json.decode(value) if isinstance(value, Raw) else value


def _read_members(name: str, value: object) -> Mapping[str, object]:
    """Return the members of an object, each as it was written."""
    try:
        return _MEMBERS.decode(msgspec.json.encode(value))
    except DecodeError as error:
        raise RequestError(f"{name}: {error}", field=name) from None
