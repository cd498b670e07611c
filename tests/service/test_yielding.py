"""A service that is busy mirrors less, says so, and goes back to what it did."""

import asyncio
import time
from pathlib import Path

import pytest

from understudy.v1 import operations_pb2, operations_pb2_grpc, record_pb2, record_pb2_grpc

from ..stub.eventually import eventually
from ..stub.faultstub import FaultStub
from .asking import prompt
from .configs import write
from .running import local
from .test_mirroring import mirrored


@pytest.mark.asyncio
async def test_a_busy_loop_mirrors_less_and_says_so_until_it_is_not(tmp_path: Path) -> None:
    is_busy = True

    async def keep_busy() -> None:
        while is_busy:
            time.sleep(0.06)  # noqa: ASYNC251 - that is the point
            await asyncio.sleep(0)

    async with FaultStub() as primary, FaultStub() as silent:
        section = {
            "server": {"port": 0},
            "state_dir": str(tmp_path),
            "records": {"flush": "50ms"},
        }
        async with local(write(*mirrored(primary, silent), understudy=section)) as running:
            yielding = running.service.engine.yielding
            operations = operations_pb2_grpc.OperationsServiceStub(running.channel)
            records = record_pb2_grpc.RecordServiceStub(running.channel)
            await running.stub.CreateCompletion(prompt("primary"))
            busy = asyncio.ensure_future(keep_busy())
            await eventually(lambda: yielding.share < 0.75, within=10)
            is_busy = False
            await busy

            for _ in range(40):
                await running.stub.CreateCompletion(prompt("primary"))
            found = await operations.GetStatus(operations_pb2.GetStatusRequest())
            (one,) = found.mirror.silent_models
            await eventually(lambda: silent.count == one.offered)
            await eventually(lambda: yielding.share == 1.0, within=10)
            again = await operations.GetStatus(operations_pb2.GetStatusRequest())
            pairs = await records.ListPairs(record_pb2.ListPairsRequest(page_size=100))

    fractions = [pair.silents[0].effective_fraction for pair in pairs.pairs]
    assert one.offered + one.not_mirrored["YIELDED"] == 41
    assert one.not_mirrored["YIELDED"] > 0
    assert found.mirror.share < 1
    assert one.effective_fraction == pytest.approx(found.mirror.share)
    assert len(fractions) == one.offered
    assert max(fractions) == 1.0
    assert min(fractions) < 0.9
    assert again.mirror.share == again.mirror.silent_models[0].effective_fraction == 1.0
