"""Keeps what serves in step with the store: at the start, after each change, and by a poll.

The store may be away at any time, from the start on: what was seen last goes on serving, and
nobody who asks for a completion waits for it. Making changes is `desk`'s.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final, TypeVar

from understudy.server.domain.experiments import Roster
from understudy.server.errors import Reason, RefusedError
from understudy.server.experiments.changes import Change
from understudy.server.experiments.lanes import Lane
from understudy.server.experiments.seams import Memory, Store

T = TypeVar("T")

POLL: Final = 0.15  # seconds; other hosts follow within one second
_NEW: Final = 1  # the revision of a store in which nothing was ever changed
_LONGEST_SAVE: Final = 1.0  # seconds that a change waits until its outcome is in the file too

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
        self._saved: Roster | None = None
        self._known = Roster(0)  # in use, or until something is what the memory holds
        self._rewinds = 0
        self._is_away = False
        self._turn = asyncio.Lock()
        self._changed = asyncio.Event()
        # The poll finds out whether the store is there, so it waits behind nobody. Changes go
        # one at a time: the store would make them wait for each other anyway, less fairly.
        self._polls = Lane("experiments-poll")
        self._questions = Lane("experiments-ask", threads=2)
        self._changes = Lane("experiments-change")
        self._saves = Lane("experiments-save")

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

    @property
    def rewinds(self) -> int:
        """How often the store went back in time, so that revisions began to mean other things."""
        return self._rewinds

    async def begin(self) -> None:
        """Use what the store has, or what was seen last while it is away."""
        kept = await self._saves.run(self._memory.load)
        self._known = kept or self._known
        await self.look()
        if self._roster is None and kept is not None:
            _LOG.warning("serving the experiments that were seen last, of %d", kept.revision)
            self._saved = kept
            await self._use(kept)
        await self._keep()

    async def run(self) -> None:
        """Follow the store until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._keep_looking())
            group.create_task(self._keep_keeping())

    async def look(self) -> None:
        """Look once whether anything changed, use it, and note whether the store is there."""
        since = self._roster
        try:
            found = await self._polls.run(lambda: self._find_news(since))
            if found is not None:
                await self.take(found, since)
        except RefusedError as error:
            await self._note(away=True, cause=error.message)
        else:
            await self._note(away=False)

    async def ask(self, question: Callable[[], T]) -> T:
        """Ask the store in a thread. Raises what it raises, RefusedError if it is away."""
        return await self._questions.run(question)

    async def change(
        self, decide: Callable[[Roster, int], Change], *, actor: str, instant: int
    ) -> Change:
        """Have the store make a change; return when every serving part of this host uses it."""

        def decide_on_truth(roster: Roster, revision: int) -> Change:
            self._check(roster)
            return decide(roster, revision)

        def make() -> tuple[Change, Roster]:
            return self._store.change(decide_on_truth, actor=actor, instant=instant)

        since = self._roster
        change, roster = await self._changes.run(make)
        await self.take(roster, since)
        await self._keep()
        return change

    async def take(self, roster: Roster, since: Roster | None) -> None:
        """Use what the store answered, unless something newer is in use.

        `since` is what was in use when the store was asked: what is older than that is no answer
        that was overtaken, but a store that went back in time, such as one restored from a copy.
        It is believed, or what is changed in it would never serve. Returns when every serving
        part uses it.
        """
        async with self._turn:
            if roster.revision <= self._known.revision and roster != self._known:
                if self._roster is not since:
                    # Meanwhile something else came into use. Nothing can while we ask again.
                    roster = await self._questions.run(self._load)
                if roster != self._known and roster.revision <= self._known.revision:
                    self._rewinds += 1
                    _LOG.error("%s", _tell_rewind(self._known, roster))
            if roster == self._roster:
                return
            await self._use(roster)

    async def wait_beyond(self, revision: int, timeout: float) -> bool:
        """Wait until something newer than a revision is in use; return whether it is."""
        changed = self._changed
        if self.roster.revision <= revision:
            try:
                async with asyncio.timeout(timeout):
                    await changed.wait()
            except TimeoutError:
                return False
        return self.roster.revision > revision

    def close(self) -> None:
        """Ask nothing more."""
        for lane in (self._polls, self._questions, self._changes, self._saves):
            lane.close()

    async def _keep_looking(self) -> None:
        while True:
            await asyncio.sleep(POLL)
            try:
                await self.look()
            except Exception:  # noqa: BLE001 - whoever stops following serves what is long gone
                _LOG.exception("following the store of experiments failed; it is tried again")

    async def _keep_keeping(self) -> None:
        # Apart from looking, which must go on while the disk hangs.
        while True:
            await asyncio.sleep(_LONGEST_SAVE)
            if self._saved is not self._roster:
                await self._keep()

    async def _use(self, roster: Roster) -> None:
        await self._publish(roster)
        was_ready, self._roster, self._known = self.is_ready, roster, roster
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()
        if not was_ready:
            await self._tell(self)

    async def _keep(self) -> None:
        """Have what is in use kept for a start without the store; a slow disk is not waited for."""
        with suppress(TimeoutError, RefusedError):
            async with asyncio.timeout(_LONGEST_SAVE):
                await self._saves.run(self._save)

    def _save(self) -> None:
        roster = self._roster  # the newest, so that of many changes at once one is written
        if roster is not None and roster is not self._saved and self._memory.save(roster):
            self._saved = roster

    def _find_news(self, since: Roster | None) -> Roster | None:
        if since is not None:
            revision = self._store.revision()
            self._check(Roster(revision))
            if revision == since.revision:
                return None
        return self._load()

    def _load(self) -> Roster:
        roster = self._store.load()
        self._check(roster)
        return roster

    def _check(self, roster: Roster) -> None:
        """Raise RefusedError for a store that was emptied: that is no change that anybody made."""
        if roster.revision > _NEW or not self._known.experiments:
            return
        raise RefusedError(
            Reason.STORE_UNAVAILABLE,
            f"the store of experiments is empty, but {len(self._known.experiments)} were seen in "
            f"it at revision {self._known.revision}: it was lost or replaced. Restore it; or to "
            f"begin anew, stop, delete {self._memory.place} and start",
        )

    async def _note(self, *, away: bool, cause: str = "") -> None:
        if away == self._is_away:
            return
        self._is_away = away
        if away:
            seen = "what was seen last goes on serving"
            _LOG.error(
                "%s; %s", cause, seen if self._known.revision else "nothing serves until then"
            )
        else:
            _LOG.warning("the store of experiments is back")
        await self._tell(self)


def _tell_rewind(known: Roster, found: Roster) -> str:
    lost = sorted(known.experiments.keys() - found.experiments.keys())
    told = f"; experiments that serve no more: {', '.join(lost)}" if lost else ""
    return (
        f"the store of experiments went back from revision {known.revision} to {found.revision}, "
        f"as one does that is restored from a copy; it is followed{told}"
    )
