"""Asking in tests: requests as a dialect would write them, and what came of them."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass

import pytest

from understudy.server.domain.deployment import Endpoint
from understudy.server.errors import Reason, UpstreamError
from understudy.server.ports import HttpRequest
from understudy.server.upstream import HttpUpstream

Headers = tuple[tuple[str, str], ...]
NO_HEADERS: Headers = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """A reply, read whole."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def endpoint(origin: str, headers: Headers = NO_HEADERS) -> Endpoint:
    """The chat endpoint at an origin."""
    return Endpoint(f"{origin}/v1/chat/completions", headers)


def prompt(model: str, *, stream: bool = False, content: str = "hi") -> bytes:
    """A request body that names a model."""
    message = {"role": "user", "content": content}
    return json.dumps({"model": model, "stream": stream, "messages": [message]}).encode()


def request(
    origin: str, model: str = "ok", *, stream: bool = False, headers: Headers = NO_HEADERS
) -> HttpRequest:
    """A request to the model at an origin."""
    return HttpRequest(endpoint(origin, headers), prompt(model, stream=stream), stream=stream)


def soon(seconds: float = 5.0) -> float:
    """A deadline so many seconds from now."""
    return asyncio.get_running_loop().time() + seconds


async def ask(upstream: HttpUpstream, asked: HttpRequest, within: float = 5.0) -> Answer:
    """Send a request and read the reply whole."""
    async with upstream.exchange(asked, soon(within)) as exchange:
        body = b"".join([chunk async for chunk in exchange.chunks()])
        return Answer(exchange.status, exchange.headers, body)


async def fail(
    upstream: HttpUpstream, asked: HttpRequest, reason: Reason, within: float = 5.0
) -> UpstreamError:
    """Send a request that fails for a reason; return the error."""
    with pytest.raises(UpstreamError) as caught:
        await ask(upstream, asked, within)
    assert caught.value.reason is reason, caught.value.message
    return caught.value
