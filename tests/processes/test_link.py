"""Two processes that speak: any order, dead peers at once, nothing without bounds."""

import asyncio
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from understudy.server.errors import Reason, RefusedError, RequestError, UnderstudyError
from understudy.server.processes.link import LARGEST_FRAME, Link, LinkError, open_link
from understudy.server.workers.messages import (
    FRAMES,
    Anything,
    Describe,
    Described,
    Done,
    Drain,
    Listen,
    Pause,
    Register,
)

Answer = Callable[[Anything], Awaitable[Anything]]


async def agree(message: Anything) -> Anything:
    return Done()


@asynccontextmanager
async def linked(
    answer: Answer, back: Answer = agree
) -> AsyncGenerator[tuple[Link[Anything], Link[Anything]]]:
    ours, theirs = socket.socketpair()
    ends = await open_link(ours, back, FRAMES), await open_link(theirs, answer, FRAMES)
    running = [asyncio.create_task(one.run()) for one in ends]
    try:
        yield ends
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


@pytest.mark.asyncio
async def test_answers_come_in_any_order() -> None:
    first = asyncio.Event()

    async def answer(message: Anything) -> Anything:
        if isinstance(message, Listen):
            await first.wait()
            return Described(b"late")
        first.set()
        return Described(b"early")

    async with linked(answer) as (one, _):
        late, early = await asyncio.gather(one.ask(Listen(), 5), one.ask(Describe(), 5))

    assert (late, early) == (Described(b"late"), Described(b"early"))


@pytest.mark.asyncio
async def test_whoever_is_asked_may_ask_back() -> None:
    ends: list[Link[Anything]] = []

    async def answer(message: Anything) -> Anything:
        return await ends[1].ask(Describe(), 5)

    async def back(message: Anything) -> Anything:
        return Described(type(message).__name__.encode())

    async with linked(answer, back) as both:
        ends += both
        assert await both[0].ask(Pause("b"), 5) == Described(b"Describe")


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "error",
    [
        RequestError("no such model", field="models", metadata={"model": "x"}),
        RefusedError(Reason.STORE_UNAVAILABLE, "away", retry_after=1.5),
        UnderstudyError(Reason.EXPERIMENT_NOT_FOUND, "there is none", metadata={"a": "b"}),
    ],
)
async def test_an_error_arrives_as_what_it_was(error: UnderstudyError) -> None:
    async def answer(message: Anything) -> Anything:
        raise error

    async with linked(answer) as (one, _):
        with pytest.raises(UnderstudyError) as caught:
            await one.ask(Register("e", {"a": 1.0}, "", "somebody"), 5)

    assert type(caught.value) is type(error)
    assert vars(caught.value) == vars(error)


@pytest.mark.asyncio
async def test_an_error_of_our_own_does_not_travel() -> None:
    async def answer(message: Anything) -> Anything:
        raise ValueError("sk-secret")

    async with linked(answer) as (one, _):
        with pytest.raises(LinkError) as caught:
            await one.ask(Drain(), 5)

    assert "sk-secret" not in str(caught.value)


@pytest.mark.asyncio
async def test_a_dead_peer_is_noticed_at_once() -> None:
    ours, theirs = socket.socketpair()
    one = await open_link(ours, agree, FRAMES)
    running = asyncio.create_task(one.run())
    asking = asyncio.create_task(one.ask(Describe(), 60))
    await asyncio.to_thread(theirs.recv, 1)
    theirs.close()

    with pytest.raises(LinkError):
        await asyncio.wait_for(asking, 1)
    await asyncio.wait_for(running, 1)
    with pytest.raises(LinkError):
        await one.ask(Describe(), 60)


@pytest.mark.asyncio
async def test_a_peer_that_is_silent_is_not_waited_for() -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        one = await open_link(ours, agree, FRAMES)
        running = asyncio.create_task(one.run())
        with pytest.raises(TimeoutError):
            await one.ask(Describe(), 0.05)
        running.cancel()


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "said", [(LARGEST_FRAME + 1).to_bytes(4, "big"), b"\0\0\0\2{]", b"\0\0\0\2[]", b"\0\0"]
)
async def test_what_nobody_understands_ends_the_conversation(said: bytes) -> None:
    ours, theirs = socket.socketpair()
    one = await open_link(ours, agree, FRAMES)
    running = asyncio.create_task(one.run())
    theirs.sendall(said)
    theirs.shutdown(socket.SHUT_WR)

    await asyncio.wait_for(running, 1)
    theirs.close()
