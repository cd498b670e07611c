"""Answers that come in pieces, for threads and for event loops: as the client's, without gRPC.

`Tap` is what both have in common: one call on the engine's loop, seen from anywhere else.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from concurrent.futures import CancelledError, Future
from types import TracebackType
from typing import Any, Self, TypeVar

from understudy.client import forking
from understudy.client.async_stream import is_being_cancelled
from understudy.server.inprocess.answering import Piece, stream
from understudy.server.inprocess.engines import Engines
from understudy.server.inprocess.flow import Flow
from understudy.server.inprocess.tracing import current_trace
from understudy.v1.completion_pb2 import CreateCompletionRequest

T = TypeVar("T")


def wait(future: "Future[T]") -> T:
    """Return a future's result; interrupted by Ctrl-C, give up what it stands for."""
    try:
        return future.result()
    except BaseException:
        future.cancel()
        raise


class Tap:
    """A streamed call under way. Keeps its engine alive."""

    def __init__(self, engines: Engines, request: CreateCompletionRequest, timeout: float) -> None:
        self._engines = engines
        self._background = engines.background()
        flow = self._flow = Flow[Piece]()
        self._taking: Future[list[Piece]] | None = None
        trace = current_trace()
        self._call = self._background.submit(
            lambda engine: stream(engine, request, timeout, flow, trace)
        )
        self._call.add_done_callback(lambda done: _end(flow, done))

    def more(self) -> "Future[list[Piece]]":
        """Return what will be the next pieces, or no pieces at the end."""
        taking = self._taking = Future[list[Piece]]()
        self._background.call(self._flow.take, taking)
        return taking

    def close(self) -> None:
        """Give up what is still to come, and let whoever waits for it go."""
        if self._background.generation != forking.generation():
            return  # it is the parent's
        self._call.cancel()
        if self._taking is not None:
            self._taking.cancel()


def _end(flow: Flow[Piece], call: "Future[None]") -> None:
    # A call that was given up has nobody left to tell; and this is its caller's thread, then.
    if not call.cancelled():
        flow.end(call.exception())


class Stream(Iterator[Piece]):
    """The pieces of an answer. Leaving it, by `break` or by `with`, gives the call up.

    Its first piece is already there. After it, an error is raised by the iteration.
    """

    def __init__(self, tap: Tap) -> None:
        self._tap: Tap | None = tap
        self._ready: deque[Piece] = deque()
        self._fetch(tap)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Piece:
        if not self._ready and self._tap is not None:
            self._fetch(self._tap)
        if not self._ready:
            raise StopIteration
        return self._ready.popleft()

    def _fetch(self, tap: Tap) -> None:
        try:
            pieces = wait(tap.more())
        except CancelledError:
            if self._tap is not None:
                raise
            return  # by `close` in another thread
        except BaseException:
            self.close()
            raise
        self._ready.extend(pieces)
        if not pieces:
            self._tap = None

    def close(self) -> None:
        """Give up what is still to come; the upstream call ends too."""
        tap, self._tap = self._tap, None
        self._ready.clear()
        if tap is not None:
            tap.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()


class AsyncStream(AsyncIterator[Piece]):
    """The pieces of an answer. Leaving it, by `break` or by `async with`, gives the call up.

    The call begins when the stream is awaited, entered or iterated: `async for` works on it and on
    what awaiting it returns, which is itself with its first piece there.
    """

    def __init__(self, open_tap: Callable[[], Tap]) -> None:
        self._open_tap: Callable[[], Tap] | None = open_tap
        self._tap: Tap | None = None
        self._ready: deque[Piece] = deque()

    def __await__(self) -> Generator[Any, None, Self]:
        return self._open().__await__()

    async def _open(self) -> Self:
        if self._open_tap is not None:
            open_tap, self._open_tap = self._open_tap, None
            self._tap = open_tap()
            await self._fetch(self._tap)
        return self

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Piece:
        await self._open()
        if not self._ready and self._tap is not None:
            await self._fetch(self._tap)
        if not self._ready:
            raise StopAsyncIteration
        return self._ready.popleft()

    async def _fetch(self, tap: Tap) -> None:
        try:
            pieces = await asyncio.wrap_future(tap.more())
        except asyncio.CancelledError:
            if self._tap is None and not is_being_cancelled():
                return  # by `aclose` in another task
            self._give_up()
            raise
        except BaseException:
            self._give_up()
            raise
        self._ready.extend(pieces)
        if not pieces:
            self._tap = None

    async def aclose(self) -> None:
        """Give up what is still to come; the upstream call ends too."""
        self._give_up()

    def _give_up(self) -> None:
        tap, self._tap, self._open_tap = self._tap, None, None
        self._ready.clear()
        if tap is not None:
            tap.close()

    async def __aenter__(self) -> Self:
        return await self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._give_up()

    def __del__(self) -> None:
        self._give_up()
