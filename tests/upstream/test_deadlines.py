"""The deadline: wall-clock, over everything, whoever is slow."""

import asyncio
import contextlib
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from understudy.server.errors import Reason, UpstreamError
from understudy.server.ports import HttpRequest
from understudy.server.upstream import HttpUpstream

from ..stub.eventually import eventually
from ..stub.faultstub import FaultStub
from .asking import ask, endpoint, fail, prompt, request, soon

pytestmark = pytest.mark.asyncio

SLOW = [
    "hang-headers",
    "hang-body",
    "hang-body+until-eof",
    "drip-10ms",
    "drip-head-10ms",
    "heartbeat-10ms",
    "slow-5000ms",
    "informational",
]


@pytest.mark.parametrize("model", SLOW)
async def test_it_is_kept_exactly_whoever_is_slow(
    stub: FaultStub, upstream: HttpUpstream, model: str
) -> None:
    fastest = 1.0
    for tries in (1, 2, 3):  # a busy machine is late by itself, but not three times
        await ask(upstream, request(stub.url))  # so that the connection is there
        began = time.monotonic()

        await fail(upstream, request(stub.url, model), Reason.UPSTREAM_READ_TIMEOUT, within=0.15)

        took = time.monotonic() - began
        assert took >= 0.149
        await eventually(lambda: not stub.open_connections, within=0.1)
        assert stub.count == 2 * tries
        fastest = min(fastest, took)
        if fastest < 0.25:
            break
    assert fastest < 0.25


async def test_it_has_passed_by_the_loops_clock_when_it_is_said_to_have_passed(
    stub: FaultStub, upstream: HttpUpstream
) -> None:
    loop = asyncio.get_running_loop()
    for _ in range(20):
        deadline = loop.time() + 0.0123

        with pytest.raises(UpstreamError):
            async with upstream.exchange(request(stub.url, "hang-headers"), deadline):
                pass

        assert loop.time() >= deadline


async def test_it_holds_while_nobody_reads(stub: FaultStub, upstream: HttpUpstream) -> None:
    async with upstream.exchange(request(stub.url, "huge"), soon(0.1)) as exchange:
        await eventually(lambda: not stub.open_connections, within=0.3)

        with pytest.raises(UpstreamError) as caught:
            async for _ in exchange.chunks():
                pass

    assert caught.value.reason is Reason.UPSTREAM_READ_TIMEOUT


async def test_a_reply_that_was_whole_in_time_can_be_read_later(
    stub: FaultStub, upstream: HttpUpstream
) -> None:
    deadline = soon(0.05)
    async with upstream.exchange(request(stub.url), deadline) as exchange:
        await eventually(lambda: asyncio.get_running_loop().time() > deadline + 0.01)

        assert b"".join([chunk async for chunk in exchange.chunks()])


async def test_nothing_is_sent_after_it(stub: FaultStub, upstream: HttpUpstream) -> None:
    await fail(upstream, request(stub.url), Reason.UPSTREAM_READ_TIMEOUT, within=0)
    await fail(upstream, request(stub.url), Reason.UPSTREAM_READ_TIMEOUT, within=-1)

    assert stub.connection_count == 0


async def test_it_can_be_infinite(stub: FaultStub, upstream: HttpUpstream) -> None:
    assert (await ask(upstream, request(stub.url), float("inf"))).status == 200


async def test_it_does_not_cut_whoever_got_the_connection_next(
    stub: FaultStub, upstream: HttpUpstream
) -> None:
    async with upstream.exchange(request(stub.url), soon(0.05)) as exchange:
        assert exchange.status == 200  # its reply is whole, and the connection back in the pool

        answer = await ask(upstream, request(stub.url, "slow-100ms"))

    assert answer.status == 200
    assert stub.connection_count == 1


async def test_a_model_that_never_reads_is_left_in_time(upstream: HttpUpstream) -> None:
    async with FaultStub(reads="nothing") as stub:
        body = prompt("ok", content="x" * (16 << 20))
        asked = HttpRequest(endpoint(stub.url), body)

        await fail(upstream, asked, Reason.UPSTREAM_READ_TIMEOUT, within=0.1)

        await eventually(lambda: not upstream.open_connections, within=0.1)


async def test_cancellation_and_deadline_together_are_a_cancellation(
    stub: FaultStub, upstream: HttpUpstream
) -> None:
    loop = asyncio.get_running_loop()
    outcomes: set[type[BaseException]] = set()
    for tick in range(40):
        asking = asyncio.create_task(ask(upstream, request(stub.url, "hang-headers"), 0.02))
        loop.call_later(0.02 + (tick - 20) / 10_000, asking.cancel)

        with contextlib.suppress(TimeoutError):
            await asyncio.wait([asking], timeout=1)

        assert asking.done()
        if asking.cancelled():
            outcomes.add(asyncio.CancelledError)
        else:
            error = asking.exception()
            assert isinstance(error, UpstreamError)
            assert error.reason is Reason.UPSTREAM_READ_TIMEOUT
    await eventually(lambda: not upstream.open_connections)


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
async def test_one_that_passes_between_head_and_body_is_told_as_such(
    stub: FaultStub, upstream: HttpUpstream, turns: int
) -> None:
    with pytest.raises(UpstreamError) as caught:
        await _read_late(upstream, request(stub.url, "hang-body"), turns)

    assert caught.value.reason is Reason.UPSTREAM_READ_TIMEOUT


async def _read_late(upstream: HttpUpstream, asked: HttpRequest, turns: int) -> None:
    """Read a body when the loop was busy elsewhere, and then so many turns later."""
    async with upstream.exchange(asked, soon(0.1)) as exchange:
        time.sleep(0.15)  # noqa: ASYNC251 - that is what keeps the loop busy
        for _ in range(turns):
            await asyncio.sleep(0)
        async for _ in exchange.chunks():
            pass


async def test_one_that_passes_in_the_moment_of_the_head_is_told_as_such(
    upstream: HttpUpstream,
) -> None:
    loop = asyncio.get_running_loop()
    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as elsewhere:
        elsewhere.submit(_send_a_head, listener, 0.05)
        # The loop is busy until both are there: the head, and the deadline. It sees them in turn,
        # before whoever waits for the head has theirs.
        loop.call_later(0.02, time.sleep, 0.2)

        port = listener.getsockname()[1]
        await fail(
            upstream,
            request(f"http://127.0.0.1:{port}"),
            Reason.UPSTREAM_READ_TIMEOUT,
            within=0.1,
        )


def _send_a_head(listener: socket.socket, after: float) -> None:
    """Answer in a thread, so that the loop can be busy, with a head and a part of the body."""
    connection, _ = listener.accept()
    connection.settimeout(2)
    with connection, contextlib.suppress(OSError):
        connection.recv(1 << 16)
        time.sleep(after)
        connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf")
        connection.recv(1)  # until it is cut
