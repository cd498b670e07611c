"""One thread of the mirror, and the way into it.

What is handed over meets an event loop and an upstream of the thread's own, so that one thread
carries hundreds of slow calls. What happens to it there is in `stage`.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager
from threading import Thread

from understudy.server.domain.mirroring import PrimaryEnd
from understudy.server.mirror.copies import Copy
from understudy.server.mirror.stage import Stage
from understudy.server.ports import Upstream

_LOG = logging.getLogger(__name__)

# A thread that is so far behind has stopped; its pairs then stay unsettled rather than fill memory.
_MOST_BEHIND = 20_000

OpenUpstream = Callable[[], AbstractAsyncContextManager[Upstream]]


class Worker:
    """A thread with a stage. Everything here but the thread itself is for other threads to call."""

    def __init__(
        self,
        name: str,
        stage: Stage,
        *,
        upstream: OpenUpstream,
        new_loop: Callable[[], asyncio.AbstractEventLoop],
    ) -> None:
        self.stage = stage
        self.started: Future[None] = Future()
        self.ended: Future[None] = Future()
        self.has_begun = False
        self.is_running = False
        self._open_upstream = upstream
        self._new_loop = new_loop
        self._inbox: deque[Sequence[Copy] | PrimaryEnd] = deque()
        self._is_awake = False
        self._loop: asyncio.AbstractEventLoop | None = None
        # A daemon, because a thread that hangs must not keep the process.
        self._thread = Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Start the thread; `started` tells when its upstream is open, or why it is not."""
        self.has_begun = True
        self._thread.start()

    def take(self, item: Sequence[Copy] | PrimaryEnd) -> None:
        """Take a pair's copies, or the primary's end. Never blocks."""
        if isinstance(item, PrimaryEnd) and len(self._inbox) >= _MOST_BEHIND:
            return
        self._inbox.append(item)
        # Looked at after the item is there, and cleared before the inbox is read: so either the
        # item is read, or the thread is woken.
        if not self._is_awake:
            self._is_awake = True
            self._call(self._receive)

    def look_again(self) -> None:
        """Look whether copies that wait may be sent now, or must not be sent any more."""
        if self.stage.waiting:
            self._call(self.stage.send_waiting)

    def stop(self, grace: float) -> None:
        """End within the grace; `ended` tells when."""
        self._call(self._stop, grace)

    def _call(self, function: Callable[..., None], *arguments: object) -> None:
        loop = self._loop
        if loop is not None:
            try:
                loop.call_soon_threadsafe(function, *arguments)
            except RuntimeError:
                return  # the loop is closed: the thread has ended

    # What follows happens in the thread.

    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=self._new_loop) as runner:
                runner.run(self._serve())
        except BaseException as error:  # noqa: BLE001, because whoever waits must hear of it
            if not self.started.done():
                self.started.set_exception(error)
            else:
                _LOG.error("a thread of the mirror broke with %s", type(error).__name__)
        finally:
            self.is_running = False
            self.ended.set_result(None)

    async def _serve(self) -> None:
        async with self._open_upstream() as upstream:
            self._loop = asyncio.get_running_loop()
            self.is_running = True
            self.started.set_result(None)
            await self.stage.play(upstream)
            self._receive()
            await self.stage.close()

    def _stop(self, grace: float) -> None:
        self._receive()
        self.stage.stop(grace)

    def _receive(self) -> None:
        self._is_awake = False
        while self._inbox:
            item = self._inbox.popleft()
            if isinstance(item, PrimaryEnd):
                self.stage.settle(item)
            else:
                self.stage.expect(item)
        self.stage.send_waiting()
