"""A PostgreSQL that is stopped, or that hangs: completions go on, changes are refused in time."""

import asyncio
import time
from collections.abc import Callable, Generator
from contextlib import ExitStack
from pathlib import Path

import grpc
import pytest

from ..postgresql import Server, server
from ..service.asking import prompt
from ..service.test_keeping import measure
from .hosts import SIMULATED, Line, experiment, hold, host, line, refused
from .load import Figures, load

COMPLETIONS = "understudy.v1.CompletionService"
EXPERIMENTS = "understudy.v1.ExperimentService"
BOUND = 12.0  # seconds within which a change is refused
BACK = 2.0  # seconds after which changes are taken again
SECONDS = [3, pytest.param(30, marks=pytest.mark.proof)]


@pytest.fixture
def postgresql() -> Generator[Server]:
    """A server of the test's own, as others must not lose theirs."""
    with server() as one:
        yield one


async def change_again(at: Line) -> float:
    """Make a change as soon as one is taken; return after how many seconds that was."""
    started = time.monotonic()
    while True:
        try:
            await at.rename("back")
        except grpc.aio.AioRpcError:
            if time.monotonic() - started > 2 * BOUND:
                raise
            await asyncio.sleep(0.05)
            continue
        return time.monotonic() - started


async def is_told(at: Line, *, serving: bool, within: float) -> float:
    """Wait until balancers are told how changes are; return after how many seconds."""
    started = time.monotonic()
    while await at.is_serving(EXPERIMENTS) is not serving:
        assert time.monotonic() - started < within
        # That completions are served is told throughout.
        assert await at.is_serving("")
        assert await at.is_serving(COMPLETIONS)
        await asyncio.sleep(0.02)
    return time.monotonic() - started


def tell(
    record: Callable[[str, object], None], capture: pytest.CaptureFixture[str], told: str
) -> None:
    record("store away", told)
    with capture.disabled():
        print(f"\n{told}")


@pytest.mark.asyncio
@pytest.mark.parametrize("seconds", SECONDS)
async def test_a_stopped_store_costs_no_completion(
    seconds: float,
    postgresql: Server,
    tmp_path: Path,
    record_property: Callable[[str, object], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    url = f"{postgresql.url}/postgres"
    with ExitStack() as stack:
        one = stack.enter_context(host(SIMULATED, tmp_path / "1", url))
        async with line(one.target) as at:
            await at.run(experiment(2))
            async with load(at) as before:
                await hold(min(seconds, 5))
            async with load(at) as during:
                await asyncio.to_thread(postgresql.stop)
                stopped = time.monotonic()
                noticed = await is_told(at, serving=False, within=BOUND)
                told, took = await refused(at.rename("never"))
                # Their state directories: one that has seen the experiments, one that has not.
                kept, bare = tmp_path / "kept", tmp_path / "bare"
                kept.mkdir()
                (tmp_path / "1/state/experiments.json").rename(kept / "experiments.json")
                knowing = await asyncio.to_thread(
                    stack.enter_context, host(SIMULATED, tmp_path / "2", url, state=kept)
                )
                ignorant = await asyncio.to_thread(
                    stack.enter_context, host(SIMULATED, tmp_path / "3", url, state=bare)
                )
                async with line(knowing.target) as two, line(ignorant.target) as three:
                    answer = await two.completions.CreateCompletion(prompt(experiment="x"))
                    assert answer.routing.variant in ("a", "b")
                    assert await two.is_serving(COMPLETIONS)
                    assert not await two.is_serving(EXPERIMENTS)
                    assert not await three.is_serving("")
                    assert not await three.is_serving(COMPLETIONS)
                    unknown, _ = await refused(
                        three.completions.CreateCompletion(prompt(experiment="x"))
                    )

                    await hold(max(0.0, stopped + seconds - time.monotonic()))
                    away = time.monotonic() - stopped
                    await asyncio.to_thread(postgresql.start)
                    back = await change_again(at)
                    await is_told(at, serving=True, within=BACK)
                    await three.hear_of_it()
                    assert await three.is_serving("")

    tell(
        record_property,
        capsys,
        f"PostgreSQL stopped for {away:.1f} s: {during} (before: {before}); noticed after "
        f"{noticed:.2f} s, a change refused after {took:.2f} s, taken again {back:.2f} s after "
        "the start",
    )
    assert during.failures == []
    assert (told.code, told.reason) == (grpc.StatusCode.UNAVAILABLE, "STORE_UNAVAILABLE")
    assert "experiments cannot be read or changed now: connection" in told.message
    assert "RetryInfo" in told.details
    assert took < BOUND
    assert unknown.code is grpc.StatusCode.UNAVAILABLE
    assert back < BACK
    check_calm(during)


@pytest.mark.asyncio
@pytest.mark.parametrize("seconds", SECONDS)
async def test_a_store_that_hangs_costs_no_completion_and_no_thread(
    seconds: float,
    postgresql: Server,
    tmp_path: Path,
    record_property: Callable[[str, object], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    with host(SIMULATED, tmp_path, f"{postgresql.url}/postgres") as one:
        async with line(one.target) as at:
            await at.run(experiment(2))
            await at.rename("once")
            threads, _ = measure(one)
            async with load(at) as during:
                postgresql.hang()
                started = time.monotonic()
                try:
                    # More than there are threads for, and all refused in time.
                    ends = await asyncio.gather(*(refused(at.rename("never")) for _ in range(20)))
                    # Who makes a change and who follows give up independently of each other.
                    late = started + BOUND - time.monotonic()
                    await is_told(at, serving=False, within=late)
                    await hold(max(0.0, started + seconds - time.monotonic()))
                    most, _ = measure(one)
                finally:
                    postgresql.go_on()
                hung = time.monotonic() - started
                back = await change_again(at)
                await is_told(at, serving=True, within=BACK)

    slowest = max(took for _, took in ends)
    tell(
        record_property,
        capsys,
        f"PostgreSQL hung for {hung:.1f} s: {during}; 20 changes refused, the last after "
        f"{slowest:.2f} s, taken again after {back:.2f} s; {threads} threads before, {most} then",
    )
    assert during.failures == []
    assert {(told.code, told.reason) for told, _ in ends} == {
        (grpc.StatusCode.UNAVAILABLE, "STORE_UNAVAILABLE")
    }
    assert slowest < BOUND
    assert most <= threads + 6  # a few of each kind, whatever hangs
    assert back < BOUND
    check_calm(during)


def check_calm(figures: Figures) -> None:
    """Check that the event loop waited for no store: those waits are seconds long."""
    assert figures.slowest < 1.0
    assert len(figures.seconds) > 50
