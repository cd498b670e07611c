"""Whoever dies, the others go on; nobody is left behind, and nothing that began is lost."""

import asyncio
import os
import signal
import sqlite3
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path

import grpc
import pytest

from understudy.v1 import experiment_pb2 as pb
from understudy.v1 import operations_pb2

from ..postgresql import database
from ..service.asking import prompt, told
from ..service.configs import deployment, write
from ..service.running import serving
from ..stub.eventually import eventually
from ..stub.faultstub import FaultStub
from ..stub.runners import stub_thread
from .crew import (
    DRAIN,
    READY,
    Line,
    configure,
    connect,
    connected,
    eventually_replaced,
    experiment,
    is_gone,
    workers,
)


@asynccontextmanager
async def asking(lines: list[Line]) -> AsyncGenerator[tuple[list[str], Callable[[], int]]]:
    """Keep calls under way on every line; yield what went wrong, and a count of the answers."""
    wrong: list[str] = []
    answered = 0
    done = False

    async def ask(line: Line) -> None:
        nonlocal answered
        while not done:
            try:
                await line.completions.CreateCompletion(prompt("a"))
                answered += 1
            except grpc.aio.AioRpcError as error:
                wrong.append(f"{error.code().name}: {error.details()}")

    tasks = [asyncio.create_task(ask(one)) for one in lines]
    try:
        yield wrong, lambda: answered
    finally:
        done = True
        await asyncio.gather(*tasks)


@pytest.mark.asyncio
async def test_a_worker_that_is_killed_is_replaced_while_others_answer(tmp_path: Path) -> None:
    with stub_thread(FaultStub()) as stub, serving(configure(stub, tmp_path), tmp_path) as server:
        async with connected(server) as lines:
            victim, survivor = workers(server)
            await lines[0].operations.PauseMirroring(operations_pb2.PauseMirroringRequest())
            async with asking(lines) as (wrong, answered):
                await eventually(lambda: answered() > 20, within=10)
                os.kill(victim, signal.SIGKILL)
                await eventually_replaced(server, victim)
                before = answered()
                await eventually(lambda: answered() > before + 20, within=10)
        async with connected(server) as lines:
            statuses = [await one.operations.GetStatus(READY) for one in lines]
            for one in lines:
                await one.completions.CreateCompletion(prompt("a"))
            after = await lines[0].operations.GetStatus(READY)
        now = workers(server)
        assert server.stop() == 0

    assert survivor in now
    assert len(now) == 2
    assert all(one.startswith("UNAVAILABLE") for one in wrong)
    assert all(one.mirror.paused for one in statuses)
    assert after.mirror.silent_models[0].offered == statuses[0].mirror.silent_models[0].offered
    assert [one for one in server.log if f"worker {victim} ended with -9" in one]


@pytest.mark.asyncio
async def test_workers_end_with_their_parent(tmp_path: Path) -> None:
    with stub_thread(FaultStub()) as stub, serving(configure(stub, tmp_path), tmp_path) as server:
        async with connect(server.target).channel:
            orphans = workers(server)
            server.process.kill()
            await eventually(lambda: all(map(is_gone, orphans)), within=15)

    assert len(orphans) == 2
    assert not list((tmp_path / "state").glob("workers-*"))


@pytest.mark.asyncio
async def test_a_parent_that_dies_takes_no_call_along(tmp_path: Path) -> None:
    with stub_thread(FaultStub()) as stub:
        config = write(
            deployment(stub, "a", "slow-1s"),
            understudy={
                "server": {"port": 0, "workers": 2, "drain": DRAIN},
                "state_dir": str(tmp_path / "state"),
            },
        )
        with serving(config, tmp_path) as server:
            async with connected(server) as lines:
                calls = [one.completions.CreateCompletion(prompt("a")) for one in lines]
                await eventually(lambda: stub.count == len(lines), within=5)
                server.process.kill()
                server.process.wait()
                with pytest.raises(grpc.aio.AioRpcError) as caught:
                    await lines[0].operations.GetStatus(READY)
                ends = await asyncio.gather(*calls, return_exceptions=True)

    assert told(caught.value).code is grpc.StatusCode.UNAVAILABLE
    assert told(caught.value).reason == "DRAINING"
    assert [one for one in ends if isinstance(one, BaseException)] == []


@pytest.mark.asyncio
async def test_no_call_that_began_is_lost_in_a_drain(tmp_path: Path) -> None:
    with stub_thread(FaultStub()) as stub:
        config = write(
            deployment(stub, "a", "slow-300ms"),
            understudy={
                "server": {"port": 0, "workers": 2, "drain": {"delay": "500ms", "grace": "10s"}},
                "state_dir": str(tmp_path / "state"),
            },
        )
        with serving(config, tmp_path) as server:
            async with connected(server) as lines:
                calls = [
                    one.completions.CreateCompletion(prompt("a"))
                    for one in lines
                    for _ in range(32)
                ]
                await eventually(lambda: stub.count == len(calls), within=10)
                began = time.monotonic()
                stopping = asyncio.create_task(asyncio.to_thread(server.stop))
                ends = await asyncio.gather(*calls, return_exceptions=True)
                code = await stopping

    assert code == 0
    assert time.monotonic() - began < 10
    assert [one for one in ends if isinstance(one, BaseException)] == []
    assert not list((tmp_path / "state").glob("workers-*"))


@pytest.mark.asyncio
async def test_a_worker_that_hangs_is_replaced_before_a_change_is_acknowledged(
    tmp_path: Path,
) -> None:
    with stub_thread(FaultStub()) as stub, serving(configure(stub, tmp_path), tmp_path) as server:
        async with connected(server) as lines:
            hanging = workers(server)[0]
            os.kill(hanging, signal.SIGSTOP)
            change = pb.CreateExperimentRequest(
                experiment_id="e", experiment=experiment({"a": 9000, "b": 1000})
            )
            began = time.monotonic()
            created = await first_answer(lines, change)
            took = time.monotonic() - began
            assert is_gone(hanging)
            await eventually_replaced(server, hanging)
        async with connected(server) as lines:
            revisions = {
                (await one.completions.CreateCompletion(prompt("a"))).routing.config_revision
                for one in lines
            }

    assert 1.0 < took < 10
    assert revisions == {created.experiment.revision}


async def first_answer(
    lines: list[Line], change: pb.CreateExperimentRequest
) -> pb.CreateExperimentResponse:
    """Make a change over whichever line answers; some lead to a worker that hangs."""
    calls = [asyncio.ensure_future(_validate(one)) for one in lines]
    done, hanging = await asyncio.wait(calls, timeout=1.0)
    for one in hanging:
        one.cancel()
    line = next(one.result() for one in done)
    return await line.experiments.CreateExperiment(change)


async def _validate(line: Line) -> Line:
    await line.experiments.ListExperiments(pb.ListExperimentsRequest())
    return line


@pytest.mark.asyncio
async def test_copies_of_a_worker_that_was_killed_are_lost(tmp_path: Path) -> None:
    with stub_thread(FaultStub()) as stub:
        config = write(
            deployment(stub, "a", "ok", silent_model="b"),
            deployment(stub, "b", "hang-headers"),
            understudy={
                "server": {"port": 0, "workers": 2, "drain": DRAIN},
                "state_dir": str(tmp_path / "state"),
                "records": {"flush": "50ms"},
            },
        )
        path = tmp_path / "state/records.db"

        def count(condition: str) -> int:
            with closing(sqlite3.connect(path)) as connection:
                found = connection.execute(f"SELECT count(*) FROM offers WHERE {condition}")
                number: int = found.fetchone()[0]
                return number

        with serving(config, tmp_path) as server:
            async with connected(server) as lines:
                for one in lines:
                    await one.completions.CreateCompletion(prompt("a"))
                await eventually(lambda: count("1") == len(lines), within=10)
                victim = workers(server)[0]
                at_stake = count(f"instance_id IN (SELECT id FROM instances WHERE pid = {victim})")
                os.kill(victim, signal.SIGKILL)
                await eventually(lambda: count("outcome = 'LOST'") == at_stake, within=20)
                left = count("outcome IS NULL")

    assert at_stake > 0
    assert left == len(lines) - at_stake


@pytest.mark.asyncio
async def test_what_was_read_at_the_start_serves_after_a_death(tmp_path: Path) -> None:
    with stub_thread(FaultStub()) as stub, serving(configure(stub, tmp_path), tmp_path) as server:
        (tmp_path / "config.yaml").write_text("nonsense: [")
        victim = workers(server)[0]
        os.kill(victim, signal.SIGKILL)
        await eventually_replaced(server, victim)
        async with connected(server) as lines:
            answers = [await one.completions.CreateCompletion(prompt("a")) for one in lines]

    assert {one.routing.model_group for one in answers} == {"a"}


@pytest.mark.asyncio
async def test_another_reading_of_the_file_reaches_all_and_who_comes_later(tmp_path: Path) -> None:
    with stub_thread(FaultStub()) as stub, serving(configure(stub, tmp_path), tmp_path) as server:
        (tmp_path / "config.yaml").write_text(
            configure(stub, tmp_path).replace('"model_name": "a"', '"model_name": "c"')
        )
        server.process.send_signal(signal.SIGHUP)
        await eventually(lambda: [one for one in server.log if "is reloaded" in one], within=10)
        async with connected(server) as lines:
            await asyncio.gather(*(one.completions.CreateCompletion(prompt("c")) for one in lines))
        victim = workers(server)[1]
        os.kill(victim, signal.SIGKILL)
        await eventually_replaced(server, victim)
        async with connected(server) as lines:
            await asyncio.gather(*(one.completions.CreateCompletion(prompt("c")) for one in lines))


@pytest.mark.asyncio
async def test_two_workers_share_a_postgresql(tmp_path: Path, postgresql: str) -> None:
    with stub_thread(FaultStub()) as stub, database(postgresql) as url:
        config = configure(stub, tmp_path, store={"url": url}, records={"url": url})
        with serving(config, tmp_path) as server:
            async with connected(server) as lines:
                await asyncio.gather(
                    *(one.completions.CreateCompletion(prompt("a")) for one in lines)
                )
                await lines[0].experiments.CreateExperiment(
                    pb.CreateExperimentRequest(
                        experiment_id="e", experiment=experiment({"a": 9000, "b": 1000})
                    )
                )
                found = [
                    await one.experiments.ListExperiments(pb.ListExperimentsRequest())
                    for one in lines
                ]
            assert server.stop() == 0

    assert {one.name for told in found for one in told.experiments} == {"experiments/e"}
