"""Outages of an upstream, and what is asked about them."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import grpc
import pytest

from understudy import client
from understudy.v1 import operations_pb2, operations_pb2_grpc

from ..stub.faultstub import FaultStub
from .asking import Request, Told, told
from .running import Local, local


def named(name: str, one: dict[str, Any]) -> dict[str, Any]:
    """A deployment with an id."""
    return one | {"model_info": {"id": name}}


async def fail(running: Local, request: Request) -> Told:
    """Make a call that must fail."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await running.stub.CreateCompletion(request)
    return told(caught.value)


async def status(running: Local, name: str) -> operations_pb2.DeploymentStatus:
    """Return how a deployment is."""
    operations = operations_pb2_grpc.OperationsServiceStub(running.channel)
    found = await operations.GetStatus(operations_pb2.GetStatusRequest())
    return next(one for one in found.deployments if one.deployment == name)


@dataclass(slots=True)
class Outage:
    """What came of an outage. `upstream` counts the calls that the stub refused."""

    logical: int = 0
    upstream: int = 0
    ends: Counter[str] | None = None

    @property
    def ratio(self) -> float:
        """Upstream calls for each logical request."""
        return self.upstream / self.logical


async def suffer(config: Callable[[FaultStub], str], seconds: float, rate: float) -> Outage:
    """Ask at a rate through an outage, by the default client; then the model is well again."""
    outage, ends = Outage(), Counter[str]()
    async with (
        FaultStub(mode="status-503") as stub,
        local(config(stub)) as running,
        client.AsyncClient(running.service.address) as asker,
    ):

        async def ask() -> None:
            try:
                await asker.completion("g", [{"role": "user", "content": "hi"}])
                ends["OK"] += 1
            except client.UnderstudyError as error:
                ends[error.reason] += 1

        calls: list[asyncio.Task[None]] = []
        started = time.monotonic()
        while (due := len(calls) / rate) < seconds:
            # The rate that is meant, and not a wait for anything.
            await asyncio.sleep(max(0.0, started + due - time.monotonic()))
            calls.append(asyncio.create_task(ask()))
        outage.logical, outage.upstream = len(calls), stub.count
        stub.mode = "ok"
        # A short outage ends long before the circuits' rests: whoever waits is sent home.
        _, late = await asyncio.wait(calls, timeout=60 if seconds > 10 else 0)
        assert not (late and seconds > 10)
        for call in late:
            call.cancel()
        await asyncio.gather(*late, return_exceptions=True)
    outage.ends = ends
    return outage


def report(
    record: Callable[[str, object], None],
    capture: pytest.CaptureFixture[str],
    what: str,
    found: Outage,
) -> None:
    told = f"{found.upstream} upstream calls for {found.logical} requests"
    record(what, told)
    with capture.disabled():
        print(f"\n{what}: {told}, {found.ratio:.3f} each; then {dict(found.ends or {})}")
