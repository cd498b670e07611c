"""What serves keeps in step with the store, and goes on without it."""

import asyncio
from pathlib import Path

import pytest

from understudy.server.domain.experiments import Roster
from understudy.server.errors import RefusedError
from understudy.server.experiments.following import Follower
from understudy.server.store import open_store
from understudy.server.store.snapshots import Snapshots

from ..store.making import creation, renaming

pytestmark = pytest.mark.asyncio


class Host:
    """A host's serving parts, and what they were told."""

    def __init__(self, folder: Path) -> None:
        self.store = open_store(None, folder)
        self.snapshots = Snapshots(folder)
        self.used: list[int] = []
        self.told: list[tuple[bool, bool]] = []
        self.follower = Follower(self.store, self.snapshots, self.use, self.tell)

    async def use(self, roster: Roster) -> None:
        """Serve these from now on."""
        await asyncio.sleep(0)
        self.used.append(roster.revision)

    async def tell(self, follower: Follower) -> None:
        """Take note of how it stands."""
        self.told.append((follower.is_ready, follower.is_away))


async def test_a_change_of_another_host_is_followed_within_a_second(tmp_path: Path) -> None:
    host, other = Host(tmp_path), open_store(None, tmp_path)
    await host.follower.begin()
    following = asyncio.create_task(host.follower.run())

    change, _ = await asyncio.to_thread(other.change, creation(), actor="ann", instant=1)
    assert await host.follower.wait_beyond(1, timeout=1.0)

    assert host.used == [1, 2]
    assert host.follower.roster.experiments == {"x": change.after}
    following.cancel()


async def test_an_older_roster_is_not_used(tmp_path: Path) -> None:
    host = Host(tmp_path)
    await host.follower.take(Roster(5))

    await host.follower.take(Roster(4))
    await host.follower.take(Roster(5))

    assert host.used == [5]


async def test_while_the_store_is_away_what_was_seen_last_serves(tmp_path: Path) -> None:
    host = Host(tmp_path)
    await host.follower.begin()
    (tmp_path / "experiments.db").rename(tmp_path / "elsewhere")
    host.store.close()
    (tmp_path / "experiments.db").mkdir()

    await host.follower.look()
    with pytest.raises(RefusedError):
        await host.follower.ask(host.store.load)

    assert host.follower.is_away
    assert host.follower.is_ready
    assert host.told == [(True, False), (True, True)]


async def test_a_start_without_the_store_goes_by_what_a_process_before_has_seen(
    tmp_path: Path,
) -> None:
    first = Host(tmp_path)
    await asyncio.to_thread(first.store.change, creation(), actor="ann", instant=1)
    await first.follower.begin()
    first.store.close()
    for file in tmp_path.glob("experiments.db*"):
        file.unlink()
    (tmp_path / "experiments.db").mkdir()

    second = Host(tmp_path)
    await second.follower.begin()

    assert second.follower.is_ready
    assert second.follower.is_away
    assert list(second.follower.roster.experiments) == ["x"]


async def test_without_store_and_memory_nothing_is_ready_until_the_store_is_back(
    tmp_path: Path,
) -> None:
    (tmp_path / "experiments.db").mkdir()
    host = Host(tmp_path)
    await host.follower.begin()
    assert not host.follower.is_ready

    (tmp_path / "experiments.db").rmdir()
    await host.follower.look()

    assert host.follower.is_ready
    assert host.told[-1] == (True, False)


async def test_changes_made_at_once_are_used_in_order(tmp_path: Path) -> None:
    host = Host(tmp_path)
    await host.follower.begin()
    _, roster = await asyncio.to_thread(host.store.change, creation(), actor="ann", instant=1)
    rosters = [roster]
    for number in range(5):
        rename = renaming("x", f"title {number}", rosters[-1].experiments["x"].etag)
        rosters.append(
            (await asyncio.to_thread(host.store.change, rename, actor="ann", instant=1))[1]
        )

    await asyncio.gather(*(host.follower.take(one) for one in reversed(rosters)))

    assert host.used == sorted(set(host.used))
    assert host.follower.roster == rosters[-1]
