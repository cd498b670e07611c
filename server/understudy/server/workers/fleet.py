"""Keeps workers at work: starts them, hands each what serves, replaces those that die.

What all must know goes to all of them before it counts as said; a worker that does not take it in
time is replaced, because it would serve what is no longer so.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

import msgspec
from google.protobuf.timestamp_pb2 import Timestamp
from msgspec import structs

from understudy.server.domain.experiments import Roster
from understudy.server.errors import ConfigError
from understudy.server.mirror.pauses import Pauses
from understudy.server.processes.link import LinkError
from understudy.server.servicers.sum_status import sum_status
from understudy.server.serving import UNKNOWN_EXPERIMENTS
from understudy.server.workers.child import PATIENCE, START, Child, FaultyError
from understudy.server.workers.counting import Counting
from understudy.server.workers.messages import (
    Anything,
    Begin,
    Describe,
    Described,
    Drain,
    Follow,
    Listen,
    Pause,
    Reload,
    Reloaded,
    Resume,
    Tell,
    Text,
)
from understudy.v1 import operations_pb2

QUICK: Final = 10.0  # seconds; who dies sooner is started again later each time
LONGEST_WAIT: Final = 10.0  # seconds
_RELOADED: Final = 10.0  # seconds to read a configuration and all certificates that it names
MOST_DEATHS: Final = 5  # quick ones in a row while nobody serves, then the service gives up

_LOG = logging.getLogger(__name__)


class Fleet:
    """The workers of a host. Made by `sailing`.

    `failed` is set when no worker can be kept alive.
    """

    def __init__(
        self, size: int, spawn: Callable[[], Awaitable[Child]], begin: Begin, pauses: Pauses
    ) -> None:
        self._size = size
        self._spawn = spawn
        self._begin = begin
        self._pauses = pauses
        self._roster: Follow | None = None
        self._told = Tell(False, False)
        self._children: set[Child] = set()
        self._serving: list[Child] = []
        # One thing is said at a time; a worker that joins hears either before or after it.
        self._turn = asyncio.Lock()
        self._ending = False
        self._started = Timestamp()
        self._started.GetCurrentTime()
        self._keepers: list[asyncio.Task[None]] = []
        self._first: list[asyncio.Future[None]] = []
        self.failed = asyncio.Event()
        self.counting = Counting(lambda: self._serving, size)

    @property
    def pids(self) -> list[int]:
        """The processes that take calls."""
        return [one.pid for one in self._serving]

    async def publish(self, roster: Roster) -> None:
        """Have all workers use these experiments; returns when they do."""
        follow = Follow(msgspec.Raw(msgspec.json.encode(roster)))
        async with self._turn:
            self._roster = follow
            await self._say(follow)

    async def tell(self, *, is_ready: bool, is_away: bool) -> None:
        """Have all workers tell balancers this."""
        async with self._turn:
            self._told = Tell(is_ready, is_away)
            await self._say(self._told)

    async def reload(self, newest: Text) -> bool:
        """Have all workers use another reading of the file; return whether certificates differ."""
        async with self._turn:
            self._begin = structs.replace(self._begin, newest=newest)
            answers = await self._say(Reload(newest), _RELOADED)
        return any(isinstance(one, Reloaded) and one.renewed for one in answers)

    async def pause(self, silent_model: str | None) -> None:
        """Stop mirroring everywhere; nothing is sent once this returns."""
        async with self._turn:
            self._pauses = self._pauses.pause(silent_model)
            await self._say(Pause(silent_model))

    async def resume(self, silent_model: str | None) -> None:
        """Go on with mirroring everywhere."""
        async with self._turn:
            self._pauses = self._pauses.resume(silent_model)
            await self._say(Resume(silent_model))

    async def status(self) -> operations_pb2.GetStatusResponse:
        """Return how all are together."""
        answers = await self._say(Describe())
        parts = [
            operations_pb2.GetStatusResponse.FromString(one.status)
            for one in answers
            if isinstance(one, Described)
        ]
        return sum_status(parts, self._started)

    def find_obstacle(self) -> str:
        """Return why no calls are taken, or nothing if they are."""
        if self._ending:
            return "draining"
        if not self._serving:
            return "no worker takes calls"
        return "" if self._told.is_ready else UNKNOWN_EXPERIMENTS

    async def start(self) -> None:
        """Start the workers; returns when each was tried and one serves at least.

        Raises ConfigError if none can.
        """
        loop = asyncio.get_running_loop()
        self._first = [loop.create_future() for _ in range(self._size)]
        self._keepers = [asyncio.create_task(self._keep(one)) for one in self._first]
        faults = await asyncio.gather(*self._first, return_exceptions=True)
        for fault in faults:
            if isinstance(fault, FaultyError):
                raise ConfigError(fault.faults) from fault
        if not self._serving:
            raise ConfigError(["understudy.server.workers: no worker could be started"])

    async def drain(self, within: float) -> None:
        """Let the workers finish what they do, and end; kill who does not within the time."""
        self._ending = True
        for child in self._children.difference(self._serving):
            child.kill_now()
        await self._say(Drain())
        ended = [one.ended for one in self._children]
        if ended:
            _, late = await asyncio.wait(ended, timeout=within)
            if late:
                _LOG.warning("%d workers did not end in time and are killed", len(late))
        self.kill()

    def kill(self) -> None:
        """End all at once."""
        self._ending = True
        for child in self._children:
            child.kill_now()

    async def sink(self) -> None:
        """Kill what is left, and wait until it has ended."""
        self.kill()
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)
        await asyncio.gather(*(one.ended for one in self._children), return_exceptions=True)

    async def _say(self, message: Anything, within: float = PATIENCE) -> list[Anything | None]:
        """Say something to all that serve, and return the answers of those that still do."""
        children = tuple(self._serving)
        return await asyncio.gather(*(self._say_to(one, message, within) for one in children))

    async def _say_to(self, child: Child, message: Anything, within: float) -> Anything | None:
        try:
            return await child.ask(message, within)
        except (LinkError, TimeoutError, FaultyError) as error:
            what = type(message).__name__, type(error).__name__
            level = logging.DEBUG if self._ending else logging.ERROR
            _LOG.log(level, "worker %d did not take %s (%s): it is killed", child.pid, *what)
            # What it might still answer must be over before anybody is told that all follow.
            await child.kill()
            return None

    async def _keep(self, first: "asyncio.Future[None]") -> None:
        """Have one worker at work, and after it another."""
        loop = asyncio.get_running_loop()
        deaths = 0
        while not self._ending:
            began = loop.time()
            told = await self._employ(first)
            if self._ending:
                return
            deaths = deaths + 1 if loop.time() - began < QUICK else 0
            wait = min(LONGEST_WAIT, 0.1 * 2 ** (deaths - 1)) if deaths else 0.0
            _LOG.error("%s; another takes its place in %.1f s", told, wait)
            if deaths >= MOST_DEATHS and not self._serving:
                _LOG.critical("no worker can be kept alive")
                self.failed.set()
                return
            await asyncio.sleep(wait)

    async def _employ(self, first: "asyncio.Future[None]") -> str:
        """Have one worker until it ends; return how that came."""
        try:
            child = await self._spawn()
        except OSError as error:
            _settle(first, error)
            return f"a worker cannot be started: {error.strerror}"
        self._children.add(child)
        told = ""
        try:
            await self._bring_up(child)
            _settle(first, None)
        except (LinkError, TimeoutError, FaultyError) as error:
            _settle(first, error)
            told = f" ({type(error).__name__}: {error})"
            child.kill_now()
        code = await asyncio.shield(child.ended)
        self._children.discard(child)
        self.counting.retire(child)
        if child in self._serving:
            self._serving.remove(child)
        return f"worker {child.pid} ended with {code}{told}"

    async def _bring_up(self, child: Child) -> None:
        begin = self._begin
        await child.ask(begin, START)
        async with self._turn:
            if self._roster is not None:
                await child.ask(self._roster)
            await child.ask(self._told)
            await child.ask(Resume(None))  # of what it remembers, which may be old
            if self._pauses.everything:
                await child.ask(Pause(None))
            for silent_model in self._pauses.silent_models:
                await child.ask(Pause(silent_model))
            if self._begin is not begin:
                # It would let in, if only for a moment, whom the newest file no longer does.
                raise LinkError("the configuration was read anew while it began")
            await child.ask(Listen())
            self._serving.append(child)


def _settle(first: "asyncio.Future[None]", error: Exception | None) -> None:
    if first.done():
        return
    if error is None:
        first.set_result(None)
    else:
        first.set_exception(error)


@asynccontextmanager
async def sailing(fleet: Fleet) -> AsyncGenerator[None]:
    """Have the workers at work; leaving the context ends them at once.

    Raises ConfigError if none can be.
    """
    try:
        await fleet.start()
        yield
    finally:
        await fleet.sink()
