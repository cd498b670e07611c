"""A caller that gives up leaves nothing behind."""

import asyncio
import random
import time
from pathlib import Path

import grpc
import pytest

from ..stub.eventually import eventually
from ..stub.faultstub import FaultStub
from .asking import prompt
from .configs import deployment, write
from .running import local

CANCELS = 1000
MODES = ("slow-50ms", "words-30+pace-2ms", "hang-headers", "hang-body", "status-503", "ok")


def descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


@pytest.mark.asyncio
async def test_a_thousand_cancelled_calls_leave_nothing_behind() -> None:
    """D-4: no task, descriptor, seat or connection; the model's connection closes at once."""
    chance = random.Random(11)
    async with (
        FaultStub() as stub,
        local(write(*(deployment(stub, mode, mode) for mode in MODES))) as running,
    ):
        await running.stub.CreateCompletion(prompt("ok"))
        await asyncio.sleep(0)
        tasks_before, descriptors_before = len(asyncio.all_tasks()), descriptors()
        late: list[float] = []

        async def cancel_one(number: int) -> None:
            mode = MODES[number % len(MODES)]
            if number % 2:
                call: grpc.aio.Call = running.stub.CreateCompletion(prompt(mode))
            else:
                call = running.stub.StreamCompletion(prompt(mode))
            await asyncio.sleep(chance.uniform(0, 0.06))
            call.cancel()

        for start in range(0, CANCELS, 50):
            await asyncio.gather(*(cancel_one(number) for number in range(start, start + 50)))
            cancelled = time.monotonic()
            # What is answered keeps its connection; all else must be closed.
            await eventually(
                lambda: (
                    running.service.calls.running == 0 and running.service.engine.gate.taken == 0
                )
            )
            await eventually(
                lambda: all(
                    seen.answered is not None or seen.connection.closed is not None
                    for seen in stub.requests
                )
            )
            late += [
                seen.connection.closed - cancelled
                for seen in stub.requests
                if seen.connection.closed is not None
            ]
            stub.requests.clear()

        assert max(late) < 0.1
        stub.drop_connections()
        await eventually(lambda: len(asyncio.all_tasks()) <= tasks_before, within=5)
        await eventually(lambda: descriptors() <= descriptors_before + 3, within=5)
