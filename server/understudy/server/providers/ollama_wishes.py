"""Writes what is wished of an answer as Ollama has it: sampling, format, thinking, tools. Pure.

What Ollama calls by a name of its own goes where Ollama reads it: beside the prompt, or among the
`options`, which take every other name as LiteLLM does (`num_ctx`, `mirostat` …). `user`, `store`,
`metadata`, `safety_identifier` and the caching keys are labels that change no answer; they are
left out without a word, as are values that ask for nothing, such as `n: 1`, and of a JSON schema
its name.
"""

from collections.abc import Mapping
from types import MappingProxyType

import msgspec
from msgspec import UNSET, Raw
from msgspec.json import Decoder

from understudy.server.domain.chat import ChatCall, NamedTool, ResponseFormat, Tool
from understudy.server.errors import RequestError
from understudy.server.providers.leaving import Losses
from understudy.server.providers.merging import LIMITS, Asked

Body = dict[str, object]

_HARMLESS = frozenset(
    {
        "user",
        "store",
        "metadata",
        "safety_identifier",
        "prompt_cache_key",
        "prompt_cache_retention",
    }
)
# What cannot be carried, and the values that ask for nothing.
_LOST: Mapping[str, tuple[object, ...]] = MappingProxyType(
    {
        "n": (1,),
        "logit_bias": ({},),
        "service_tier": ("auto", "default"),
        "verbosity": ("medium",),
        "modalities": (["text"],),
        "audio": (),
        "prediction": (),
        "web_search_options": (),
        "functions": ([],),
        "function_call": ("auto", "none"),
        "tools": ([],),  # within extra_body, and not by an interface that has tools
        "tool_choice": ("auto",),
    }
)
_LIKEWISE = frozenset({"temperature", "top_p", "seed", "presence_penalty", "frequency_penalty"})
KNOWN = (
    frozenset(LIMITS)
    | _HARMLESS
    | (_LOST.keys() - {"tools", "tool_choice"})
    | _LIKEWISE
    | {"stop", "logprobs", "top_logprobs", "reasoning_effort", "parallel_tool_calls"}
)
_THINKING: Mapping[str, bool | str] = MappingProxyType(
    {"none": False, "low": "low", "medium": "medium", "high": "high", "max": "max"}
)
_ANY = Decoder(object)
_OBJECTS = Decoder(dict[str, Raw] | None)
_FORMATS = Decoder(ResponseFormat)


def write_wishes(call: ChatCall, asked: Asked, own: frozenset[str], losses: Losses) -> Body:
    """Return what stands beside the prompt, `options` included.

    `own` are the names that Ollama's interface has for things beside a prompt.
    """
    wishes: dict[str, object] = {**asked.params, **asked.extra}
    if asked.response_format is not UNSET:
        wishes["response_format"] = asked.response_format
    said = {*call.params, *call.extra}
    if not said.isdisjoint(LIMITS):
        said.add("max_tokens")
    if call.response_format is not UNSET:
        said.add("response_format")
    body: Body = {}
    options: Body = {}
    # The caller's come last: the same wish has two names, and the operator may have used the other.
    for name in sorted(wishes, key=said.__contains__):
        _write_wish(name, wishes[name], own, body, options, losses)
    _check_parallel(wishes.get("parallel_tool_calls"), asked, losses)
    if options:
        body["options"] = options
    return body


def write_tools(asked: Asked, losses: Losses) -> list[Body]:
    """Return the tools that the model may use; none where the choice is to use none."""
    choice = asked.tool_choice
    if choice == "none":
        return []
    if choice not in (UNSET, "auto", ""):
        wanted = choice.function.name if isinstance(choice, NamedTool) else choice
        losses.drop("tool_choice", f"its models choose themselves, so {wanted!r} cannot be had")
    tools: list[Body] = []
    for at, one in enumerate(asked.tools):
        if one.function is UNSET:
            losses.drop(f"tools[{at}]", "it has functions only")
        else:
            tools.append(_write_tool(one))
    return tools


def _write_tool(tool: Tool) -> Body:
    body: Body = {"type": "function", "function": tool.function}
    if tool.extra is not UNSET:
        body.update((name, value) for name, value in tool.extra.items() if name not in body)
    return body


def _write_wish(
    name: str, value: object, own: frozenset[str], body: Body, options: Body, losses: Losses
) -> None:
    if name in _HARMLESS or name == "parallel_tool_calls":
        return
    if name in own:
        body[name] = value
    elif name in _LOST:
        if _read(value) not in (None, *_LOST[name]):
            losses.drop(name)
    elif name == "response_format":
        body.pop("format", None)
        if (form := _write_format(value, losses)) is not None:
            body["format"] = form
    elif name == "reasoning_effort":
        effort = _read(value)
        if isinstance(effort, str) and effort in _THINKING:
            body["think"] = _THINKING[effort]
        elif effort:
            losses.drop(name, f"it knows {', '.join(_THINKING)}")
    elif name == "options":
        options.update(_read_options(value))
    elif name == "stop":
        words = _read(value)
        options[name] = [words] if isinstance(words, str) else words
    else:
        options["num_predict" if name in LIMITS else name] = value


def _write_format(value: object, losses: Losses) -> object:
    form = value if isinstance(value, ResponseFormat) else _read_format(value)
    match form.type:
        case "json_object":
            return "json"
        case "json_schema":
            schema = form.json_schema
            return "json" if schema is UNSET or schema.schema is UNSET else schema.schema
        case "text":
            return None
        case other:
            losses.drop("response_format", f"it has no format {other[:40]!r}")
            return None


def _read_format(value: object) -> ResponseFormat:
    try:
        return _FORMATS.decode(msgspec.json.encode(value))
    except (msgspec.DecodeError, RecursionError) as error:
        raise RequestError(f"response_format: {error}", field="response_format") from None


def _check_parallel(value: object, asked: Asked, losses: Losses) -> None:
    if _read(value) is False and asked.tools:
        losses.drop("parallel_tool_calls", "its models may call several tools at once")


def _read_options(value: object) -> Mapping[str, object]:
    try:
        return _OBJECTS.decode(msgspec.json.encode(value)) or {}
    except (msgspec.DecodeError, RecursionError):
        raise RequestError("options is no JSON object", field="options") from None


def _read(value: object) -> object:
    """Return a value as it is, whoever's JSON text it may be."""
    if not isinstance(value, Raw):
        return value
    try:
        return _ANY.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise RequestError("extra_body holds what is no JSON") from None
