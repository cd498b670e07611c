"""C-4: a watch tells every change once, in order, and costs little whoever reads it how."""

import asyncio
import signal
from pathlib import Path

import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from understudy.v1 import experiment_pb2 as pb
from understudy.v1 import experiment_pb2_grpc

from ..stub.faultstub import FaultStub
from .asking import told
from .experimenting import Stage, draft, models, staged, weighed
from .running import serving

Told = pb.WatchExperimentsResponse
SIMULATED = """
model_list:
  - {{model_name: gpt-4, litellm_params: {{model: simulated/gpt-4}}}}
  - {{model_name: llama-2, litellm_params: {{model: simulated/llama-2}}}}
understudy: {{state_dir: {folder}, server: {{drain: {{delay: 0s, grace: 5s}}}}}}
"""


async def read(call: "grpc.aio.UnaryStreamCall[pb.WatchExperimentsRequest, Told]") -> Told:
    """Return the next message. Fails when there is none."""
    message = await asyncio.wait_for(call.read(), 5)
    assert isinstance(message, Told)
    return message


async def read_changes(
    call: "grpc.aio.UnaryStreamCall[pb.WatchExperimentsRequest, Told]", last: int
) -> list[Told]:
    """Return the changes up to a revision."""
    found: list[Told] = []
    while not found or found[-1].revision < last:
        if not (message := await read(call)).heartbeat:
            found.append(message)
    return found


async def churn(stage: Stage, times: int) -> pb.Experiment:
    """Change weights again and again."""
    current = await stage.get("x")
    for number in range(times):
        wanted = weighed(current, gpt_4=5000 + number, llama_2=5000 - number)
        current = (await stage.update(wanted, "variants")).experiment
    return current


@pytest.mark.asyncio
async def test_a_watch_begins_with_what_there_is_and_tells_each_change_once(
    tmp_path: Path,
) -> None:
    async with FaultStub() as stub, staged(models(stub, tmp_path)) as stage:
        await stage.create("x", start=False)
        y = await stage.create("y")

        call = stage.experiments.WatchExperiments(pb.WatchExperimentsRequest())
        first = [await read(call) for _ in range(3)]
        assert [one.experiment.name for one in first[:2]] == ["experiments/x", "experiments/y"]
        assert [one.revision for one in first] == [0, 0, y.revision]
        assert first[2].heartbeat

        last = await churn(stage, 40)
        await stage.rollback("y")
        current = await stage.get("x")
        await stage.experiments.DeleteExperiment(
            pb.DeleteExperimentRequest(name=current.name, etag=current.etag)
        )
        found = await read_changes(call, last.revision + 2)

    assert [one.revision for one in found] == list(range(y.revision + 1, last.revision + 3))
    assert all(one.experiment.revision == one.revision for one in found[:-1])
    assert found[-1].deleted == "experiments/x"


@pytest.mark.asyncio
async def test_a_watch_goes_on_from_any_revision(tmp_path: Path) -> None:
    async with FaultStub() as stub, staged(models(stub, tmp_path)) as stage:
        await stage.create("x")
        last = await churn(stage, 30)
        for revision in (2, 3, 17, last.revision - 1):
            call = stage.experiments.WatchExperiments(pb.WatchExperimentsRequest(revision=revision))
            found = await read_changes(call, last.revision)
            expected = list(range(revision + 1, last.revision + 1))
            assert [one.revision for one in found] == expected
            call.cancel()
        call = stage.experiments.WatchExperiments(
            pb.WatchExperimentsRequest(revision=last.revision)
        )
        assert (await read(call)).heartbeat


@pytest.mark.asyncio
async def test_a_revision_of_another_host_is_waited_for_and_one_of_nobodys_refused(
    tmp_path: Path,
) -> None:
    async with FaultStub() as stub, staged(models(stub, tmp_path)) as stage:
        await stage.create("x")
        early = stage.experiments.WatchExperiments(pb.WatchExperimentsRequest(revision=4))
        await churn(stage, 2)
        assert (await read(early)).heartbeat

        call = stage.experiments.WatchExperiments(pb.WatchExperimentsRequest(revision=99))
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call.read()

    refused = told(caught.value)
    assert (refused.code, refused.metadata["field"]) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        "revision",
    )


@pytest.mark.asyncio
async def test_many_watchers_are_told_the_same(tmp_path: Path) -> None:
    async with FaultStub() as stub, staged(models(stub, tmp_path)) as stage:
        created = await stage.create("x")
        calls = [
            stage.experiments.WatchExperiments(
                pb.WatchExperimentsRequest(revision=created.revision)
            )
            for _ in range(100)
        ]
        last = await churn(stage, 20)
        found = await asyncio.gather(*(read_changes(one, last.revision) for one in calls))

        expected = list(range(created.revision + 1, last.revision + 1))
        assert all([one.revision for one in each] == expected for each in found)


def resident(pid: int) -> int:
    """Return how many bytes of memory a process has."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) * 1024


@pytest.mark.asyncio
async def test_watchers_that_never_read_cost_little_and_miss_nothing(tmp_path: Path) -> None:
    watchers, changes, size = 40, 60, 100_000
    config = SIMULATED.format(folder=tmp_path / "state")
    with serving(config, tmp_path) as server:
        async with grpc.aio.insecure_channel(server.target) as channel:
            ask = experiment_pb2_grpc.ExperimentServiceStub(channel)
            current = (
                await ask.CreateExperiment(
                    pb.CreateExperimentRequest(experiment=draft(), experiment_id="x")
                )
            ).experiment
            calls = [ask.WatchExperiments(pb.WatchExperimentsRequest()) for _ in range(watchers)]
            for one in calls:
                assert (await read(one)).experiment.name == "experiments/x"
            before = resident(server.process.pid)
            for number in range(changes):
                current.variants[0].overrides.system_prompt = str(number) * (
                    size // len(str(number))
                )
                told_back = await ask.UpdateExperiment(
                    pb.UpdateExperimentRequest(
                        experiment=current, update_mask=FieldMask(paths=["variants"])
                    )
                )
                current = told_back.experiment
            grown = resident(server.process.pid) - before
            found = await read_changes(calls[0], current.revision)
            for one in calls:
                one.cancel()

    assert [one.revision for one in found] == list(range(3, changes + 3))
    assert grown < watchers * changes * size / 2, f"{grown >> 20} MiB"


@pytest.mark.asyncio
async def test_a_drain_ends_the_watches_and_says_that_it_does(tmp_path: Path) -> None:
    config = SIMULATED.format(folder=tmp_path / "state")
    with serving(config, tmp_path) as server:
        async with grpc.aio.insecure_channel(server.target) as channel:
            ask = experiment_pb2_grpc.ExperimentServiceStub(channel)
            call = ask.WatchExperiments(pb.WatchExperimentsRequest())
            assert (await read(call)).heartbeat
            server.process.send_signal(signal.SIGTERM)
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await asyncio.wait_for(call.read(), 10)
        assert await asyncio.to_thread(server.process.wait, 20) == 0

    assert (caught.value.code(), told(caught.value).reason) == (
        grpc.StatusCode.UNAVAILABLE,
        "DRAINING",
    )
