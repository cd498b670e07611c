"""The transport is one as httpx knows them: a request goes in, a response comes out."""

import json
from collections.abc import AsyncGenerator

import aiohttp
import httpx
import pytest
import pytest_asyncio

from understudy.server.upstream.transport import SessionTransport

from ..stub.eventually import eventually
from ..stub.faultstub import FaultStub
from .asking import prompt

pytestmark = pytest.mark.asyncio


@pytest_asyncio.fixture
async def session() -> AsyncGenerator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(auto_decompress=False) as session:
        yield session


def ask(stub: FaultStub, model: str) -> httpx.Request:
    return httpx.Request("POST", f"{stub.url}/v1/chat/completions", content=prompt(model))


async def test_a_response_has_status_headers_and_the_body(
    stub: FaultStub, session: aiohttp.ClientSession
) -> None:
    reply = await SessionTransport(session, 5.0).handle_async_request(ask(stub, "gpt-4"))

    assert reply.status_code == 200
    assert reply.headers["Content-Type"] == "application/json"
    assert json.loads(await reply.aread())["model"] == "gpt-4"


async def test_a_response_that_is_closed_early_has_its_connection_cut(
    stub: FaultStub, session: aiohttp.ClientSession
) -> None:
    reply = await SessionTransport(session, 5.0).handle_async_request(ask(stub, "words-5+pace-1s"))

    await reply.aclose()

    await eventually(lambda: not stub.open_connections)


async def test_silence_ends_what_has_no_deadline_of_its_own(
    stub: FaultStub, session: aiohttp.ClientSession
) -> None:
    with pytest.raises(aiohttp.SocketTimeoutError):
        await SessionTransport(session, 0.1).handle_async_request(ask(stub, "hang-headers"))
