"""What a chat call carries to Petals and back, over HTTP."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from msgspec import Raw

from understudy.server.domain.chat import ChatCall, Message
from understudy.server.domain.completion import Choice, Completion
from understudy.server.domain.deployment import Deployment, Endpoint
from understudy.server.errors import Reason, UpstreamError
from understudy.server.providers import dialect
from understudy.server.upstream import HttpUpstream

from .faithful import Failing, Told
from .petals_server import MODEL, PetalsServer

BOTH = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])


@pytest_asyncio.fixture
async def server() -> AsyncIterator[PetalsServer]:
    async with PetalsServer() as running:
        yield running


def petals(server: PetalsServer, model: str = MODEL) -> Deployment:
    headers = (("content-type", "application/x-www-form-urlencoded"),)
    return Deployment(
        id="d",
        group="g",
        provider="petals",
        model=model,
        endpoint=Endpoint(f"{server.base}/api/v1/generate", headers),
    )


async def ask(target: Deployment, prompt: ChatCall) -> Completion:
    """Send a prompt over HTTP; return the answer."""
    language = dialect("petals")
    request = language.encode(prompt, target)
    async with HttpUpstream() as upstream:
        deadline = asyncio.get_running_loop().time() + 5
        async with upstream.exchange(request, deadline) as exchange:
            reader = language.reader(prompt.stream, exchange.status, exchange.headers)
            async for chunk in exchange.chunks():
                assert not reader.feed(chunk)
            return reader.finish()


@BOTH
@pytest.mark.parametrize("temperature", [0.0, 0.7])
@pytest.mark.asyncio
async def test_words_come_back(server: PetalsServer, temperature: float, stream: bool) -> None:
    server.told = Told("Hello, Grüße \U0001f600 & = +.")
    prompt = ChatCall(
        (Message("system", "You are terse."), Message("user", "a & b = c + d?")),
        {"temperature": temperature, "top_p": 0.9, "max_tokens": 16, "user": "u"},
        extra={"top_k": Raw(b"5"), "repetition_penalty": Raw(b"1.2")},
        stream=stream,
    )

    answer = await ask(petals(server), prompt)

    told = Message("assistant", "Hello, Grüße \U0001f600 & = +.")
    assert answer == Completion((Choice(0, told, "stop"),))


@BOTH
@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("credentials", Reason.UPSTREAM_CREDENTIALS_REJECTED),
        ("forbidden", Reason.UPSTREAM_FORBIDDEN),
        ("model", Reason.UPSTREAM_MODEL_NOT_FOUND),
        ("rate", Reason.UPSTREAM_RATE_LIMITED),
        ("quota", Reason.UPSTREAM_QUOTA_EXHAUSTED),
        ("context", Reason.CONTEXT_LENGTH_EXCEEDED),
        ("policy", Reason.CONTENT_POLICY_REJECTED),
        ("invalid", Reason.UPSTREAM_REJECTED_REQUEST),
        ("overloaded", Reason.UPSTREAM_UNAVAILABLE),
        ("internal", Reason.UPSTREAM_INTERNAL_ERROR),
    ],
)
@pytest.mark.asyncio
async def test_failures_have_their_reasons(
    server: PetalsServer, kind: str, reason: Reason, stream: bool
) -> None:
    server.told = Failing(kind)

    with pytest.raises(UpstreamError) as caught:
        await ask(petals(server), ChatCall((Message("user", "Hi"),), {}, stream=stream))

    assert caught.value.reason is reason
    assert "/home" not in caught.value.message


@pytest.mark.asyncio
async def test_a_model_that_is_not_served_is_told_apart(server: PetalsServer) -> None:
    with pytest.raises(UpstreamError) as caught:
        await ask(petals(server, "nobody/none"), ChatCall((Message("user", "Hi"),), {}))

    assert caught.value.reason is Reason.UPSTREAM_MODEL_NOT_FOUND
