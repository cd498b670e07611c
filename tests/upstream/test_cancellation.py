"""Leaving early: the model sees it at once, and nothing is left behind."""

import asyncio
import contextlib
import random
import time
from pathlib import Path

import pytest

from understudy.server.errors import UpstreamError
from understudy.server.ports import HttpRequest
from understudy.server.upstream import HttpUpstream

from ..stub.certificates import Authority
from ..stub.eventually import eventually
from ..stub.faultstub import FaultStub
from .asking import ask, endpoint, prompt, request, soon

pytestmark = pytest.mark.asyncio

PROMPTLY = 0.1  # seconds
HANGING = ["hang-headers", "hang-body", "drip-20ms", "heartbeat-20ms", "slow-5000ms", "huge"]


@pytest.mark.parametrize("model", HANGING)
@pytest.mark.parametrize("stream", [False, True])
async def test_a_cancelled_call_closes_its_connection_at_once(
    stub: FaultStub, upstream: HttpUpstream, model: str, stream: bool
) -> None:
    asking = asyncio.create_task(ask(upstream, request(stub.url, model, stream=stream)))
    await eventually(lambda: stub.count == 1)

    cancelled = time.monotonic()
    asking.cancel()

    with pytest.raises(asyncio.CancelledError):
        await asking
    await eventually(lambda: stub.requests[0].connection.closed is not None)
    connection = stub.requests[0].connection
    assert connection.closed is not None
    assert connection.closed - cancelled < PROMPTLY
    assert connection.closed_by == "client"


async def test_leaving_before_the_body_is_whole_closes_the_connection(
    stub: FaultStub, upstream: HttpUpstream
) -> None:
    async with upstream.exchange(request(stub.url, "hang-body"), soon()) as exchange:
        async for _ in exchange.chunks():
            break

    await eventually(lambda: not stub.open_connections, within=PROMPTLY)


async def test_leaving_between_the_pieces_of_a_stream_closes_the_connection(
    stub: FaultStub, upstream: HttpUpstream
) -> None:
    asked = request(stub.url, "words-50+pace-10ms", stream=True)

    async with upstream.exchange(asked, soon()) as exchange:
        async for _ in exchange.chunks():
            break

    await eventually(lambda: not stub.open_connections, within=PROMPTLY)
    assert not upstream.open_connections


async def test_a_model_that_never_reads_does_not_hold_a_cancelled_call(
    upstream: HttpUpstream,
) -> None:
    async with FaultStub(reads="nothing") as stub:
        body = prompt("ok", content="x" * (16 << 20))
        asking = asyncio.create_task(ask(upstream, HttpRequest(endpoint(stub.url), body)))
        await eventually(lambda: stub.open_connections == 1)
        await asyncio.sleep(0)

        asking.cancel()

        with pytest.raises(asyncio.CancelledError):
            await asking
        await eventually(lambda: not upstream.open_connections, within=PROMPTLY)


async def test_an_early_answer_to_an_unread_request_does_not_hold_the_connection(
    upstream: HttpUpstream,
) -> None:
    async with FaultStub(mode="status-413", reads="head") as stub:
        body = prompt("ok", content="x" * (16 << 20))

        answer = await ask(upstream, HttpRequest(endpoint(stub.url), body))

        assert answer.status == 413
        await eventually(lambda: not upstream.open_connections, within=PROMPTLY)


async def test_random_cancellations_leave_nothing_behind(
    stub: FaultStub, upstream: HttpUpstream
) -> None:
    chance = random.Random(20)
    models = ["ok", "slow-20ms", "words-30+pace-1ms", "hang-headers", "hang-body", "reset"]
    await ask(upstream, request(stub.url))
    descriptors, tasks = _count_descriptors(), len(asyncio.all_tasks())

    async def ask_and_cancel() -> None:
        asked = request(stub.url, chance.choice(models), stream=chance.random() < 0.5)
        with contextlib.suppress(TimeoutError, UpstreamError):
            async with asyncio.timeout(chance.random() * 0.06):
                await ask(upstream, asked)

    for _ in range(10):
        await asyncio.gather(*(ask_and_cancel() for _ in range(20)))

    await eventually(lambda: stub.open_connections == upstream.open_connections <= 20)
    stub.drop_connections()
    await eventually(lambda: not upstream.open_connections)
    await eventually(lambda: _count_descriptors() <= descriptors)
    await eventually(lambda: len(asyncio.all_tasks()) <= tasks)
    assert (await ask(upstream, request(stub.url))).status == 200


async def test_cancelled_tls_connections_leave_nothing_behind(tmp_path: Path) -> None:
    authority = Authority()
    async with (
        FaultStub(tls=authority.serve_as("127.0.0.1")) as stub,
        HttpUpstream(ca_file=authority.write_to(tmp_path)) as upstream,
    ):
        for delay in range(20):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(delay / 2000):
                    await ask(upstream, request(stub.url, "hang-body"))

        await eventually(lambda: not upstream.open_connections, within=1)


def _count_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))
