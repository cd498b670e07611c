"""Kept-alive connections, and what becomes of a request on one that has just been closed."""

import asyncio

import pytest

from understudy.server.errors import Reason, UpstreamError
from understudy.server.upstream import HttpUpstream

from ..stub.eventually import eventually
from ..stub.faultstub import FaultStub
from .asking import ask, fail, request, soon

pytestmark = pytest.mark.asyncio


async def test_a_request_on_a_stale_connection_is_sent_again_on_a_new_one(
    stub: FaultStub, upstream: HttpUpstream
) -> None:
    await ask(upstream, request(stub.url, "drop-next"))

    answer = await ask(upstream, request(stub.url, "ok"))

    assert answer.status == 200
    assert [seen.model for seen in stub.requests] == ["drop-next", "ok", "ok"]
    assert stub.connection_count == 2


async def test_it_is_sent_again_once_and_not_on_another_kept_connection(
    stub: FaultStub, upstream: HttpUpstream
) -> None:
    pair = [request(stub.url, "drop-next+slow-20ms") for _ in range(3)]
    await asyncio.gather(*(ask(upstream, one) for one in pair))
    stub.requests.clear()

    await ask(upstream, request(stub.url, "ok"))

    assert len(stub.requests) == 2
    assert stub.requests[1].connection.requests == 1


async def test_a_request_that_fails_on_a_new_connection_is_not_sent_again(
    stub: FaultStub, upstream: HttpUpstream
) -> None:
    await fail(upstream, request(stub.url, "reset"), Reason.UPSTREAM_CONNECTION_LOST)

    assert stub.count == 1


async def test_a_request_that_fails_on_both_is_not_sent_a_third_time(
    stub: FaultStub, upstream: HttpUpstream
) -> None:
    await ask(upstream, request(stub.url, "ok"))

    await fail(upstream, request(stub.url, "close-before-headers"), Reason.UPSTREAM_CONNECTION_LOST)

    assert [seen.model for seen in stub.requests] == ["ok", *["close-before-headers"] * 2]


@pytest.mark.parametrize("model", ["close-in-head", "truncated", "http09", "bad-chunk"])
async def test_a_reply_that_had_begun_is_not_asked_for_again(
    stub: FaultStub, upstream: HttpUpstream, model: str
) -> None:
    await ask(upstream, request(stub.url, "ok"))

    with pytest.raises(UpstreamError):
        await ask(upstream, request(stub.url, model))

    assert [seen.model for seen in stub.requests] == ["ok", model]


async def test_what_comes_unasked_is_nobodys_answer(
    stub: FaultStub, upstream: HttpUpstream
) -> None:
    await ask(upstream, request(stub.url, "repeat"))
    second_answer_is_there = soon(0.05)
    await eventually(lambda: soon(0) > second_answer_is_there)

    answer = await ask(upstream, request(stub.url, "gpt-4"))

    assert b"Hello from gpt-4." in answer.body
    assert stub.connection_count == 2


async def test_connections_closed_while_idle_are_replaced(
    stub: FaultStub, upstream: HttpUpstream
) -> None:
    for _ in range(3):
        await ask(upstream, request(stub.url))
        stub.drop_connections()

    assert stub.connection_count == 3
    assert stub.count == 3
    await eventually(lambda: not upstream.open_connections)


async def test_a_reply_that_closes_its_connection_is_taken_at_its_word(
    stub: FaultStub, upstream: HttpUpstream
) -> None:
    for _ in range(3):
        await ask(upstream, request(stub.url, "ok+close"))

    assert stub.connection_count == 3
    await eventually(lambda: not upstream.open_connections)


async def test_idle_connections_are_kept_up_to_a_number(
    stub: FaultStub, upstream: HttpUpstream
) -> None:
    burst = [ask(upstream, request(stub.url, "slow-300ms")) for _ in range(200)]

    await asyncio.gather(*burst)

    assert stub.connection_count == 200
    await eventually(lambda: stub.open_connections == 128)
    assert upstream.open_connections == 128


async def test_closing_the_upstream_closes_every_connection(stub: FaultStub) -> None:
    async with HttpUpstream() as upstream:
        await asyncio.gather(*(ask(upstream, request(stub.url, "slow-20ms")) for _ in range(5)))
        asking = asyncio.create_task(ask(upstream, request(stub.url, "hang-headers")))
        await eventually(lambda: stub.count == 6)

    with pytest.raises(UpstreamError, match="is closed"):
        await asking
    await eventually(lambda: not stub.open_connections)
    assert not upstream.open_connections
