"""What the dashboard shows and changes, and how its thread reaches that.

What is asked of the service is asked on the loop of whoever speaks with it, and what blocks runs
in a few threads: neither holds up another page.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from msgspec import Struct

from understudy.server.dashboard.seams import Admission, Desk, Host, Records, Reports
from understudy.server.domain.access import Role
from understudy.server.errors import Reason, RefusedError

T = TypeVar("T")

PATIENCE: Final = 10.0  # seconds until a page says that there is no answer
_THREADS: Final = 4
_MOST_WAITING: Final = 64  # questions, beyond which more are refused


class Questions:
    """Runs what blocks in a few threads, and says so when too much waits for them."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="dashboard-ask")
        self._waiting = 0

    async def run(self, question: Callable[[], T]) -> T:
        """Return what it returns, or raise what it raises. Raises RefusedError after too long."""
        if self._waiting >= _MOST_WAITING:
            raise RefusedError(
                Reason.OVERLOADED, "too many pages wait for the store; try again", retry_after=1.0
            )
        self._waiting += 1
        running = asyncio.get_running_loop().run_in_executor(self._threads, question)
        running.add_done_callback(self._leave)
        return await _in_time(running)

    def close(self) -> None:
        """Take no more. What runs is not waited for."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _leave(self, done: "asyncio.Future[Any]") -> None:
        self._waiting -= 1
        if not done.cancelled():
            done.exception()  # nobody may be left to hear it


class Names(Struct, frozen=True):
    """What the configuration names, in its order: model groups, and those that are silent."""

    groups: tuple[str, ...] = ()
    silent_models: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class House:
    """What there is. `records` and `reports` are None where nothing is recorded.

    `address` is where callers find the service, `tls` whether they must speak it. `roles` is the
    table RPC → role.
    """

    desk: Desk
    names: Callable[[], Names]
    records: Records | None
    reports: Reports | None
    host: Host
    access: Admission
    roles: Mapping[str, Role | None]
    address: str
    tls: bool
    loop: asyncio.AbstractEventLoop
    questions: Questions = field(default_factory=Questions)

    async def ask(self, question: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the loop that speaks with the service. Raises RefusedError after too long.

        It goes on then: what was begun may still take effect.
        """
        try:
            running = asyncio.run_coroutine_threadsafe(question, self.loop)
        except RuntimeError:
            question.close()
            raise RefusedError(Reason.DRAINING, "the service goes down") from None
        return await _in_time(asyncio.wrap_future(running))

    async def read(self, question: Callable[[], T]) -> T:
        """Run what blocks in a thread. Raises what it raises, RefusedError after too long."""
        return await self.questions.run(question)


async def _in_time(running: "asyncio.Future[T]") -> T:
    try:
        async with asyncio.timeout(PATIENCE):
            return await asyncio.shield(running)
    except TimeoutError:
        if running.done():
            raise
        raise RefusedError(
            Reason.STORE_UNAVAILABLE,
            f"no answer within {PATIENCE:g} s; what was asked for may still happen",
            retry_after=1.0,
        ) from None
