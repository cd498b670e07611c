"""Hands pieces from the engine's loop to a caller who takes them at leisure.

A bounded number waits for the caller; then the model waits.

Everything here happens on the engine's loop, so nothing is locked; a caller elsewhere has `take`
called there, with a future to wait for.
"""

import asyncio
from concurrent.futures import Future
from typing import Final, Generic, TypeVar

MOST_AHEAD: Final = 64  # pieces that wait for their caller; then the model waits

T = TypeVar("T")


class Flow(Generic[T]):
    """The pieces of one answer that their caller has not yet taken."""

    def __init__(self) -> None:
        self._pieces: list[T] = []
        self._over = False
        self._error: BaseException | None = None
        self._waiting: Future[list[T]] | None = None
        self._room = asyncio.Event()

    async def put(self, piece: T) -> None:
        """Add a piece; return when there is room for another."""
        self._pieces.append(piece)
        self._serve()
        while len(self._pieces) >= MOST_AHEAD:
            self._room.clear()
            await self._room.wait()

    def end(self, error: BaseException | None) -> None:
        """Say that no more will come, and why if it is no good end."""
        self._over = True
        self._error = error
        self._serve()

    def take(self, future: "Future[list[T]]") -> None:
        """Let a future have all that is there, at least a piece; none means that it is over."""
        self._waiting = future
        self._serve()

    def _serve(self) -> None:
        future = self._waiting
        if future is None or not (self._pieces or self._over):
            return
        self._waiting = None
        if not future.set_running_or_notify_cancel():
            return
        if not self._pieces and self._error is not None:
            future.set_exception(self._error)
            return
        pieces, self._pieces = self._pieces, []
        self._room.set()
        future.set_result(pieces)
