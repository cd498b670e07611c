"""Asks a faithful server as the service would: catalog, dialect, network, reader."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from msgspec import structs

from understudy.server.domain.chat import ChatCall
from understudy.server.domain.completion import Completion, Delta
from understudy.server.domain.deployment import Deployment, Secret
from understudy.server.endings import salvage
from understudy.server.errors import UpstreamError
from understudy.server.providers import dialect
from understudy.server.providers.assembly import as_delta
from understudy.server.providers.catalog import resolve
from understudy.server.providers.families import SPOKEN, DialectName
from understudy.server.providers.features import Feature
from understudy.server.providers.openai_accents import carried_by
from understudy.server.providers.targets import Wanted
from understudy.server.upstream import HttpUpstream

from .anthropic_server import AnthropicServer
from .faithful import Failing, Faithful, Told
from .ollama_server import OllamaServer
from .openai_server import OpenAiServer
from .petals_server import PetalsServer

_PATIENCE = 10.0  # seconds


@dataclass(frozen=True, slots=True)
class Speaker:
    """How a provider is played: its server, a model of its, and what follows its host."""

    serve: Callable[[str, str], Faithful]
    model: str = "some-model"
    path: str = ""


def _alone(server: Callable[[], Faithful]) -> Callable[[str, str], Faithful]:
    """Return what makes a server that plays one provider only."""
    return lambda _provider, _model: server()


# A dialect without a server here is not asked: nothing shows how its provider answers.
SPEAKERS: Mapping[DialectName, Speaker] = MappingProxyType(
    {
        "openai": Speaker(OpenAiServer),
        "anthropic": Speaker(_alone(AnthropicServer), "claude-sonnet-4-5"),
        "ollama": Speaker(_alone(OllamaServer), "llama3.2"),
        "ollama_chat": Speaker(_alone(OllamaServer), "llama3.2"),
        "petals": Speaker(_alone(PetalsServer), "petals-team/StableBeluga2", "/api/v1/generate"),
    }
)
PROVIDERS = [one for one, family in SPOKEN.items() if family.dialect in SPEAKERS]


def features_of(provider: str) -> frozenset[Feature]:
    """Return what a provider takes, as its dialect says."""
    spoken = dialect(provider)
    carries: frozenset[Feature] | None = getattr(spoken, "carries", None)
    return carried_by(provider) if carries is None else carries


def serve(provider: str) -> Faithful:
    """Return a server that plays the provider."""
    speaker = SPEAKERS[SPOKEN[provider].dialect]
    return speaker.serve(provider, _model_of(provider))


def deploy(provider: str, server: Faithful, *, drop_params: bool = False) -> Deployment:
    """Return a deployment as the catalog makes it of what an operator writes."""
    speaker = SPEAKERS[SPOKEN[provider].dialect]
    base = server.api_base if isinstance(server, OpenAiServer) else server.base + speaker.path
    wanted = Wanted(
        model=f"{provider}/{speaker.model}",
        api_base=base,
        api_key=Secret(server.key, "api_key"),
    )
    target = resolve(wanted, {})
    assert target.unusable == ""
    return Deployment(
        id="deployment",
        group="group",
        provider=target.provider,
        model=target.model,
        endpoint=target.endpoint,
        drop_params=drop_params,
    )


async def ask(
    upstream: HttpUpstream, deployment: Deployment, call: ChatCall
) -> tuple[list[Delta], Completion]:
    """Ask once; return the deltas and the whole answer."""
    spoken = dialect(deployment.provider)
    http = spoken.encode(call, deployment)
    deltas: list[Delta] = []
    deadline = asyncio.get_running_loop().time() + _PATIENCE
    async with upstream.exchange(http, deadline) as exchange:
        reader = spoken.reader(call.stream, exchange.status, exchange.headers)
        try:
            async for chunk in exchange.chunks():
                deltas.extend(reader.feed(chunk))
            completion = reader.finish()
        except UpstreamError as error:
            completion = salvage(reader, exchange.status, error)
    if call.stream and not deltas:  # asked for a stream, the model answered whole
        deltas = [as_delta(completion)]
    return deltas, structs.replace(completion, warnings=(*http.warnings, *completion.warnings))


def play(server: Faithful, told: Told | Failing) -> None:
    """Have the server answer so from now on."""
    server.told = told


def _model_of(provider: str) -> str:
    return resolve(Wanted(model=f"{provider}/some-model", api_base="http://host"), {}).model
