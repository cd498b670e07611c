"""C-3, D-6: of changes made at once one wins; clocks that jump change nothing."""

import asyncio
import itertools
from collections import Counter
from functools import partial
from pathlib import Path

import grpc
import pytest

from understudy.server.domain.experiments import Roster
from understudy.server.experiments.desk import Desk
from understudy.server.experiments.following import Follower
from understudy.server.routing.groups import find_group
from understudy.server.servicers.read_experiment import read_experiment
from understudy.server.store import open_store
from understudy.server.store.snapshots import Snapshots

from ..postgresql import database
from ..service.asking import told
from .before import SNAPSHOT
from .hosts import SIMULATED, experiment, host, line


@pytest.mark.asyncio
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_of_a_hundred_updates_on_one_etag_one_wins(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    made = database(request.getfixturevalue("postgresql")) if kind == "postgresql" else None
    url = made.__enter__() if made is not None else None
    if made is not None:
        request.addfinalizer(lambda: made.__exit__(None, None, None))
    with host(SIMULATED, tmp_path, url) as one:
        async with line(one.target) as at:
            etag = (await at.run(experiment(0))).etag

            async def update(nonce: int) -> str:
                try:
                    await at.update(experiment(nonce, etag=etag), "title", "variants")
                except grpc.aio.AioRpcError as error:
                    why = told(error)
                    return f"{why.code.name} {why.reason}"
                return f"OK {nonce}"

            ends = Counter(await asyncio.gather(*(update(nonce) for nonce in range(1, 101))))
            left = await at.get()
            entries = await at.audit()

    assert ends.pop("ABORTED ETAG_MISMATCH") == 99
    (winner,) = ends
    assert winner == f"OK {left.title}"
    assert [one.action for one in entries] == [
        "UpdateExperiment",
        "StartExperiment",
        "CreateExperiment",
    ]


HOUR = 3_600_000_000  # microseconds


@pytest.mark.asyncio
async def test_a_wall_clock_that_jumps_does_not_disturb_the_order_of_changes(
    tmp_path: Path,
) -> None:
    """D-6: an hour on, and two back, between any two changes."""
    store, used = open_store(None, tmp_path), list[int]()
    instants = itertools.accumulate(itertools.cycle((HOUR, -2 * HOUR, 3)), initial=10 * HOUR)

    async def use(roster: Roster) -> None:
        used.append(roster.revision)

    async def tell(_: Follower) -> None:
        pass

    follower = Follower(store, Snapshots(tmp_path), use, tell)
    desk = Desk(
        store,
        follower,
        snapshot=lambda: SNAPSHOT,
        find=lambda current: partial(find_group, current),
        now=partial(next, instants),
        new_salt=lambda: "salt",
    )
    await follower.begin()
    made = await desk.create(read_experiment(experiment(0), "x"), actor="ann")
    made = await desk.start("x", etag=made.etag, actor="ann")
    updated = [made.updated]
    for nonce in range(1, 10):
        wanted = read_experiment(experiment(nonce), "x")
        made, _ = await desk.update(
            wanted, etag=made.etag, paths=("title", "variants"), populated=(), actor="ann"
        )
        updated.append(made.updated)
    made = await desk.rollback("x", cause="it lost", actor="ann")
    entries = await desk.follow(0)
    follower.close()
    tampered = store.find_tampering()
    store.close()

    assert updated == sorted(updated)
    assert all(one.ended is not None and one.ended >= one.started for one in made.epochs)
    assert [one.number for one in made.epochs] == list(range(1, 11))
    assert used == sorted(set(used))
    assert [one.revision for one in entries] == used[1:][: len(entries)]
    assert tampered is None
