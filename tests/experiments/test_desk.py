"""The story of one change: decided on what is stored, and in use when it is told."""

import asyncio
from pathlib import Path

import pytest

from understudy.server.domain.experiments import Experiment, State
from understudy.server.errors import Reason, RefusedError, RequestError, UnderstudyError
from understudy.server.experiments import desk as desk_module
from understudy.server.experiments.desk import Desk

from .desks import office
from .making import draft, weighed

pytestmark = pytest.mark.asyncio

SPLIT = {"gpt-4": 0.8, "llama-2": 0.2}


async def begin(desk: Desk) -> str:
    """Create and start `exp-1`; return its etag."""
    created = await desk.create(draft(), actor="ann")
    return (await desk.start(created.id, etag=created.etag, actor="ann")).etag


async def test_a_change_is_in_use_when_it_is_told(tmp_path: Path) -> None:
    async with office(tmp_path) as one:
        created = await one.desk.create(draft(), actor="ann")
        assert one.used[-1] == created.revision == one.desk.roster.revision
        started = await one.desk.start(created.id, etag=created.etag, actor="ann")
        assert one.used[-1] == started.revision
        assert one.desk.get("exp-1") == started


async def test_each_run_has_a_salt_of_its_own(tmp_path: Path) -> None:
    async with office(tmp_path) as one:
        await begin(one.desk)
        first = one.desk.get("exp-1")
        ended = await one.desk.rollback("exp-1", cause="bad", actor="ann")
        again = await one.desk.start("exp-1", etag=ended.etag, actor="ann")

        assert again.assignment.salt != first.assignment.salt


async def test_what_changes_nothing_uses_up_no_revision(tmp_path: Path) -> None:
    async with office(tmp_path) as one:
        await begin(one.desk)
        ended = await one.desk.rollback("exp-1", cause="", actor="ann")

        assert await one.desk.rollback("exp-1", cause="again", actor="bob") == ended
        assert one.desk.roster.revision == ended.revision


async def test_checking_only_stores_nothing_and_says_the_same(tmp_path: Path) -> None:
    async with office(tmp_path) as one:
        etag = await begin(one.desk)
        wanted = weighed(one.desk.get("exp-1"), {"a": 5000, "b": 5000})

        async def update(*, validate_only: bool) -> tuple[Experiment, int]:
            return await one.desk.update(
                wanted,
                etag=etag,
                paths=["variants"],
                populated=[],
                actor="ann",
                validate_only=validate_only,
            )

        would, moved = await update(validate_only=True)
        assert one.desk.get("exp-1").etag == etag
        did, really_moved = await update(validate_only=False)

        assert (would.variants, moved) == (did.variants, really_moved) == (wanted.variants, 3000)


async def test_of_many_who_register_one_does_and_all_find_it(tmp_path: Path) -> None:
    async with office(tmp_path) as one, office(tmp_path) as other:
        await asyncio.gather(
            *(
                where.desk.register("mine", SPLIT, control="", actor=f"caller-{number}")
                for number in range(20)
                for where in (one, other)
            )
        )

        assert one.desk.get("mine") == other.desk.get("mine")
        assert (one.desk.get("mine").state, one.desk.get("mine").runs) == (State.RUNNING, 1)
        assert one.desk.roster.revision == 2


async def test_somebody_who_makes_up_ids_is_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk_module, "MOST_REGISTERED", 3)
    async with office(tmp_path) as one:
        for number in range(3):
            await one.desk.register(f"made-up-{number}", SPLIT, control="", actor="ann")
        with pytest.raises(RefusedError) as caught:
            await one.desk.register("made-up-3", SPLIT, control="", actor="ann")

        assert caught.value.reason is Reason.OVERLOADED
        await one.desk.create(draft(), actor="ann")  # an operator still may


async def test_what_is_not_there_is_not_found(tmp_path: Path) -> None:
    async with office(tmp_path) as one:
        for call in (
            one.desk.rollback("none", cause="", actor="ann"),
            one.desk.start("none", etag='"1"', actor="ann"),
            one.desk.delete("none", etag='"1"', actor="ann"),
        ):
            with pytest.raises(UnderstudyError) as caught:
                await call
            assert caught.value.reason is Reason.EXPERIMENT_NOT_FOUND


async def test_a_caller_cannot_register_what_may_not_be(tmp_path: Path) -> None:
    async with office(tmp_path) as one:
        for experiment_id, models in (("no id", SPLIT), ("x", {"gpt-4": 1.0}), ("x", {})):
            with pytest.raises(RequestError):
                await one.desk.register(experiment_id, models, control="", actor="ann")
        assert one.desk.roster.revision == 1
