"""A SQLite file that is locked, cannot be written, is damaged, or is replaced (P-2 to P-4)."""

import asyncio
import sqlite3
import time
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

import grpc
import pytest

from understudy.server.store.keeping import FILE

from ..service.asking import Told, prompt
from ..service.running import Demo
from .before import prepare
from .disks import copy, damage, filled, limited, read_only, restore, small_disk
from .hosts import SIMULATED, Line, experiment, hold, host, line, refused
from .load import load
from .test_store_away import BOUND, EXPERIMENTS, change_again, check_calm, is_told, tell

Print = Callable[[str], None]


@pytest.fixture
def figures(
    record_property: Callable[[str, object], None], capsys: pytest.CaptureFixture[str]
) -> Print:
    """Prints figures."""
    return lambda told: tell(record_property, capsys, told)


async def suffer(
    at: Line, trouble: AbstractContextManager[None], seconds: float, figures: Print, what: str
) -> Told:
    """Ask through some trouble with the store, and try to change something; return the refusal."""
    async with load(at) as before:
        await hold(min(seconds, 3))
    async with load(at) as during:
        started = time.monotonic()
        with trouble:
            told, took = await refused(at.rename("never"))
            await hold(max(0.0, started + seconds - time.monotonic()))
            lasted = time.monotonic() - started
        back = await change_again(at)
    figures(
        f"{what} for {lasted:.1f} s: {during} (before: {before}); a change refused after "
        f"{took:.2f} s, taken again after {back:.2f} s: {told.message}"
    )
    assert during.failures == []
    assert took < BOUND
    assert back < 2.0
    check_calm(during)
    return told


@contextmanager
def locked(file: Path) -> Generator[None]:
    """Hold SQLite's lock, from another process than the service's."""
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()


@pytest.mark.asyncio
@pytest.mark.parametrize("seconds", [5, pytest.param(10, marks=pytest.mark.proof)])
async def test_a_locked_database_costs_no_completion(
    seconds: float, tmp_path: Path, figures: Print
) -> None:
    """P-3."""
    with host(SIMULATED, tmp_path) as one:
        async with line(one.target) as at:
            await at.run(experiment(2))
            trouble = locked(tmp_path / "state" / FILE)
            told = await suffer(at, trouble, seconds, figures, "database locked")

    assert (told.code, told.reason) == (grpc.StatusCode.UNAVAILABLE, "STORE_UNAVAILABLE")
    assert "database is locked" in told.message


@pytest.mark.asyncio
@pytest.mark.parametrize("disk", ["limit", "tmpfs"])
async def test_a_full_disk_costs_no_completion(disk: str, tmp_path: Path, figures: Print) -> None:
    """P-2."""
    with ExitStack() as stack:
        state = tmp_path / "disk"
        if disk == "tmpfs":
            stack.enter_context(small_disk(state))
        one = stack.enter_context(host(SIMULATED, tmp_path, state=state))
        async with line(one.target) as at:
            await at.run(experiment(2))
            trouble = filled(state) if disk == "tmpfs" else limited(one.process.pid)
            told = await suffer(at, trouble, 2, figures, f"disk full ({disk})")

    assert (told.code, told.reason) == (grpc.StatusCode.UNAVAILABLE, "STORE_UNAVAILABLE")
    assert "disk" in told.message


@pytest.mark.asyncio
async def test_a_start_on_a_disk_that_may_not_be_written_serves_what_was_seen(
    tmp_path: Path,
) -> None:
    """P-2."""
    with small_disk(tmp_path / "disk") as state:
        revision = prepare(state)
        with read_only(state), host(SIMULATED, tmp_path, state=state) as one:
            async with line(one.target) as at:
                answer = await at.completions.CreateCompletion(prompt(experiment="x"))
                told, _ = await refused(at.rename("never"))
            one.stop()
        with host(SIMULATED, tmp_path, state=state) as one:
            async with line(one.target) as at:
                assert (await at.rename("again")).title == "again"

    assert answer.routing.config_revision == revision
    assert (told.code, told.reason) == (grpc.StatusCode.UNAVAILABLE, "STORE_UNAVAILABLE")


def errors(one: Demo) -> list[str]:
    return [told for told in one.log if '"level": "error"' in told]


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "how", ["flipped", "truncated", "without-head", "edited", "emptied", "deleted"]
)
async def test_a_damaged_database_never_resets_experiments(
    how: str, tmp_path: Path, figures: Print
) -> None:
    """P-4."""
    revision = prepare(tmp_path / "state")
    damage(tmp_path / "state", how)
    with host(SIMULATED, tmp_path) as one:
        async with line(one.target) as at:
            answer = await at.completions.CreateCompletion(prompt(experiment="x"))
            told, _ = await refused(at.rename("never"))
            assert not await at.is_serving(EXPERIMENTS)
            assert await at.is_serving("")

    figures(f"database {how}: {told.message}")
    assert answer.routing.config_revision == revision
    assert (told.code, told.reason) == (grpc.StatusCode.UNAVAILABLE, "STORE_UNAVAILABLE")
    assert len(errors(one)) == 1  # once, and not at each poll
    assert "what was seen last goes on serving" in errors(one)[0]


@pytest.mark.asyncio
@pytest.mark.parametrize("how", ["flipped", "truncated", "without-head", "edited"])
async def test_a_damaged_database_without_a_memory_of_it_is_not_served(
    how: str, tmp_path: Path
) -> None:
    """P-4."""
    prepare(tmp_path / "state")
    damage(tmp_path / "state", how)
    (tmp_path / "state/experiments.json").unlink()
    with host(SIMULATED, tmp_path) as one:
        async with line(one.target) as at:
            assert not await at.is_serving("")
            told, _ = await refused(at.completions.CreateCompletion(prompt(experiment="x")))

    assert told.code is grpc.StatusCode.UNAVAILABLE
    assert len(errors(one)) == 1


@pytest.mark.asyncio
@pytest.mark.parametrize("waits", [True, False])
async def test_a_change_on_a_database_restored_from_a_copy_serves(
    waits: bool, tmp_path: Path
) -> None:
    revision = prepare(tmp_path / "state")
    copy(tmp_path / "state", tmp_path / "copy")
    with host(SIMULATED, tmp_path) as one:
        async with line(one.target) as at:
            for title in ("1", "2", "3"):
                newest = (await at.rename(title)).revision
            assert newest == revision + 3
            etag = f'"{revision}"'
            await asyncio.to_thread(restore, tmp_path / "state", tmp_path / "copy")
            while waits and (await at.get()).revision > revision:
                await asyncio.sleep(0.02)
            changed = await at.update(experiment(1, etag=etag), "variants")
            answer = await at.completions.CreateCompletion(prompt(experiment="x"))
            served = await at.get()

    assert changed.revision == revision + 1
    assert answer.routing.config_revision == revision + 1
    assert served == changed
    told = f"went back from revision {newest} to "
    assert len([line for line in errors(one) if told in line]) == 1


@pytest.mark.asyncio
async def test_a_database_deleted_from_under_a_service_takes_no_changes(tmp_path: Path) -> None:
    revision = prepare(tmp_path / "state")
    with host(SIMULATED, tmp_path) as one:
        async with line(one.target) as at:
            damage(tmp_path / "state", "deleted")
            await is_told(at, serving=False, within=2)
            told, _ = await refused(at.rename("never"))
            answer = await at.completions.CreateCompletion(prompt(experiment="x"))

    assert told.reason == "STORE_UNAVAILABLE"
    assert "it was lost or replaced" in told.message
    assert answer.routing.config_revision == revision
