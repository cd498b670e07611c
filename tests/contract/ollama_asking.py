"""Asking an Ollama on loopback as the service does: dialect, real upstream, reader."""

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from understudy.server.domain.chat import ChatCall, Message
from understudy.server.domain.completion import Completion, Delta
from understudy.server.domain.deployment import Deployment, Endpoint
from understudy.server.providers import dialect
from understudy.server.upstream import HttpUpstream

from .faithful import Told
from .ollama_server import OllamaServer

PATHS = {"ollama": "/api/generate", "ollama_chat": "/api/chat"}
HELLO = (Message("system", "Be kind."), Message("user", "Hello?"))


@dataclass(frozen=True, slots=True)
class Heard:
    """What came of a call, and the body that the server got."""

    completion: Completion
    deltas: list[Delta]
    body: Mapping[str, object]

    @property
    def message(self) -> Message:
        return self.completion.choices[0].message

    @property
    def finish(self) -> str:
        return self.completion.choices[0].finish_reason


def to(server: OllamaServer, provider: str, key: str | None = None) -> Deployment:
    headers = [("content-type", "application/json"), ("accept-encoding", "identity")]
    if key is not None:
        headers.append(("authorization", f"Bearer {key}"))
    endpoint = Endpoint(server.base + PATHS[provider], tuple(headers))
    return Deployment(id="d", group="g", provider=provider, model="llama3.2", endpoint=endpoint)


async def ask(server: OllamaServer, call: ChatCall, deployment: Deployment) -> Heard:
    """Ask over HTTP; the deltas of a stream join to its completion."""
    spoken = dialect(deployment.provider)
    request = spoken.encode(call, deployment)
    deadline = asyncio.get_running_loop().time() + 10
    deltas: list[Delta] = []
    async with HttpUpstream() as upstream, upstream.exchange(request, deadline) as exchange:
        reader = spoken.reader(call.stream, exchange.status, exchange.headers)
        async for chunk in exchange.chunks():
            deltas.extend(reader.feed(chunk))
        completion = reader.finish()
    assert bool(deltas) is call.stream
    return Heard(completion, deltas, json.loads(server.asked[-1].body))


async def hear(
    provider: str, told: Told, stream: bool, make: Callable[[bool], ChatCall] | None = None
) -> Heard:
    call = make(stream) if make else ChatCall(HELLO, {}, stream=stream)
    async with OllamaServer(told) as server:
        return await ask(server, call, to(server, provider))
