"""What stops the mirror: an operator, and a quota that is the primary's."""

import asyncio
from pathlib import Path

import pytest

from understudy.v1 import operations_pb2, operations_pb2_grpc

from ..stub.eventually import eventually
from ..stub.faultstub import FaultStub
from .asking import prompt
from .bucket import Bucket
from .configs import write
from .running import Local, local
from .test_mirroring import mirrored

CALLS = 2000


async def ask_often(running: Local, times: int) -> None:
    """Make so many calls, 32 at a time."""
    left = iter(range(times))

    async def work() -> None:
        for _ in left:
            await running.stub.CreateCompletion(prompt("primary"))

    await asyncio.gather(*(work() for _ in range(32)))


@pytest.mark.asyncio
async def test_after_a_pause_nothing_is_mirrored_also_after_a_restart(tmp_path: Path) -> None:
    async with FaultStub() as primary, FaultStub() as silent:
        section = {"server": {"port": 0}, "state_dir": str(tmp_path)}
        config = write(*mirrored(primary, silent), understudy=section)
        async with local(config) as running:
            operations = operations_pb2_grpc.OperationsServiceStub(running.channel)
            await ask_often(running, 20)
            await eventually(lambda: silent.count == 20)
            await operations.PauseMirroring(operations_pb2.PauseMirroringRequest(cause="test"))

            await ask_often(running, CALLS)

            told = await operations.GetStatus(operations_pb2.GetStatusRequest())
        async with local(config) as running:
            operations = operations_pb2_grpc.OperationsServiceStub(running.channel)
            await ask_often(running, 100)
            assert silent.count == 20
            await operations.ResumeMirroring(operations_pb2.ResumeMirroringRequest())
            await ask_often(running, 1)
            await eventually(lambda: silent.count == 21)

    (figures,) = told.mirror.silent_models
    assert told.mirror.paused
    assert primary.count == 20 + CALLS + 101
    assert figures.offered == figures.outcomes["PAIRED"] == 20
    assert figures.not_mirrored["PAUSED"] == CALLS


@pytest.mark.asyncio
async def test_a_pause_of_a_name_that_is_none_is_refused() -> None:
    async with FaultStub() as primary, local(write(*mirrored(primary, primary))) as running:
        operations = operations_pb2_grpc.OperationsServiceStub(running.channel)
        with pytest.raises(Exception, match="did you mean 'silent'"):
            await operations.PauseMirroring(
                operations_pb2.PauseMirroringRequest(silent_model="silnet")
            )


@pytest.mark.asyncio
@pytest.mark.parametrize("mirroring", [False, True])
async def test_mirrors_do_not_eat_a_quota_that_they_share(mirroring: bool) -> None:
    """M-26: 60 calls in the bucket, refilled faster than the primary alone asks."""
    async with Bucket(60, refill=20) as bucket:
        shared = {"api_base": f"{bucket.url}/v1", "api_key": "sk-shared"}
        primary = {**shared, "model": "openai/primary"}
        if mirroring:
            primary["silent_model"] = "silent"
        config = write(
            {"model_name": "primary", "litellm_params": primary},
            {"model_name": "silent", "litellm_params": {**shared, "model": "openai/silent"}},
            router_settings={"num_retries": 0},
        )
        async with local(config) as running:
            for _ in range(100):
                await running.stub.CreateCompletion(prompt("primary"))
                await asyncio.sleep(0.06)  # the rate that is meant, and not a wait for anything

    assert bucket.asked["primary"] == 100
    assert "primary" not in bucket.refused
    assert (bucket.asked.get("silent", 0) > 20) is mirroring
