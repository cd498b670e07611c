"""The control part, put together: where experiments are kept, changed, and handed to what serves.

What serves holds snapshots only; here meet the store, the file of what was seen last, and the
desk where changes are made.
"""

import asyncio
import logging
import os
import secrets
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial

from understudy.server.config.settings import Settings
from understudy.server.domain.deployment import Snapshot
from understudy.server.domain.experiments import Roster
from understudy.server.experiments.desk import Desk
from understudy.server.experiments.documents import Document
from understudy.server.experiments.following import Follower
from understudy.server.experiments.lacking import find_lacking
from understudy.server.experiments.seeding import Planter
from understudy.server.routing.groups import find_group
from understudy.server.statedir import find_state_dir
from understudy.server.store import open_store
from understudy.server.store.snapshots import Snapshots

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Control:
    """What changes experiments. `place` says where they are kept, without a password."""

    desk: Desk
    follower: Follower
    place: str
    planter: Planter

    def reload(self, snapshot: Snapshot, seeds: Sequence[Document]) -> None:
        """Compare the experiments with another file: what it lacks, and what it brings along."""
        _warn_of_lacking(self.follower.roster, snapshot)
        self.planter.use(seeds)


@asynccontextmanager
async def running_control(
    settings: Settings,
    *,
    seeds: Sequence[Document] = (),
    snapshot: Callable[[], Snapshot],
    publish: Callable[[Roster], Awaitable[None]],
    tell: Callable[[Follower], Awaitable[None]],
) -> AsyncGenerator[Control]:
    """Follow the store, and take changes, until the context is left.

    `seeds` are planted first if the store is there, else as soon as it is. `snapshot` returns the
    configuration that groups are looked up in. Raises ConfigError for a store that cannot be as
    configured; one that is away is waited for.
    """
    folder = find_state_dir(settings.state_dir, os.environ)
    store = open_store(settings.store.url, folder)

    async def use(roster: Roster) -> None:
        if not follower.is_ready:  # the first, which may come late
            _warn_of_lacking(roster, snapshot())
        await publish(roster)

    follower = Follower(store, Snapshots(folder), use, tell)
    desk = Desk(
        store,
        follower,
        snapshot=snapshot,
        find=lambda current: partial(find_group, current),
        now=lambda: time.time_ns() // 1000,
        new_salt=partial(secrets.token_hex, 16),
    )
    await follower.begin()
    await tell(follower)
    planter = Planter(desk)
    planter.use(seeds)
    await planter.plant()
    tasks = [asyncio.create_task(one.run()) for one in (follower, planter)]
    try:
        yield Control(desk, follower, store.place, planter)
    finally:
        for task in tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        follower.close()
        await asyncio.to_thread(store.close)


def _warn_of_lacking(roster: Roster, snapshot: Snapshot) -> None:
    for told in find_lacking(roster.experiments.values(), partial(find_group, snapshot)):
        _LOG.warning("%s", told)
