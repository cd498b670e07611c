"""A desk on a store of its own, as `control` puts it together."""

import itertools
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from understudy.server.domain.experiments import Roster
from understudy.server.experiments.desk import Desk
from understudy.server.experiments.following import Follower
from understudy.server.routing.groups import find_group
from understudy.server.store import open_store
from understudy.server.store.keeping import ExperimentStore
from understudy.server.store.snapshots import Snapshots

from .making import LIVE


@dataclass(slots=True)
class Office:
    """A host's store, follower and desk, and the revisions that its serving part was given."""

    store: ExperimentStore
    follower: Follower
    desk: Desk
    used: list[int] = field(default_factory=list[int])


@asynccontextmanager
async def office(folder: Path) -> AsyncGenerator[Office]:
    """Open a desk that follows the store in a folder, at first without a poll."""
    store = open_store(None, folder)
    used: list[int] = []

    async def publish(roster: Roster) -> None:
        used.append(roster.revision)

    async def tell(_: Follower) -> None:
        pass

    follower = Follower(store, Snapshots(folder), publish, tell)
    clock = itertools.count(1_000_000)
    salts = itertools.count()
    desk = Desk(
        store,
        follower,
        snapshot=lambda: LIVE,
        find=lambda snapshot: partial(find_group, snapshot),
        now=lambda: next(clock),
        new_salt=lambda: f"salt-{next(salts)}",
    )
    await follower.begin()
    try:
        yield Office(store, follower, desk, used)
    finally:
        store.close()
