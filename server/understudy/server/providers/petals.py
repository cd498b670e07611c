"""The dialect of Petals' HTTP interface: a form there, one JSON object back. Pure.

It takes a text and goes on with it, so a conversation is written as one: each message behind the
name of who says it, a blank line between two, and `Assistant:` at the end, as for

    System: You are terse.

    User: Say hi.

    Assistant:

It does not stream, so an answer comes whole, and is read in `petals_reader`. Without a limit of
tokens it does not answer, so `DEFAULT_LIMIT` is named where none is asked for. Fields of its own,
such as `top_k` and `repetition_penalty`, are passed on if they are plain values. `user`, `store`,
`metadata`, `safety_identifier`, `service_tier` and the caching keys are labels that change no
answer; they are left out without a word, as are values that ask for nothing, such as `n: 1`.
"""

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from urllib.parse import urlencode

import msgspec
from msgspec import UNSET, Raw

from understudy.server.domain.chat import ChatCall, Message
from understudy.server.domain.deployment import Deployment
from understudy.server.errors import Reason, RefusedError, RequestError
from understudy.server.ports import HttpRequest, Reader
from understudy.server.providers.failures import (
    EncodedReader,
    FailureReader,
    is_encoded,
)
from understudy.server.providers.features import Feature
from understudy.server.providers.leaving import Losses
from understudy.server.providers.merging import LIMITS, Asked, merge
from understudy.server.providers.petals_reader import PetalsReader

DEFAULT_LIMIT = 1024

_HARMLESS = frozenset(
    {
        "store",
        "metadata",
        "safety_identifier",
        "prompt_cache_key",
        "prompt_cache_retention",
        "service_tier",
        "user",
        "parallel_tool_calls",  # without tools, that is; those are missed themselves
    }
)
# What cannot be carried, and beside null the value that asks for nothing.
_LOST: Mapping[str, object] = MappingProxyType(
    {
        "n": 1,
        "stop": [],
        "seed": None,
        "logprobs": False,
        "top_logprobs": 0,
        "presence_penalty": 0,
        "frequency_penalty": 0,
        "logit_bias": {},
        "reasoning_effort": "none",
        "verbosity": None,
        "modalities": ["text"],
        "audio": None,
        "prediction": None,
        "web_search_options": None,
        "functions": None,
        "function_call": None,
    }
)
_TYPED = frozenset({"tools", "tool_choice", "response_format"})
_KNOWN = frozenset({*LIMITS, "temperature", "top_p", *_TYPED, *_HARMLESS, *_LOST})

_SPEAKERS: Mapping[str, str] = MappingProxyType(
    {"system": "System", "developer": "System", "user": "User", "assistant": "Assistant"}
)


class PetalsDialect:
    """Writes prompts and reads answers as Petals does."""

    carries = frozenset({Feature.SYSTEM})

    def encode(self, call: ChatCall, deployment: Deployment) -> HttpRequest:
        """Write a prompt as a request for a deployment; a stream is answered whole."""
        if deployment.endpoint is None:
            raise RefusedError(
                Reason.DEPLOYMENT_UNUSABLE,
                f"{deployment.id!r} cannot be asked: {deployment.unusable}",
            )
        losses = Losses(deployment)
        asked = merge(call, deployment, _KNOWN)
        form = {
            "model": deployment.model,
            "inputs": _write_prompt(asked.messages, losses),
            **_write_params(asked, losses),
        }
        try:
            body = urlencode(form).encode()
        except UnicodeEncodeError as error:
            raise RequestError(
                "the prompt holds a lone surrogate, which is no character"
            ) from error
        return HttpRequest(deployment.endpoint, body, warnings=losses.warnings)

    def reader(self, stream: bool, status: int, headers: Mapping[str, str]) -> Reader:
        """Return what reads a reply."""
        if not 200 <= status < 300:
            return FailureReader(status, headers)
        if is_encoded(headers):
            return EncodedReader(status)
        return PetalsReader(status, headers)


def _write_prompt(messages: Sequence[Message], losses: Losses) -> str:
    """Return a conversation as one text that the assistant is to go on with."""
    said: list[str] = []
    for index, message in enumerate(messages):
        path = f"messages[{index}]"
        speaker = _SPEAKERS.get(message.role)
        if speaker is None:
            losses.drop(path, f"it knows no role {message.role!r}")
            continue
        if message.name is not UNSET:
            losses.drop(f"{path}.name")
        if message.tool_calls is not UNSET:
            losses.drop(f"{path}.tool_calls")
        if message.extra is not UNSET:
            for name in message.extra:
                losses.drop(f"{path}.{name}")
        if text := "".join(_read_texts(message, path, losses)):
            said.append(f"{speaker}: {text}")
    return "\n\n".join([*said, "Assistant:"])


def _read_texts(message: Message, path: str, losses: Losses) -> Iterator[str]:
    if isinstance(message.content, str):
        yield message.content
    elif isinstance(message.content, tuple):
        for at, part in enumerate(message.content):
            if part.text is UNSET:
                losses.drop(f"{path}.content[{at}]", "it reads text only")
            else:
                yield part.text
    if message.refusal is not UNSET:
        yield message.refusal


def _write_params(asked: Asked, losses: Losses) -> dict[str, str]:
    params = {
        name: plain for name, value in asked.params.items() if (plain := _plain(value)) is not None
    }
    for name, neutral in _LOST.items():
        if name in params and params[name] != neutral:
            losses.drop(name)
    if asked.tools:
        losses.drop("tools")
    if asked.tool_choice is not UNSET and asked.tool_choice != "none":
        losses.drop("tool_choice")
    if asked.response_format is not UNSET and asked.response_format.type != "text":
        losses.drop("response_format")
    form = {"max_new_tokens": _write_scalar(params.get("max_tokens", DEFAULT_LIMIT))}
    form.update(_write_sampling(params))
    for name, value in asked.extra.items():
        plain = _plain(value)
        if isinstance(plain, str | int | float):
            form[name] = _write_scalar(plain)
        elif plain is not None:
            losses.drop(name, "a form holds plain values")
    return form


def _write_sampling(params: Mapping[str, object]) -> dict[str, str]:
    """Return how tokens are drawn; unless told to draw, it takes the likeliest."""
    told = {name: params[name] for name in ("temperature", "top_p") if name in params}
    if not told:
        return {}
    if told.get("temperature") == 0:
        return {"do_sample": "0"}
    return {"do_sample": "1", **{name: _write_scalar(value) for name, value in told.items()}}


def _write_scalar(value: object) -> str:
    return str(int(value)) if isinstance(value, bool) else str(value)


def _plain(value: object) -> object:
    """Return a value that may have come as JSON text."""
    return msgspec.json.decode(value) if isinstance(value, Raw) else value
