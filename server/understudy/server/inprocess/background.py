"""A thread with one event loop, on which one engine answers for every thread and every other loop.

Calls come in as coroutines and go out as futures; that is all that crosses. What the coroutines do
is `answering`; which process has which thread is `engines`.
"""

import asyncio
import atexit
import logging
import threading
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from contextlib import AsyncExitStack
from typing import Any, Final, TypeVar

from understudy.client import forking
from understudy.client.errors import Cancelled, Failure, UnderstudyError
from understudy.server.config import Config
from understudy.server.engine import Engine, running_engine
from understudy.server.inprocess.executor import DaemonExecutor

_LOG = logging.getLogger(__name__)

_LAST_WORDS: Final = 5.0  # seconds at exit, beyond a drain, for records to be written

T = TypeVar("T")


def tell_closed() -> UnderstudyError:
    """Return the error of a call that its Router was closed before or beneath."""
    return _tell("the router was closed")


def _tell(message: str) -> UnderstudyError:
    return Cancelled(Failure(reason="CANCELLED", message=message, code="CANCELLED"))


class Background:
    """The thread. It begins at once and ends with `stop`; `ended` is done when it has."""

    def __init__(self, config: Config) -> None:
        self.generation = forking.generation()
        self.ended: Future[None] = Future()
        self._config = config
        self._grace = config.settings.server.drain.grace
        # Reentrant, because a stream may be collected, which gives its call up, at any moment.
        self._lock = threading.RLock()
        self._accepting = True
        self._mute = False
        self._tasks: set[asyncio.Task[Any]] = set()
        self._engine: Engine | Exception | None = None
        self._ready = asyncio.Event()
        self._stopping = asyncio.Event()
        # Not uvloop: a child forked after libuv used its thread pool crashes at exit.
        self._loop = asyncio.new_event_loop()
        self._loop.set_default_executor(DaemonExecutor("understudy-router-files"))
        self._thread = threading.Thread(target=self._run, name="understudy-router", daemon=True)
        self._thread.start()

    def submit(self, work: Callable[[Engine], Coroutine[Any, Any, T]]) -> Future[T]:
        """Have a coroutine run on the engine's loop; cancelling the future cancels it there.

        Raises Cancelled once the thread was told to stop.
        """
        future: Future[T] = Future()
        self.call(self._begin, work, future)
        return future

    def call(self, function: Callable[..., object], *arguments: object) -> None:
        """Have a function run on the engine's loop, after those before it.

        Raises Cancelled once the thread was told to stop: what is taken is also done.
        """
        if self.generation != forking.generation():
            raise _tell("this stream belongs to the process that this one was forked from")
        with self._lock:
            if not self._accepting:
                raise tell_closed()
            self._loop.call_soon_threadsafe(function, *arguments)

    def stop(self, *, mute: bool = False) -> None:
        """Have the calls cancelled, the engine and the thread ended. Returns at once.

        What is being played to silent models has the time of a drain to end. With `mute` nobody
        hears of it any more: those who wait go on waiting.
        """
        with self._lock:
            self._mute = self._mute or mute
            if self._accepting:
                self._accepting = False
                self._loop.call_soon_threadsafe(self._stopping.set)

    def join(self, began: float) -> None:
        """Wait for the end, and no longer than a drain may take since `began`."""
        self._thread.join(max(0.0, began + self._grace + _LAST_WORDS - time.monotonic()))

    def _begin(self, work: Callable[[Engine], Coroutine[Any, Any, T]], future: Future[T]) -> None:
        task = self._loop.create_task(self._work(work))
        self._tasks.add(task)
        task.add_done_callback(lambda done: self._deliver(done, future))
        future.add_done_callback(lambda done: self._give_up(task) if done.cancelled() else None)

    async def _work(self, work: Callable[[Engine], Coroutine[Any, Any, T]]) -> T:
        await self._ready.wait()
        if isinstance(self._engine, Engine):
            return await work(self._engine)
        assert self._engine is not None  # ready means one or the other
        raise self._engine.with_traceback(None)  # or it would grow with each call

    def _give_up(self, task: asyncio.Task[Any]) -> None:
        with self._lock:
            if self._accepting:  # otherwise it is cancelled anyway
                self._loop.call_soon_threadsafe(task.cancel)

    def _deliver(self, task: asyncio.Task[T], future: Future[T]) -> None:
        self._tasks.discard(task)
        error = tell_closed() if task.cancelled() else task.exception()
        if self._mute or not future.set_running_or_notify_cancel():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(task.result())

    def _run(self) -> None:
        _running.add(self)
        try:
            self._loop.run_until_complete(self._live())
        except Exception as error:  # noqa: BLE001, because a thread has nobody else to tell
            # Not the error's own text, which may quote what it failed on.
            _LOG.error("the engine did not end in order: %s", type(error).__name__)
        finally:
            self._loop.close()
            _running.discard(self)
            self.ended.set_result(None)

    async def _live(self) -> None:
        async with AsyncExitStack() as stack:
            try:
                self._engine = await stack.enter_async_context(running_engine(self._config))
            except Exception as error:  # noqa: BLE001, because every call shall hear of it
                self._engine = error
            self._ready.set()
            await self._stopping.wait()
            for task in tuple(self._tasks):
                task.cancel()
            if self._tasks:
                await asyncio.wait(self._tasks)
            if isinstance(self._engine, Engine):
                await self._engine.mirror.drain(self._grace)
        # As `asyncio.run` does, but for the executor: its end would take a thread more.
        leftover = asyncio.all_tasks() - {asyncio.current_task()}
        for task in leftover:
            task.cancel()
        await asyncio.gather(*leftover, return_exceptions=True)
        await self._loop.shutdown_asyncgens()


_running: set[Background] = set()


@atexit.register
def _stop_all() -> None:
    """End the threads of this process before the interpreter does.

    Only daemons still wait for calls now: let them, as an exception in them would be noise.
    """
    began = time.monotonic()
    own = [one for one in tuple(_running) if one.generation == forking.generation()]
    for one in own:
        one.stop(mute=True)
    for one in own:
        one.join(began)
