"""Leaving early: the model sees it at once, and an unread stream does not pile up."""

import asyncio
import signal
import threading
import time

import pytest

from understudy import client
from understudy.server.inprocess.flow import MOST_AHEAD

from ..stub.eventually import eventually, eventually_sync
from ..stub.faultstub import FaultStub
from .asking import HI, make_router

PROMPTLY = 0.1  # seconds
STORY = "words-1000+pace-20ms"


def closed_after(stub: FaultStub, instant: float) -> float:
    """Wait for the end of the first call's connection; return how long after the instant it was."""
    connection = stub.requests[0].connection
    eventually_sync(lambda: connection.closed is not None)
    assert connection.closed is not None
    assert connection.closed_by == "client"
    return connection.closed - instant


@pytest.mark.asyncio
@pytest.mark.parametrize("mode", ["hang-headers", "hang-body"])
async def test_a_cancelled_call_closes_its_connection(stub: FaultStub, mode: str) -> None:
    async with make_router(stub, mode) as router:
        call = asyncio.create_task(router.acompletion(mode, HI))
        await eventually(lambda: stub.count == 1)

        left = time.monotonic()
        call.cancel()

        with pytest.raises(asyncio.CancelledError):
            await call
        assert await asyncio.to_thread(closed_after, stub, left) < PROMPTLY


@pytest.mark.asyncio
async def test_a_cancelled_stream_closes_its_connection(stub: FaultStub) -> None:
    async with make_router(stub, "hang-body") as router:

        async def read() -> None:
            async for _ in router.acompletion("hang-body", HI, stream=True):
                pass

        reading = asyncio.create_task(read())
        await eventually(lambda: stub.count == 1)

        left = time.monotonic()
        reading.cancel()

        with pytest.raises(asyncio.CancelledError):
            await reading
        assert await asyncio.to_thread(closed_after, stub, left) < PROMPTLY


@pytest.mark.asyncio
@pytest.mark.parametrize("how", ["aclose", "async with", "forgotten"])
async def test_leaving_an_async_stream_closes_its_connection(stub: FaultStub, how: str) -> None:
    async with make_router(stub, STORY) as router:
        stream = await router.acompletion(STORY, HI, stream=True)
        left = time.monotonic()
        if how == "aclose":
            await stream.aclose()
        elif how == "async with":
            async with stream:
                pass
        del stream

        assert await asyncio.to_thread(closed_after, stub, left) < PROMPTLY


@pytest.mark.parametrize("how", ["close", "with", "forgotten"])
def test_leaving_a_stream_closes_its_connection(stub: FaultStub, how: str) -> None:
    with make_router(stub, STORY) as router:
        stream = router.completion(STORY, HI, stream=True)
        left = time.monotonic()
        if how == "close":
            stream.close()
            assert list(stream) == []
        elif how == "with":
            with stream:
                pass
        del stream

        assert closed_after(stub, left) < PROMPTLY


def test_a_stream_closed_from_another_thread_lets_its_reader_go(stub: FaultStub) -> None:
    with make_router(stub, "words-3+hang-body") as router:
        stream = router.completion("words-3+hang-body", HI, stream=True)
        closing = threading.Timer(0.1, stream.close)
        closing.start()

        began = time.monotonic()
        pieces = list(stream)

        closing.join()
        assert len(pieces) < 5
        assert time.monotonic() - began < 2


@pytest.mark.asyncio
async def test_an_async_stream_closed_by_another_task_lets_its_reader_go(stub: FaultStub) -> None:
    async with make_router(stub, "words-3+hang-body") as router:
        stream = await router.acompletion("words-3+hang-body", HI, stream=True)

        async def read() -> int:
            return len([piece async for piece in stream])

        reading = asyncio.create_task(read())
        await asyncio.sleep(0.05)
        await stream.aclose()

        assert await asyncio.wait_for(reading, 2) < 5


@pytest.mark.parametrize("stream", [False, True])
def test_ctrl_c_ends_a_call_and_its_connection(stub: FaultStub, stream: bool) -> None:
    main = threading.main_thread().ident
    assert main is not None
    interrupted: list[float] = []
    # A shell ignores it for what runs in its background, and Python then does too.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)

    def interrupt() -> None:
        eventually_sync(lambda: stub.count == 1)
        interrupted.append(time.monotonic())
        signal.pthread_kill(main, signal.SIGINT)

    with make_router(stub, "hang-headers") as router:
        interrupting = threading.Thread(target=interrupt)
        interrupting.start()

        with pytest.raises(KeyboardInterrupt):
            router.completion("hang-headers", HI, stream=stream)

        interrupting.join()
        signal.signal(signal.SIGINT, before)
        assert closed_after(stub, interrupted[0]) < PROMPTLY


def test_an_unread_stream_is_fetched_a_little_ahead_and_ends_with_its_time(
    stub: FaultStub,
) -> None:
    with make_router(stub, "words-20000") as router:
        stream = router.completion("words-20000", HI, stream=True, timeout=0.5)
        connection = stub.requests[0].connection
        eventually_sync(lambda: connection.closed is not None)

        read: list[object] = []
        with pytest.raises(client.DeadlineExceeded):
            read.extend(stream)

    assert 0 < len(read) <= 2 * MOST_AHEAD


def test_a_stream_read_slowly_loses_nothing(stub: FaultStub) -> None:
    with make_router(stub, "words-1000") as router:
        stream = router.completion("words-1000", HI, stream=True)
        threading.Event().wait(0.05)
        text = "".join(one.delta.content for piece in stream for one in piece.choices)

    assert text.split() == [f"word{number}" for number in range(1000)]
