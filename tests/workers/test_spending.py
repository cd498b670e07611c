"""A cap holds for all processes that share a store, across kills and restarts."""

import asyncio
import os
import signal
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner

from understudy.server.cli.status import status

from ..postgresql import database
from ..service.running import serving
from ..stub.eventually import eventually
from ..stub.faultstub import FaultStub
from ..stub.runners import stub_thread
from .crew import connected, eventually_replaced, workers
from .spending import CALL, ask_much, configure, kill_all, mirrored, settled


@contextmanager
def records_at(request: pytest.FixtureRequest, where: str) -> Generator[str]:
    """A URL for records, empty for SQLite."""
    if where == "sqlite":
        yield ""
        return
    with database(request.getfixturevalue("postgresql")) as url:
        yield url


async def survive_kills(folder: Path, url: str, *, size: int, cap: int, calls: int) -> None:
    """Let a worker be killed, and then all, and a new service be asked for more than is left."""
    with stub_thread(FaultStub()) as primary, stub_thread(FaultStub()) as silent:
        config = configure(primary, silent, folder, calls=cap, workers=size, url=url)
        with serving(config, folder) as server:
            async with connected(server, lines=2 * size) as lines:
                asking = asyncio.create_task(ask_much(lines, cap // 3))
                await eventually(lambda: silent.count >= cap // 10, within=10)
                victim = workers(server)[0]
                os.kill(victim, signal.SIGKILL)
                await asking
            await eventually_replaced(server, victim, size=size)
            first = silent.count
            async with connected(server, lines=size) as lines:
                asking = asyncio.create_task(ask_much(lines, cap // 3))
                await eventually(lambda: silent.count >= first + cap // 10, within=10)
                kill_all(server)
                await asking
        before = silent.count
        with serving(config, folder) as server:
            async with connected(server, lines=2 * size) as lines:
                assert await ask_much(lines, calls) == calls
                whole = await settled(lines[0], calls)
                deadline = asyncio.get_running_loop().time() + 20
                while whole.spent_nano_usd < silent.count * CALL:  # until the dead are known
                    assert asyncio.get_running_loop().time() < deadline, whole
                    await asyncio.sleep(0.1)
                    whole = await mirrored(lines[0])
                shown = await asyncio.to_thread(
                    CliRunner().invoke, status, ["--target", server.target]
                )
                log = [line for line in server.log if "the budget of silent model 'b'" in line]
        spent = silent.count * CALL

    print(f"{before} calls before the kills, {silent.count} of {cap} in all; {whole}")
    assert spent <= cap * CALL
    assert spent <= whole.spent_nano_usd <= cap * CALL == whole.cap_nano_usd
    assert whole.lost_nano_usd
    assert whole.spent_nano_usd + whole.leased_nano_usd <= whole.cap_nano_usd
    assert whole.outcomes["PAIRED"] == silent.count - before > 0
    assert dict(whole.shed) == {"BUDGET": calls - whole.outcomes["PAIRED"]}
    assert 1 <= len(log) <= size  # each process tells once
    assert f"of ${cap * CALL / 1e9:.6f} in 1000d spent by all" in shown.output
    assert "held by processes that died" in shown.output


@pytest.mark.asyncio
async def test_the_cap_holds_though_workers_and_all_of_them_are_killed(tmp_path: Path) -> None:
    """M-23."""
    await survive_kills(tmp_path, "", size=2, cap=50, calls=200)


@pytest.mark.proof
@pytest.mark.asyncio
@pytest.mark.parametrize("where", ["sqlite", "postgresql"])
async def test_a_thousand_calls_keep_to_the_cap_of_a_hundred_in_spite_of_kills(
    where: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """M-23: four workers."""
    with records_at(request, where) as url:
        await survive_kills(tmp_path, url, size=4, cap=100, calls=1000)


async def share_a_cap(folder: Path, url: str, *, cap: int, calls: int) -> None:
    """Ask two services at once, on folders of their own."""
    with stub_thread(FaultStub()) as primary, stub_thread(FaultStub()) as silent:
        folders = [folder / name for name in ("one", "other")]
        for place in folders:
            place.mkdir()
        configs = [configure(primary, silent, at, calls=cap, url=url) for at in folders]
        with serving(configs[0], folders[0]) as one, serving(configs[1], folders[1]) as other:
            async with connected(one, lines=1) as first, connected(other, lines=1) as second:
                await asyncio.gather(ask_much(first, calls), ask_much(second, calls))
                paired = [
                    (await settled(lines[0], calls)).outcomes["PAIRED"] for lines in (first, second)
                ]

                async def agrees() -> bool:
                    found = [await mirrored(lines[0]) for lines in (first, second)]
                    return {(part.spent_nano_usd, part.cap_nano_usd) for part in found} == {
                        (silent.count * CALL, cap * CALL)
                    }

                deadline = asyncio.get_running_loop().time() + 20
                while not await agrees():
                    assert asyncio.get_running_loop().time() < deadline
                    await asyncio.sleep(0.1)
        assert sum(paired) == silent.count <= cap
        assert min(paired) >= cap // 5
        assert silent.count >= cap - 2


@pytest.mark.asyncio
async def test_two_services_that_share_a_store_share_the_cap(
    postgresql: str, tmp_path: Path
) -> None:
    with database(postgresql) as url:
        await share_a_cap(tmp_path, url, cap=40, calls=100)
