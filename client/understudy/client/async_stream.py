"""An answer that comes in pieces, for event loops; its twin for threads is `stream`."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol, Self

import grpc

from understudy.client import forking
from understudy.client.errors import UnderstudyError
from understudy.client.terms import tell_closed
from understudy.v1.completion_pb2 import StreamCompletionResponse

Piece = StreamCompletionResponse


class PieceReader(Protocol):
    """What a stub returns for a streamed call. `read` ends with something that is no piece."""

    async def read(self) -> object: ...
    def cancel(self) -> bool:
        """End the call."""
        ...


@dataclass(frozen=True, slots=True)
class Opened:
    """A streamed call whose first piece is there, or which had none."""

    call: PieceReader
    first: Piece | None
    loop: asyncio.AbstractEventLoop
    token: object
    generation: int


class AsyncStream(AsyncIterator[Piece]):
    """The pieces of an answer. Leaving it, by `break` or by `async with`, gives the call up.

    The call begins when the stream is awaited, entered or iterated: `async for` works on it and on
    what awaiting it returns, which is itself with its first piece there.
    """

    def __init__(
        self,
        open_call: Callable[[], Awaitable[Opened]],
        tell: Callable[[grpc.RpcError], UnderstudyError],
        heed: Callable[[Piece], None],
    ) -> None:
        self._opened: Opened | None = None
        self._open_call: Callable[[], Awaitable[Opened]] | None = open_call
        self._tell = tell
        self._heed = heed
        self._first: Piece | None = None

    def __await__(self) -> Generator[Any, None, Self]:
        return self._open().__await__()

    async def _open(self) -> Self:
        if self._open_call is not None:
            open_call, self._open_call = self._open_call, None
            self._opened = await open_call()
            self._first = self._opened.first
        return self

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Piece:
        if self._open_call is not None:
            await self._open()
        if self._first is not None:
            piece, self._first = self._first, None
        else:
            piece = await self._next()
        self._heed(piece)
        return piece

    async def _next(self) -> Piece:
        if self._opened is None:
            raise StopAsyncIteration
        if self._opened.generation != forking.generation():
            forking.check()
        try:
            found = await self._opened.call.read()
        except grpc.RpcError as error:
            self._end()
            raise self._tell(error) from error
        except asyncio.CancelledError as error:
            given_up = self._end() is None  # by `aclose` in another task
            if is_being_cancelled():
                raise
            if given_up:
                raise StopAsyncIteration from None
            raise tell_closed() from error
        if isinstance(found, Piece):
            return found
        self._end()
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """Give up what is still to come; the upstream call ends too."""
        self._open_call = None
        opened = self._end()
        if opened is None:
            return
        if opened.generation == forking.generation():
            opened.call.cancel()
        else:
            forking.leave_alone(opened)

    def _end(self) -> Opened | None:
        opened, self._opened, self._first = self._opened, None, None
        if opened is not None:
            forking.end(opened.token)
        return opened

    async def __aenter__(self) -> Self:
        return await self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    def __del__(self) -> None:
        opened = self._end()
        if opened is None:
            return
        if opened.generation != forking.generation():
            forking.leave_alone(opened)
            return
        # Collection may happen in any thread; the loop, if it still runs, is where to cancel.
        with suppress(RuntimeError):
            opened.loop.call_soon_threadsafe(opened.call.cancel)


def is_being_cancelled() -> bool:
    """Tell whether the current task was asked to stop.

    gRPC raises `CancelledError` also where only the call was given up.
    """
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
