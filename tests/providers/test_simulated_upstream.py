"""The stand-in for the network lets time pass, keeps deadlines and can be given up."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

from understudy.server.errors import Reason, UpstreamError
from understudy.server.ports import Exchange, HttpRequest
from understudy.server.providers import dialect
from understudy.server.simulated import SimulatedUpstream

from .test_simulated import prompt, simulated


def request(*, stream: bool = False, **settings: object) -> HttpRequest:
    return dialect("simulated").encode(prompt(stream=stream), simulated("gpt-4", **settings))


@asynccontextmanager
async def asking(
    upstream: SimulatedUpstream, asked: HttpRequest, seconds: float = 10
) -> AsyncGenerator[Exchange]:
    deadline = asyncio.get_running_loop().time() + seconds
    async with upstream.exchange(asked, deadline) as exchange:
        yield exchange


async def body(exchange: Exchange) -> bytes:
    return b"".join([chunk async for chunk in exchange.chunks()])


@pytest.mark.asyncio
async def test_a_reply_takes_as_long_as_it_should() -> None:
    loop = asyncio.get_running_loop()
    asked = request(stream=True, latency=0.05, tokens_per_second=200, tokens=10)
    began = loop.time()

    async with asking(SimulatedUpstream(), asked) as exchange:
        first = loop.time() - began
        text = await body(exchange)
    whole = loop.time() - began

    assert exchange.status == 200
    assert exchange.headers["content-type"] == "text/event-stream"
    assert text.endswith(b"data: [DONE]\n\n")
    assert 0.045 <= first <= whole
    assert whole >= 0.095


@pytest.mark.asyncio
async def test_the_deadline_is_kept_before_the_reply_and_within_it() -> None:
    loop = asyncio.get_running_loop()
    began = loop.time()

    with pytest.raises(UpstreamError) as before:
        async with asking(SimulatedUpstream(), request(latency=60), 0.02):
            pass
    async with asking(
        SimulatedUpstream(), request(stream=True, latency=0, tokens_per_second=0.1), 0.02
    ) as exchange:
        with pytest.raises(UpstreamError) as within:
            await body(exchange)

    assert before.value.reason is within.value.reason is Reason.UPSTREAM_READ_TIMEOUT
    assert 0.035 <= loop.time() - began < 5


@pytest.mark.asyncio
async def test_a_caller_may_give_up() -> None:
    async def ask() -> None:
        async with asking(SimulatedUpstream(), request(latency=60), 120):
            pass

    task = asyncio.create_task(ask())
    await asyncio.sleep(0)
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.asyncio
async def test_a_retry_has_luck_of_its_own() -> None:
    upstream = SimulatedUpstream()
    asked = request(latency=0, tokens_per_second=1e9, failure_rate=0.5)
    statuses: list[int] = []

    for _ in range(40):
        async with asking(upstream, asked) as exchange:
            statuses.append(exchange.status)

    assert set(statuses) == {200, 503}


@pytest.mark.asyncio
async def test_the_time_of_an_answer_is_by_the_clock_given() -> None:
    upstream = SimulatedUpstream(clock=lambda: 17.9)

    async with asking(upstream, request(latency=0, tokens_per_second=1e9)) as exchange:
        assert b'"created":17,' in await body(exchange)
