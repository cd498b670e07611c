"""All the upstreams that cases are played at, in a thread of their own."""

import asyncio
import itertools
import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from ..stub.dead_ends import black_hole, refusing_port
from ..stub.faultstub import FaultStub
from .cases import At

T = TypeVar("T")


@dataclass(slots=True)
class Yard:
    """The upstreams. `well` never misbehaves; nobody has any business with `canary`."""

    loop: asyncio.AbstractEventLoop
    origins: dict[At, str] = field(default_factory=dict[At, str])
    canary: FaultStub = field(default_factory=FaultStub)
    well: FaultStub = field(default_factory=FaultStub)
    stubs: Sequence[FaultStub] = ()

    def forget(self) -> None:
        """Close every connection, and forget what was asked."""

        def forget() -> None:
            for stub in (*self.stubs, self.well):
                stub.drop_connections()
                stub.requests.clear()

        self._do(forget)

    def left_open(self) -> int:
        """How many connections are open whose last request was not answered whole."""

        def count() -> int:
            # A connection is done with what it was asked if that was answered.
            busy = {
                seen.connection.number: seen.answered is None
                for stub in self.stubs
                for seen in stub.requests
                if seen.connection.closed is None
            }
            deaf = sum(stub.open_connections for stub in self.stubs if stub.reads != "all")
            return sum(busy.values()) + deaf

        return self._do(count)

    def _do(self, work: Callable[[], T]) -> T:
        async def run() -> T:
            return work()

        return asyncio.run_coroutine_threadsafe(run(), self.loop).result(5)


@contextmanager
def upstreams() -> Generator[Yard]:
    """Run all of them until the block ends."""
    yard = Yard(asyncio.new_event_loop())
    ready, over = threading.Event(), asyncio.Event()

    async def serve() -> None:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(yard.canary)
            elsewhere = yard.canary.url
            yard.stubs = [
                FaultStub(reads="all", redirect_to=elsewhere),
                FaultStub(reads="nothing"),
                FaultStub(reads="slowly"),
                FaultStub(reads="head", mode="status-413"),
                FaultStub(reads="then-closes"),
            ]
            for stub in (*yard.stubs, yard.well):
                await stack.enter_async_context(stub)
            ready.set()
            await over.wait()

    thread = threading.Thread(target=yard.loop.run_until_complete, args=(serve(),), daemon=True)
    thread.start()
    try:
        assert ready.wait(timeout=5), "the stubs did not start"
        with black_hole() as hole, refusing_port() as closed:
            places = (At.STUB, At.DEAF, At.SLOW, At.HASTY, At.CURT)
            yard.origins = {at: stub.url for at, stub in zip(places, yard.stubs, strict=True)}
            yard.origins[At.HOLE] = f"http://127.0.0.1:{hole}"
            yard.origins[At.CLOSED] = f"http://127.0.0.1:{closed}"
            yard.origins[At.NAMELESS] = "http://models.hung.test"
            yield yard
    finally:
        yard.loop.call_soon_threadsafe(over.set)
        thread.join(timeout=5)
        yard.loop.close()


_NUMBERS = itertools.count()


def new_host(origin: str) -> str:
    """Return a name that was not asked for before, where the origin is a name."""
    return origin.replace("models.", f"models-{next(_NUMBERS)}.")
