"""An answer that comes in pieces, for threads; its twin for event loops is `async_stream`."""

from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Protocol, Self

import grpc

from understudy.client import forking
from understudy.client.errors import UnderstudyError
from understudy.v1.completion_pb2 import StreamCompletionResponse

Piece = StreamCompletionResponse


class PieceCall(Protocol):
    """What a stub returns for a streamed call."""

    def __iter__(self) -> Iterator[Piece]: ...
    def __next__(self) -> Piece: ...
    def cancel(self) -> bool:
        """End the call."""
        ...


class Stream(Iterator[Piece]):
    """The pieces of an answer. Leaving it, by `break` or by `with`, gives the call up.

    Its first piece is already there. After it, an error is raised by the iteration.
    """

    def __init__(
        self,
        call: PieceCall,
        first: Piece | None,
        tell: Callable[[grpc.RpcError], UnderstudyError],
        heed: Callable[[Piece], None],
    ) -> None:
        self._call: PieceCall | None = call
        self._first = first
        self._tell = tell
        self._heed = heed
        self._generation = forking.generation()
        self._token = forking.begin()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Piece:
        if self._first is not None:
            piece, self._first = self._first, None
        else:
            piece = self._next()
        self._heed(piece)
        return piece

    def _next(self) -> Piece:
        if self._call is None:
            raise StopIteration
        if self._generation != forking.generation():
            forking.check()
        try:
            return next(self._call)
        except StopIteration:
            self._end()
            raise
        except grpc.RpcError as error:
            if self._end() is None:  # by `close` in another thread
                raise StopIteration from None
            raise self._tell(error) from error

    def close(self) -> None:
        """Give up what is still to come; the upstream call ends too."""
        call = self._end()
        if call is None:
            return
        if self._generation == forking.generation():
            call.cancel()
        else:
            forking.leave_alone(call)

    def _end(self) -> PieceCall | None:
        call, self._call, self._first = self._call, None, None
        forking.end(self._token)
        return call

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
