"""The handlers under way: how many there are, and the watches among them, which have to be ended."""

from asyncio import Event, Task, current_task, wait
from collections.abc import Callable, Generator
from contextlib import contextmanager

from understudy.server.errors import AccessError


class Calls:
    """Counts the handlers under way, from before their first line to after their `finally`.

    Watches (health, reflection) go on for ever: they are not waited for but ended.
    """

    def __init__(self) -> None:
        self.running = 0
        self.draining = False
        self._idle = Event()
        self._idle.set()
        self._watches: dict[Task[object], Callable[[], object]] = {}

    @contextmanager
    def watching(self, admit: Callable[[], object]) -> Generator[None]:
        """Keep the current task at hand, to be ended. `admit` raises AccessError if it must be."""
        task = current_task()
        assert task is not None  # grpc.aio runs each handler in one
        self._watches[task] = admit
        try:
            yield
        finally:
            del self._watches[task]

    async def end_watches(self, patience: float) -> None:
        """End them all, the server going down; return when each was told so, or after a while."""
        self.draining = True
        tasks = tuple(self._watches)
        for task in tasks:
            task.cancel()
        if tasks:
            await wait(tasks, timeout=patience)

    def end_refused_watches(self) -> None:
        """End those of who may not watch any more: keys have changed, and they go on for ever."""
        for task, admit in tuple(self._watches.items()):
            try:
                admit()
            except AccessError:
                task.cancel()

    def enter(self) -> None:
        """Count one more."""
        self.running += 1
        self._idle.clear()

    def leave(self) -> None:
        """Count one less."""
        self.running -= 1
        if not self.running:
            self._idle.set()

    async def wait_until_idle(self) -> None:
        """Return when none is under way."""
        await self._idle.wait()
