"""What serves keeps in step with the store, and goes on without it."""

import asyncio
import sqlite3
import threading
from pathlib import Path

import pytest

from understudy.server.domain.experiments import Experiment, Roster
from understudy.server.errors import RefusedError
from understudy.server.experiments.following import Follower
from understudy.server.experiments.lanes import Lane
from understudy.server.store import open_store
from understudy.server.store.snapshots import Snapshots

from ..store.making import Decide, creation, renaming

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


async def test_an_answer_that_was_overtaken_is_not_used(tmp_path: Path) -> None:
    host = Host(tmp_path)
    await host.follower.begin()
    since = host.follower.roster
    _, older = await asyncio.to_thread(host.store.change, creation(), actor="ann", instant=1)
    _, newer = await asyncio.to_thread(host.store.change, creation("y"), actor="ann", instant=1)
    await host.follower.take(newer, since)

    await host.follower.take(older, since)
    await host.follower.take(newer, since)

    assert host.used == [since.revision, newer.revision]
    assert host.follower.rewinds == 0


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
    since, rosters = host.follower.roster, [roster]
    for number in range(5):
        rename = renaming("x", f"title {number}", rosters[-1].experiments["x"].etag)
        rosters.append(
            (await asyncio.to_thread(host.store.change, rename, actor="ann", instant=1))[1]
        )

    await asyncio.gather(*(host.follower.take(one, since) for one in reversed(rosters)))

    assert host.used == sorted(set(host.used))
    assert host.follower.roster == rosters[-1]


def restore(folder: Path, copied: Path) -> None:
    """Put a copy in the place of a database in use."""
    for companion in ("-wal", "-shm"):
        (folder / f"experiments.db{companion}").unlink(missing_ok=True)
    copied.rename(folder / "experiments.db")


async def make(host: Host, decide: Decide) -> Experiment:
    change = await host.follower.change(decide, actor="ann", instant=1)
    assert change.after is not None
    return change.after


async def test_a_store_that_went_back_is_followed_and_what_is_changed_in_it_serves(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    host = Host(tmp_path)
    await host.follower.begin()
    first = await make(host, creation())
    with sqlite3.connect(tmp_path / "experiments.db") as source:
        source.execute("VACUUM INTO ?", (str(tmp_path / "copy"),))
    source.close()
    await make(host, renaming("x", "lost", first.etag))
    restore(tmp_path, tmp_path / "copy")

    # The same revision as the one that is lost, and yet another change.
    kept = await make(host, renaming("x", "kept", first.etag))

    assert kept.revision == host.used[-1] == host.used[-2]
    assert host.follower.roster.experiments == {"x": kept}
    assert host.follower.rewinds == 1
    assert "went back from revision 3 to 3" in caplog.text
    await host.follower.look()
    assert host.follower.rewinds == 1


async def test_an_emptied_store_is_neither_followed_nor_changed(tmp_path: Path) -> None:
    host = Host(tmp_path)
    await host.follower.begin()
    known = await make(host, creation())
    for file in tmp_path.glob("experiments.db*"):
        file.unlink()

    await host.follower.look()
    with pytest.raises(RefusedError, match=r"lost or replaced.*delete .*experiments\.json"):
        await make(host, creation("y"))

    assert host.follower.is_away
    assert host.follower.roster.experiments == {"x": known}
    assert host.store.load() == Roster(1)


async def test_a_store_that_hangs_holds_up_only_so_many() -> None:
    lane, begun, over = Lane("test", patience=0.05), threading.Event(), threading.Event()

    def hang() -> None:
        begun.set()
        over.wait(timeout=10)

    try:
        hanging = asyncio.create_task(lane.run(hang))
        await asyncio.to_thread(begun.wait, 10)
        with pytest.raises(RefusedError, match="does not keep up"):
            await lane.run(lambda: True)
        hanging.cancel()  # who gives up leaves the thread busy
        with pytest.raises(RefusedError, match="does not keep up"):
            await lane.run(lambda: True)
    finally:
        over.set()

    assert await lane.run(lambda: "free again") == "free again"
    lane.close()
