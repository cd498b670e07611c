"""Keeps what serves in step with the store: at the start, after each change, and by a poll.

The store may be away at any time, from the start on: what was seen last goes on serving, and
nobody who asks for a completion waits for it. Making changes is `desk`'s.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from understudy.server.domain.experiments import Roster
from understudy.server.errors import RefusedError
from understudy.server.experiments.seams import Memory, Store

T = TypeVar("T")

POLL: Final = 0.25  # seconds; other hosts follow within one second

_LOG = logging.getLogger(__name__)


class Follower:
    """The experiments in use, and whether the store can be reached.

    `publish` makes every serving part of this host use a roster, and returns when all do.
    `tell` is called whenever `is_ready` or `is_away` may have changed.
    """

    def __init__(
        self,
        store: Store,
        memory: Memory,
        publish: Callable[[Roster], Awaitable[None]],
        tell: Callable[["Follower"], Awaitable[None]],
    ) -> None:
        self._store = store
        self._memory = memory
        self._publish = publish
        self._tell = tell
        self._roster: Roster | None = None
        self._is_away = False
        self._turn = asyncio.Lock()
        self._changed = asyncio.Event()

    @property
    def roster(self) -> Roster:
        """The experiments in use; none at revision 0 before anything was seen."""
        return self._roster or Roster(0)

    @property
    def is_ready(self) -> bool:
        """Whether the store was seen, or what a process before us has seen of it."""
        return self._roster is not None

    @property
    def is_away(self) -> bool:
        """Whether the store cannot be reached."""
        return self._is_away

    async def begin(self) -> None:
        """Use what the store has, or what was seen last while it is away."""
        await self.look()
        if self._roster is None:
            kept = await asyncio.to_thread(self._memory.load)
            if kept is not None:
                _LOG.warning("serving the experiments that were seen last, of %d", kept.revision)
                await self.take(kept, save=False)

    async def run(self) -> None:
        """Follow the store until cancelled."""
        while True:
            await asyncio.sleep(POLL)
            await self.look()

    async def look(self) -> None:
        """Look once whether anything changed, and use it."""
        try:
            if self._roster is None or self._roster.revision != await self.ask(
                self._store.revision
            ):
                await self.take(await self.ask(self._store.load))
        except RefusedError:
            return  # noted by `ask`

    async def ask(self, question: Callable[[], T]) -> T:
        """Ask the store in a thread, and note whether it answered. Raises what it raises."""
        try:
            answer = await asyncio.to_thread(question)
        except RefusedError as error:
            await self._note(away=True, cause=error.message)
            raise
        await self._note(away=False)
        return answer

    async def take(self, roster: Roster, *, save: bool = True) -> None:
        """Use a roster, unless a newer one is in use. Returns when every serving part uses it."""
        async with self._turn:
            if self._roster is not None and roster.revision <= self._roster.revision:
                return
            await self._publish(roster)
            was_ready, self._roster = self.is_ready, roster
            changed, self._changed = self._changed, asyncio.Event()
            changed.set()
        if not was_ready:
            await self._tell(self)
        if save:
            await asyncio.to_thread(self._memory.save, roster)

    async def wait_beyond(self, revision: int, timeout: float) -> bool:
        """Wait until something newer than a revision is in use; return whether it is."""
        changed = self._changed
        if self.roster.revision <= revision:
            try:
                await asyncio.wait_for(changed.wait(), timeout)
            except TimeoutError:
                return False
        return self.roster.revision > revision

    async def _note(self, *, away: bool, cause: str = "") -> None:
        if away == self._is_away:
            return
        self._is_away = away
        if away:
            _LOG.warning("%s; what was seen last goes on serving", cause)
        else:
            _LOG.warning("the store of experiments is back")
        await self._tell(self)
