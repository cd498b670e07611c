"""The dialect of simulated models: OpenAI's, with the model's settings in the request. Pure.

For demos and tests. What such a model answers, and when, is made up at the edge, in `simulated`.
"""

from collections.abc import Mapping
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from understudy.server.domain.chat import ChatCall, JsonValue
from understudy.server.domain.deployment import Deployment
from understudy.server.errors import Reason, RefusedError
from understudy.server.ports import HttpRequest, Reader
from understudy.server.providers.openai import OpenAiDialect, write_body

_Share = Annotated[float, Meta(ge=0, le=1)]
_Seconds = Annotated[float, Meta(ge=0, le=3600)]
_Status = Annotated[int, Meta(ge=400, le=599)]


class Spread(Struct, frozen=True, forbid_unknown_fields=True):
    """A log-normal distribution, as latencies have it, by its mean."""

    mean: _Seconds
    sigma: Annotated[float, Meta(ge=0, le=3)] = 0.35


class Settings(Struct, frozen=True, forbid_unknown_fields=True):
    """How a simulated model behaves: `litellm_params.simulated`, every key with its default."""

    latency: _Seconds | Spread = Spread(0.3)  # until the first token
    tokens_per_second: Annotated[float, Meta(gt=0)] = 80.0
    tokens: Annotated[int, Meta(ge=1, le=100_000)] | None = None  # else a sentence or three
    failure_rate: _Share = 0.0
    failure_status: _Status | Annotated[tuple[_Status, ...], Meta(min_length=1)] = 503
    seed: int = 0
    reply: str | None = None  # else words that vary with the prompt and the model


def read_settings(value: JsonValue | Mapping[str, object]) -> Settings:
    """Return the settings that an operator wrote. Raises ValueError with the path of a fault."""
    try:
        return msgspec.convert(value, Settings)
    except msgspec.ValidationError as error:
        detail, _, path = str(error).partition(" - at `$.")
        raise ValueError(f"{path.rstrip('`')}: {detail}" if path else detail) from None


class SimulatedDialect:
    """Writes prompts for models that are none, and reads what they answer."""

    def __init__(self) -> None:
        self._openai = OpenAiDialect()

    def encode(self, call: ChatCall, deployment: Deployment) -> HttpRequest:
        """Write a prompt as a request for a simulated model."""
        if deployment.endpoint is None:
            raise RefusedError(
                Reason.DEPLOYMENT_UNUSABLE,
                f"{deployment.id!r} cannot be asked: {deployment.unusable}",
            )
        try:
            settings = read_settings(deployment.defaults.get("simulated", {}))
        except ValueError as error:
            raise RefusedError(
                Reason.DEPLOYMENT_UNUSABLE, f"{deployment.id!r} cannot be asked: {error}"
            ) from error
        body = {**write_body(call, deployment), "simulated": settings}
        return HttpRequest(deployment.endpoint, msgspec.json.encode(body), call.stream)

    def reader(self, stream: bool, status: int, headers: Mapping[str, str]) -> Reader:
        """Return what reads a reply."""
        return self._openai.reader(stream, status, headers)
