"""A thread for what would block the engine's loop, fit for the end of an interpreter.

The standard executor takes nothing more by then, and its threads are waited for before anybody
could end what keeps them; but that is when records are written for the last time.
"""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class DaemonExecutor(ThreadPoolExecutor):
    """One thread, a daemon, begun at once: at exit none can be begun. Jobs wait for their turn.

    A ThreadPoolExecutor by name only, because an event loop takes no other.
    """

    def __init__(self, name: str) -> None:
        super().__init__(max_workers=1)
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        threading.Thread(target=self._work, name=name, daemon=True).start()

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Have a function called by the thread."""
        future: Future[T] = Future()

        def work() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                future.set_result(fn(*args, **kwargs))
            except BaseException as error:  # noqa: BLE001, because whoever waits must hear of it
                future.set_exception(error)

        self._jobs.put(work)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the thread after the jobs that it has. Returns at once."""
        self._jobs.put(None)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()
