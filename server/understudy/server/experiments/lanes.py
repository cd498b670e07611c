"""Threads for what blocks, apart from everybody else's, and a bound on who waits for them."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Final, TypeVar

from understudy.server.errors import Reason, RefusedError

T = TypeVar("T")

PATIENCE: Final = 5.0  # seconds that a question waits for a thread


class Lane:
    """Runs what blocks in a few threads of its own: what hangs here holds up nobody elsewhere."""

    def __init__(self, name: str, threads: int = 1, patience: float = PATIENCE) -> None:
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._free = asyncio.Semaphore(threads)
        self._patience = patience

    async def run(self, question: Callable[[], T]) -> T:
        """Return what it returns, or raise what it raises.

        Raises RefusedError where all threads are busy for too long; then it was not begun.
        """
        try:
            async with asyncio.timeout(self._patience):
                await self._free.acquire()
        except TimeoutError:
            told = "the store of experiments does not keep up; others wait for it already"
            raise RefusedError(Reason.STORE_UNAVAILABLE, told, retry_after=1.0) from None
        loop = asyncio.get_running_loop()

        def leave(_: Future[T]) -> None:
            # When the thread is free, which a caller who gave up does not make it.
            with suppress(RuntimeError):  # the loop may have gone meanwhile
                loop.call_soon_threadsafe(self._free.release)

        try:
            running = self._threads.submit(question)
        except BaseException:
            self._free.release()
            raise
        running.add_done_callback(leave)
        return await asyncio.wrap_future(running)

    def close(self) -> None:
        """Take no more. What runs is not waited for."""
        self._threads.shutdown(wait=False, cancel_futures=True)
