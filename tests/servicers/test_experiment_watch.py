"""What a watcher is told while nothing happens, and while the store does not answer."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec import structs

from understudy.server.experiments.desk import Desk
from understudy.server.servicers.experiment_watch import HEARTBEAT, watch
from understudy.v1 import experiment_pb2 as pb

from ..experiments.desks import office
from ..experiments.making import draft

pytestmark = pytest.mark.asyncio


async def retitle(desk: Desk, times: int) -> None:
    """Change a title again and again."""
    for number in range(times):
        current = desk.get("exp-1")
        await desk.update(
            structs.replace(current, title=f"title {number}"),
            etag=current.etag,
            paths=["title"],
            populated=[],
            actor="ann",
        )


async def test_a_watch_shows_that_it_lives_while_nothing_happens(tmp_path: Path) -> None:
    assert HEARTBEAT < 15
    async with office(tmp_path) as one:
        created = await one.desk.create(draft(), actor="ann")
        messages = watch(one.desk, created.revision, heartbeat=0.01)

        beats = [await anext(messages) for _ in range(5)]
        await messages.aclose()

    assert all(beat.heartbeat and beat.revision == created.revision for beat in beats)


async def test_a_watcher_is_told_of_nothing_that_does_not_serve_yet(tmp_path: Path) -> None:
    async with office(tmp_path) as one, office(tmp_path) as other:
        await one.desk.create(draft(), actor="ann")
        await other.follower.look()
        messages = watch(other.desk, 2, heartbeat=0.01)
        assert (await anext(messages)).heartbeat

        await retitle(one.desk, 3)
        assert (await anext(messages)).heartbeat  # it is stored, and not followed yet
        await other.follower.look()
        found = [await anext(messages) for _ in range(3)]
        await messages.aclose()

    assert [told.revision for told in found] == [3, 4, 5]


async def test_a_store_that_is_away_ends_no_watch_and_costs_it_no_change(tmp_path: Path) -> None:
    async with office(tmp_path) as one:
        await one.desk.create(draft(), actor="ann")
        messages = watch(one.desk, 2, heartbeat=0.01)
        assert (await anext(messages)).heartbeat
        await retitle(one.desk, 3)

        here, away = tmp_path / "experiments.db", tmp_path / "elsewhere.db"
        one.store.close()
        here.rename(away)
        here.mkdir()  # a folder is no database
        assert (await anext(messages)).heartbeat
        here.rmdir()
        away.rename(here)
        found = [told async for told in take(messages, 3)]
        await messages.aclose()

    assert [told.revision for told in found] == [3, 4, 5]


async def take(
    messages: AsyncIterator[pb.WatchExperimentsResponse], count: int
) -> AsyncIterator[pb.WatchExperimentsResponse]:
    """Yield so many changes, heartbeats left out."""
    while count:
        told = await anext(messages)
        if not told.heartbeat:
            count -= 1
            yield told


async def test_a_slow_watcher_holds_a_few_changes_and_misses_none(tmp_path: Path) -> None:
    async with office(tmp_path) as one:
        await one.desk.create(draft(), actor="ann")
        await retitle(one.desk, 40)
        messages = watch(one.desk, 2)
        await anext(messages)

        first = await anext(messages)
        entries = await one.desk.follow(first.revision)
        assert len(entries) < 40

        found = [told.revision async for told in take(messages, 39)]
        await messages.aclose()

    assert found == list(range(4, 43))
