"""What the file brings along is planted once, and the store counts afterwards."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial
from itertools import count
from pathlib import Path

import pytest
from msgspec import Raw, structs

from understudy.server.domain.deployment import ModelGroup
from understudy.server.domain.experiments import Experiment, Roster, State
from understudy.server.experiments.desk import Desk
from understudy.server.experiments.documents import Document, read_document
from understudy.server.experiments.following import Follower
from understudy.server.experiments.lacking import find_lacking
from understudy.server.experiments.seeding import Planter, find_differences
from understudy.server.routing.groups import find_group
from understudy.server.store import open_store
from understudy.server.store.keeping import FILE
from understudy.server.store.snapshots import Snapshots

from ..stub.eventually import eventually
from .making import LIVE, find, in_state, weighed

SEED = "understudy.server.experiments.seeding"


class Host:
    """A host that follows a store."""

    def __init__(self, folder: Path, name: str = "host") -> None:
        salts = count()
        self.store = open_store(None, folder)
        self.follower = Follower(self.store, Snapshots(folder / name), _ignore, _ignore)
        self.desk = Desk(
            self.store,
            self.follower,
            snapshot=lambda: LIVE,
            find=lambda current: partial(find_group, current),
            now=lambda: 1_000_000,
            new_salt=lambda: f"salt-{next(salts)}",
        )
        self.planter = Planter(self.desk)

    @property
    def experiments(self) -> dict[str, Experiment]:
        """What serves."""
        return dict(self.follower.roster.experiments)


async def _ignore(_: object) -> None:
    return None


@asynccontextmanager
async def hosting(folder: Path, name: str = "host") -> AsyncGenerator[Host]:
    """A host that follows, and plants what it is given."""
    host = Host(folder, name)
    await host.follower.begin()
    tasks = [asyncio.create_task(one.run()) for one in (host.follower, host.planter)]
    try:
        yield host
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        host.follower.close()
        host.store.close()


def seed(name: str = "mine", state: str = "running", **fields: object) -> Document:
    variants = {"gpt-4": 80, "llama-2": 20}
    return read_document({"experiment": name, "variants": variants, "state": state, **fields})


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [one.getMessage() for one in caplog.records if one.name == SEED]


@pytest.mark.asyncio
async def test_a_seed_that_the_store_lacks_is_created_and_begun(tmp_path: Path) -> None:
    async with hosting(tmp_path) as host:
        host.planter.use([seed(), seed("later", state=""), seed("draft", state="draft")])
        await eventually(lambda: len(host.experiments) == 3)

    found = host.experiments
    assert {name: one.state for name, one in found.items()} == {
        "mine": State.RUNNING,
        "later": State.DRAFT,
        "draft": State.DRAFT,
    }
    assert found["mine"].epochs[0].cause
    assert found["mine"].assignment.salt


@pytest.mark.asyncio
async def test_a_planted_seed_says_nothing_more(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with hosting(tmp_path) as host:
        for _ in range(2):
            host.planter.use([seed(title="Mine")])
            await host.planter.plant()
        revision = host.follower.roster.revision

    assert revision == 2
    assert warnings(caplog) == []


@pytest.mark.asyncio
async def test_where_the_store_differs_it_counts_and_that_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with hosting(tmp_path) as host:
        host.planter.use([seed()])
        await host.planter.plant()
        stored = host.experiments["mine"]
        wanted = weighed(stored, {"gpt-4": 5000, "llama-2": 5000})
        await host.desk.update(
            wanted, etag=stored.etag, paths=["variants"], populated=(), actor="ann"
        )
        await host.desk.rollback("mine", cause="", actor="ann")

        host.planter.use([seed()])
        await host.planter.plant()
        weights = [one.weight for one in host.experiments["mine"].variants]

    assert weights == [5000, 5000]
    (told,) = warnings(caplog)
    assert told.startswith("seed 'mine' is not as the store has it, which counts")
    assert told.endswith("(file → store): weights 80/20 → 50/50; running → rolled back")


@pytest.mark.asyncio
async def test_of_two_hosts_that_plant_at_once_one_wins(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with hosting(tmp_path, "one") as one, hosting(tmp_path, "other") as other:
        for host in (one, other):
            host.planter.use([seed(str(number)) for number in range(5)])
        await asyncio.gather(one.planter.plant(), other.planter.plant())
        await eventually(lambda: len(one.experiments) == len(other.experiments) == 5)
        revisions = {host.follower.roster.revision for host in (one, other)}
        same = one.experiments == other.experiments

    assert (revisions, same) == ({6}, True)
    assert warnings(caplog) == []


@pytest.mark.asyncio
async def test_a_seed_whose_group_is_taken_is_not_planted_at_all(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with hosting(tmp_path) as host:
        host.planter.use([seed("first", model_group="gpt-4"), seed(model_group="gpt-4")])
        await host.planter.plant()

    assert list(host.experiments) == ["first"]
    (told,) = warnings(caplog)
    assert told.startswith("seed 'mine' is not planted: experiment 'first' has taken over 'gpt-4'")


@pytest.mark.asyncio
async def test_seeds_wait_for_a_store_that_is_away(tmp_path: Path) -> None:
    (tmp_path / FILE).mkdir()
    async with hosting(tmp_path) as host:
        host.planter.use([seed()])
        await host.planter.plant()
        assert (host.experiments, host.follower.is_away) == ({}, True)

        (tmp_path / FILE).rmdir()
        await eventually(lambda: "mine" in host.experiments, within=20)


@pytest.mark.asyncio
async def test_a_later_file_takes_the_place_of_what_waits(tmp_path: Path) -> None:
    (tmp_path / FILE).mkdir()
    async with hosting(tmp_path) as host:
        host.planter.use([seed("old")])
        await host.planter.plant()
        host.planter.use([seed("new")])

        (tmp_path / FILE).rmdir()
        await eventually(lambda: bool(host.experiments), within=20)

    assert list(host.experiments) == ["new"]


def test_differences_do_not_hang_on_how_json_is_written() -> None:
    variants = {"gpt-4": 1, "llama-2": {"weight": 1, "params": {"stop": ["a", "b"]}}}
    document = read_document({"experiment": "x", "variants": variants})
    arm = document.experiment.variants[1]
    spaced = structs.replace(arm.overrides, params={"stop": Raw(b'[ "a",  "b" ]')})
    stored = structs.replace(
        document.experiment,
        variants=(document.experiment.variants[0], structs.replace(arm, overrides=spaced)),
    )

    assert list(find_differences(document, stored)) == []


def test_a_title_is_a_difference_too() -> None:
    document = seed(title="Ours")
    stored = structs.replace(document.experiment, title="Theirs", state=State.RUNNING)

    assert list(find_differences(document, stored)) == ["title"]


def lacking(one: Experiment, *there: str) -> list[str]:
    def find_there(name: str) -> ModelGroup:
        return find(name if name in there else "gone")

    return list(find_lacking([one], find_there))


def test_a_group_that_has_gone_is_named_with_its_experiment() -> None:
    running = structs.replace(in_state(State.RUNNING), model_group="gpt-4")

    gone, tail = "which is not in the file", ": its calls fail"
    assert lacking(running, "gpt-4") == [
        f"experiment 'exp-1' variant 'b' names model group 'llama-2', {gone}{tail}"
    ]
    assert lacking(running, "llama-2") == [
        f"experiment 'exp-1' has taken over model group 'gpt-4', {gone}",
        f"experiment 'exp-1' variant 'a' names model group 'gpt-4', {gone}{tail}",
    ]


@pytest.mark.parametrize(
    ("state", "there"),
    [
        (State.DRAFT, ()),
        (State.ROLLED_BACK, ("gpt-4",)),
        (State.CONCLUDED, ("llama-2",)),
        (State.RUNNING, ("gpt-4", "llama-2")),
    ],
)
def test_a_group_that_nobody_is_sent_to_may_go(state: State, there: tuple[str, ...]) -> None:
    assert lacking(in_state(state), *there) == []


def test_an_empty_roster_lacks_nothing() -> None:
    assert list(find_lacking(Roster(0).experiments.values(), find)) == []
