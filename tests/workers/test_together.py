"""Several processes answer as one: what one is told all follow, what one knows all tell."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncGenerator, Generator
from pathlib import Path

import grpc
import pytest
import pytest_asyncio
from google.protobuf import json_format

from understudy.v1 import experiment_pb2 as pb
from understudy.v1 import operations_pb2, record_pb2, record_pb2_grpc

from ..service.asking import Request, Told, prompt, told
from ..service.running import Demo, serving
from ..stub.eventually import eventually
from ..stub.faultstub import FaultStub
from ..stub.runners import stub_thread
from .crew import READY, Line, configure, connected, count_connections, experiment, workers


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Generator[Demo]:
    """A service with two workers."""
    folder = tmp_path_factory.mktemp("together")
    with stub_thread(FaultStub()) as stub, serving(configure(stub, folder), folder) as running:
        yield running


@pytest_asyncio.fixture
async def lines(server: Demo) -> AsyncGenerator[list[Line]]:
    """Connections, some to each worker."""
    async with connected(server) as found:
        yield found


async def mirrored(line: Line) -> operations_pb2.SilentModelStatus:
    """Return how the silent model is."""
    found = (await line.operations.GetStatus(READY)).mirror.silent_models
    return next(
        (one for one in found if one.silent_model == "b"), operations_pb2.SilentModelStatus()
    )


async def create(line: Line, name: str, weights: dict[str, int]) -> pb.Experiment:
    """Create an experiment and start it."""
    created = await line.experiments.CreateExperiment(
        pb.CreateExperimentRequest(experiment_id=name, experiment=experiment(weights))
    )
    started = await line.experiments.StartExperiment(
        pb.StartExperimentRequest(name=created.experiment.name, etag=created.experiment.etag)
    )
    return started.experiment


@pytest.mark.asyncio
async def test_connections_are_spread_over_the_workers(server: Demo, lines: list[Line]) -> None:
    answers = await asyncio.gather(
        *(one.completions.CreateCompletion(prompt("a")) for one in lines)
    )

    assert "workers=2" in server.ready
    assert {one.routing.model_group for one in answers} == {"a"}
    assert set(count_connections(server)) == set(workers(server))


@pytest.mark.asyncio
async def test_whoever_is_asked_tells_of_all(lines: list[Line]) -> None:
    before = await mirrored(lines[0])
    for one in lines:
        await one.completions.CreateCompletion(prompt("a"))

    async def paired() -> list[int]:
        return [
            (await mirrored(one)).outcomes["PAIRED"] - before.outcomes["PAIRED"] for one in lines
        ]

    deadline = time.monotonic() + 5
    while set(await paired()) != {len(lines)}:
        assert time.monotonic() < deadline, await paired()
    silent = await mirrored(lines[-1])
    assert silent.offered == sum(silent.outcomes.values())
    assert silent.cap_nano_usd == 100 * 10**9
    status = await lines[0].operations.GetStatus(READY)
    assert [one.model_group for one in status.deployments] == ["a", "b"]


@pytest.mark.asyncio
async def test_no_answer_is_older_than_what_was_acknowledged(lines: list[Line]) -> None:
    current = await create(lines[0], "follow", {"a": 5000, "b": 5000})
    acknowledged = current.revision
    answered: Counter[str] = Counter()
    stale: list[str] = []
    done = False

    async def ask(line: Line, number: int) -> None:
        while not done:
            newest, since = acknowledged, rolled_back_in
            request = prompt("", experiment="follow", user=f"{number}-{answered.total()}")
            answer = await line.completions.CreateCompletion(request)
            answered[answer.routing.variant] += 1
            if answer.routing.config_revision < newest:
                stale.append(f"{answer.routing.config_revision} < {newest}")
            # In one and the same turn: a call may be under way through the end of one, and be
            # answered in the next.
            if since is not None and rolled_back_in == since and answer.routing.variant != "a":
                stale.append(answer.routing.variant)

    rolled_back_in: int | None = None
    asking = [asyncio.create_task(ask(one, n)) for n, one in enumerate(lines * 3)]
    for turn in range(8):
        line = lines[turn % len(lines)]
        rolled_back = await line.experiments.RollbackExperiment(
            pb.RollbackExperimentRequest(name=current.name, cause="a test")
        )
        acknowledged, rolled_back_in = rolled_back.experiment.revision, turn
        target = answered.total() + 30
        await eventually(lambda: answered.total() > target, within=10)  # noqa: B023 - awaited here
        rolled_back_in = None
        line = lines[(turn + 1) % len(lines)]
        started = await line.experiments.StartExperiment(
            pb.StartExperimentRequest(name=current.name, etag=rolled_back.experiment.etag)
        )
        acknowledged = started.experiment.revision
    done = True
    await asyncio.gather(*asking)

    assert stale == []
    assert answered["b"] > 0


@pytest.mark.asyncio
async def test_a_pause_reaches_all(lines: list[Line]) -> None:
    await lines[0].operations.PauseMirroring(
        operations_pb2.PauseMirroringRequest(silent_model="b", cause="a test")
    )
    before = await mirrored(lines[0])
    for one in lines:
        await one.completions.CreateCompletion(prompt("a"))
    paused = await mirrored(lines[1])
    await lines[-1].operations.ResumeMirroring(operations_pb2.ResumeMirroringRequest())
    await lines[0].completions.CreateCompletion(prompt("a"))
    resumed = await mirrored(lines[2])

    assert paused.paused
    assert paused.offered == before.offered
    assert paused.not_mirrored["PAUSED"] - before.not_mirrored["PAUSED"] == len(lines)
    assert not resumed.paused
    assert resumed.offered == before.offered + 1


@pytest.mark.asyncio
async def test_the_first_call_registers_through_any_worker(lines: list[Line]) -> None:
    body = {
        "messages": [{"role": "user", "content": "hi"}],
        "models": {"a": 0.8, "b": 0.2},
        "experiment": "brought-along",
        "split_mode": "SPLIT_MODE_REGISTER",
    }
    answers = await asyncio.gather(
        *(one.completions.CreateCompletion(json_format.ParseDict(body, Request())) for one in lines)
    )
    found = await lines[-1].experiments.GetExperiment(
        pb.GetExperimentRequest(name="experiments/brought-along")
    )

    assert {one.routing.experiment for one in answers} == {"brought-along"}
    assert {one.id: one.weight for one in found.experiment.variants} == {"a": 8000, "b": 2000}


@pytest.mark.asyncio
async def test_what_may_not_be_registered_is_refused_with_its_reason(lines: list[Line]) -> None:
    body = {
        "messages": [{"role": "user", "content": "hi"}],
        "models": {"a": 0.8, "nobody": 0.2},
        "experiment": "impossible",
        "split_mode": "SPLIT_MODE_REGISTER",
    }
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await lines[0].completions.CreateCompletion(json_format.ParseDict(body, Request()))

    assert told(caught.value).reason == "MODEL_NOT_FOUND"


@pytest.mark.asyncio
async def test_a_watch_through_one_sees_a_change_made_through_another(lines: list[Line]) -> None:
    seen: list[str] = []

    async def watch(line: Line) -> None:
        async for one in line.experiments.WatchExperiments(pb.WatchExperimentsRequest()):
            seen.append(one.experiment.name)  # empty for a heartbeat

    watching = [asyncio.create_task(watch(one)) for one in lines]
    await eventually(lambda: seen.count("") >= len(lines), within=5)
    await create(lines[0], "watched", {"a": 9000, "b": 1000})
    await eventually(lambda: seen.count("experiments/watched") >= 2 * len(lines), within=5)
    for one in watching:
        one.cancel()
    audit = await lines[1].experiments.ListAuditEntries(
        pb.ListAuditEntriesRequest(parent="experiments/watched")
    )

    assert [one.action for one in audit.audit_entries] == ["StartExperiment", "CreateExperiment"]


@pytest.mark.asyncio
async def test_an_error_comes_through_with_all_that_it_tells(lines: list[Line]) -> None:
    found: list[Told] = []
    for one in lines:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await one.experiments.GetExperiment(pb.GetExperimentRequest(name="experiments/nobody"))
        found.append(told(caught.value))

    assert {one.code for one in found} == {grpc.StatusCode.NOT_FOUND}
    assert {one.reason for one in found} == {"EXPERIMENT_NOT_FOUND"}
    assert found[0].metadata["experiment"] == "nobody"
    assert found[0].message.startswith("EXPERIMENT_NOT_FOUND: ")
    assert found[0].details == {"ResourceInfo"}


@pytest.mark.asyncio
async def test_a_deadline_ends_a_watch(lines: list[Line]) -> None:
    began = time.monotonic()
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        async for _ in lines[0].experiments.WatchExperiments(
            pb.WatchExperimentsRequest(), timeout=0.3
        ):
            pass

    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert time.monotonic() - began < 3


@pytest.mark.asyncio
async def test_records_of_all_are_told_by_each(lines: list[Line]) -> None:
    answers = await asyncio.gather(
        *(one.completions.CreateCompletion(prompt("a")) for one in lines)
    )
    wanted = {one.routing.pair_id for one in answers}

    async def kept(line: Line) -> set[str]:
        records = record_pb2_grpc.RecordServiceStub(line.channel)
        found = await records.ListRecords(record_pb2.ListRecordsRequest(page_size=200))
        return {one.pair_id for one in found.records} & wanted

    deadline = time.monotonic() + 10
    while not all([await kept(one) == wanted for one in lines]):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.1)


def test_the_socket_between_processes_is_its_owners_alone(server: Demo, tmp_path: Path) -> None:
    folder = next(tmp_path.parent.glob("together*/state/workers-*"))

    assert folder.stat().st_mode & 0o777 == 0o700
    assert [one.name for one in folder.iterdir()] == ["control"]
