"""The control part, put together: where experiments are kept, changed, and handed to what serves.

What serves holds snapshots only; here meet the store, the file of what was seen last, and the
desk where changes are made.
"""

import asyncio
import os
import secrets
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial

from understudy.server.config.settings import Settings
from understudy.server.domain.deployment import Snapshot
from understudy.server.domain.experiments import Roster
from understudy.server.experiments.desk import Desk
from understudy.server.experiments.following import Follower
from understudy.server.routing.groups import find_group
from understudy.server.statedir import find_state_dir
from understudy.server.store import open_store
from understudy.server.store.snapshots import Snapshots


@dataclass(frozen=True, slots=True)
class Control:
    """What changes experiments. `place` says where they are kept, without a password."""

    desk: Desk
    follower: Follower
    place: str


@asynccontextmanager
async def running_control(
    settings: Settings,
    *,
    snapshot: Callable[[], Snapshot],
    publish: Callable[[Roster], Awaitable[None]],
    tell: Callable[[Follower], Awaitable[None]],
) -> AsyncGenerator[Control]:
    """Follow the store, and take changes, until the context is left.

    `snapshot` returns the configuration that groups are looked up in. Raises ConfigError for a
    store that cannot be as configured; one that is away is waited for.
    """
    folder = find_state_dir(settings.state_dir, os.environ)
    store = open_store(settings.store.url, folder)
    follower = Follower(store, Snapshots(folder), publish, tell)
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
    following = asyncio.create_task(follower.run())
    try:
        yield Control(desk, follower, store.place)
    finally:
        following.cancel()
        with suppress(asyncio.CancelledError):
            await following
        await asyncio.to_thread(store.close)
