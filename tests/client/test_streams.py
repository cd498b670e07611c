"""Pieces come as they are made, and whoever leaves a stream ends the call."""

import asyncio
import gc
import threading
from collections.abc import Iterator

import pytest

from understudy import client
from understudy.v1.completion_pb2 import (
    CreateCompletionRequest,
    CreateCompletionResponse,
    ListModelsRequest,
    ListModelsResponse,
    Model,
    StreamCompletionResponse,
)

from .asking import FLAVOURS, HI, Flavour, ask
from .scripted import Context, Server, piece

PATIENCE = 5.0  # seconds


def endless(
    request: CreateCompletionRequest, context: Context
) -> Iterator[StreamCompletionResponse]:
    """Two pieces, then nothing until the caller is gone."""
    yield piece("a")
    yield piece("b")
    gone = threading.Event()
    if context.add_callback(gone.set):
        gone.wait(PATIENCE)


@pytest.fixture
def waiting(server: Server) -> Server:
    """A service that never ends its streams."""
    server.service.streamed = endless
    return server


def ended(server: Server) -> bool:
    """Whether one more streamed call is over, waiting for it."""
    return server.service.ended.acquire(timeout=PATIENCE)


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_pieces_come_in_order(flavour: Flavour, server: Server) -> None:
    assert ask(flavour, server.address, stream=True) == ["h", "i"]


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_a_stream_may_have_no_pieces(flavour: Flavour, server: Server) -> None:
    server.service.streamed = lambda request, context: iter(())

    assert ask(flavour, server.address, stream=True) == []


def test_a_stream_left_by_break_ends_the_call(waiting: Server) -> None:
    with client.Client(waiting.address) as one:
        for _ in one.completion("m", HI, stream=True):
            break

        assert ended(waiting)


def test_a_stream_left_by_with_ends_the_call(waiting: Server) -> None:
    with client.Client(waiting.address) as one:
        with one.completion("m", HI, stream=True) as stream:
            next(stream)

        assert ended(waiting)
        assert list(stream) == []


def test_a_stream_nobody_keeps_ends_the_call(waiting: Server) -> None:
    with client.Client(waiting.address) as one:
        one.completion("m", HI, stream=True)
        gc.collect()

        assert ended(waiting)


def test_a_stream_closed_by_another_thread_ends(waiting: Server) -> None:
    with client.Client(waiting.address) as one:
        stream = one.completion("m", HI, stream=True)
        assert [next(stream), next(stream)] == [piece("a"), piece("b")]
        threading.Timer(0.05, stream.close).start()

        assert list(stream) == []
        assert ended(waiting)


def test_closing_the_client_ends_its_streams(waiting: Server) -> None:
    one = client.Client(waiting.address)
    stream = one.completion("m", HI, stream=True)
    one.close()

    with pytest.raises(client.Cancelled, match="the client was closed"):
        list(stream)
    with pytest.raises(RuntimeError, match="closed"):
        one.completion("m", HI)
    assert ended(waiting)


@pytest.mark.asyncio
async def test_an_async_stream_works_awaited_and_not(server: Server) -> None:
    async with client.AsyncClient(server.address) as one:
        direct = [got async for got in one.completion("m", HI, stream=True)]
        awaited = [got async for got in await one.completion("m", HI, stream=True)]
        async with one.completion("m", HI, stream=True) as stream:
            entered = [got async for got in stream]

    assert direct == awaited == entered == [piece("h"), piece("i")]


@pytest.mark.asyncio
async def test_an_async_stream_left_by_break_ends_the_call(waiting: Server) -> None:
    async with client.AsyncClient(waiting.address) as one:
        async for _ in one.completion("m", HI, stream=True):
            break

        assert await asyncio.to_thread(ended, waiting)


@pytest.mark.asyncio
async def test_an_async_stream_left_by_with_ends_the_call(waiting: Server) -> None:
    async with client.AsyncClient(waiting.address) as one:
        async with await one.completion("m", HI, stream=True) as stream:
            await anext(stream)

        assert await asyncio.to_thread(ended, waiting)
        assert [got async for got in stream] == []


@pytest.mark.asyncio
async def test_an_async_stream_nobody_keeps_ends_the_call(waiting: Server) -> None:
    async with client.AsyncClient(waiting.address) as one:
        await one.completion("m", HI, stream=True)
        gc.collect()

        assert await asyncio.to_thread(ended, waiting)


@pytest.mark.asyncio
async def test_an_async_stream_closed_by_another_task_ends(waiting: Server) -> None:
    async with client.AsyncClient(waiting.address) as one:
        stream = await one.completion("m", HI, stream=True)
        assert [await anext(stream), await anext(stream)] == [piece("a"), piece("b")]
        reading = asyncio.create_task(anext(stream, None))
        await asyncio.sleep(0)

        await stream.aclose()

        assert await asyncio.wait_for(reading, PATIENCE) is None
        assert await asyncio.to_thread(ended, waiting)


@pytest.mark.asyncio
async def test_a_stream_that_is_never_begun_asks_nobody(server: Server) -> None:
    async with client.AsyncClient(server.address) as one:
        stream = one.completion("m", HI, stream=True)
        await stream.aclose()

        assert [got async for got in stream] == []
    assert server.service.requests == []


@pytest.mark.asyncio
@pytest.mark.parametrize("stream", [False, True])
async def test_a_cancelled_task_stays_cancelled(stream: bool, waiting: Server) -> None:
    gone = threading.Event()

    def wait(request: CreateCompletionRequest, context: Context) -> CreateCompletionResponse:
        ends = threading.Event()
        if context.add_callback(ends.set) and ends.wait(PATIENCE):
            gone.set()
        return CreateCompletionResponse()

    waiting.service.unary = wait

    async def work(one: client.AsyncClient) -> None:
        if stream:
            async for _ in one.completion("m", HI, stream=True):
                pass
        else:
            await one.completion("m", HI)

    async with client.AsyncClient(waiting.address) as one:
        task = asyncio.create_task(work(one))
        while not waiting.service.requests:
            await asyncio.sleep(0.002)
        task.cancel()

        with pytest.raises(asyncio.CancelledError):
            await task
        if stream:
            assert await asyncio.to_thread(ended, waiting)
        else:
            assert await asyncio.to_thread(gone.wait, PATIENCE)


@pytest.mark.asyncio
async def test_a_deadline_of_asyncio_is_asyncios_own(waiting: Server) -> None:
    async with client.AsyncClient(waiting.address) as one:
        stream = await one.completion("m", HI, stream=True)
        assert [await anext(stream), await anext(stream)] == [piece("a"), piece("b")]

        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(stream), 0.05)
        assert await asyncio.to_thread(ended, waiting)


@pytest.mark.asyncio
@pytest.mark.parametrize("stream", [False, True])
async def test_closing_the_client_is_no_cancellation_of_the_task(
    stream: bool, waiting: Server
) -> None:
    def wait(request: CreateCompletionRequest, context: Context) -> CreateCompletionResponse:
        ends = threading.Event()
        if context.add_callback(ends.set):
            ends.wait(PATIENCE)
        return CreateCompletionResponse()

    waiting.service.unary = wait
    one = client.AsyncClient(waiting.address)

    async def work() -> None:
        if stream:
            async for _ in one.completion("m", HI, stream=True):
                pass
        else:
            await one.completion("m", HI)

    task = asyncio.create_task(work())
    while not waiting.service.requests:
        await asyncio.sleep(0.002)
    await one.close()

    with pytest.raises(client.Cancelled, match="the client was closed"):
        await task
    with pytest.raises(RuntimeError, match="closed"):
        await one.completion("m", HI)


@pytest.mark.asyncio
async def test_models_are_listed_page_by_page(server: Server) -> None:
    def page(request: ListModelsRequest) -> ListModelsResponse:
        at = int(request.page_token or 0)
        following = str(at + 1) if at < 2 else ""
        return ListModelsResponse(models=[Model(id=f"m{at}")], next_page_token=following)

    server.service.listed = page

    with client.Client(server.address) as one:
        listed = one.list_models()
    async with client.AsyncClient(server.address) as other:
        awaited = await other.list_models()

    assert [model.id for model in listed] == ["m0", "m1", "m2"]
    assert awaited == listed


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_a_split_is_drawn_by_the_server(flavour: Flavour, server: Server) -> None:
    weights = {"gpt-4": 0.8, "llama-2": 0.2}

    async def ask_async() -> None:
        async with client.AsyncClient(server.address) as one:
            await one.completion_with_split_tests(models=weights, messages=HI)
            await one.completion_with_split_tests(weights, HI, use_client=True, id="e")
            async for _ in one.completion_with_split_tests(weights, HI, stream=True):
                pass

    def ask_sync() -> None:
        with client.Client(server.address) as one:
            one.completion_with_split_tests(models=weights, messages=HI)
            one.completion_with_split_tests(weights, HI, use_client=True, id="e")
            for _ in one.completion_with_split_tests(weights, HI, stream=True):
                pass

    asyncio.run(ask_async()) if flavour == "async" else ask_sync()

    drawn, registered, streamed = server.service.requests
    assert dict(drawn.models) == dict(streamed.models) == weights
    assert (drawn.model, drawn.experiment) == ("", "")
    assert registered.experiment == "e"
    assert registered.split_mode == CreateCompletionRequest.SPLIT_MODE_REGISTER
