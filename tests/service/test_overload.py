"""More than there is room for is refused in time, over the wire, and those who steer get in."""

import asyncio
import time
from collections import Counter
from typing import Any, cast

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from understudy.v1 import completion_pb2, operations_pb2, operations_pb2_grpc

from ..stub.eventually import eventually
from ..stub.faultstub import FaultStub
from .asking import Answer, Told, prompt, told
from .configs import deployment, write
from .running import Local, local

C = grpc.StatusCode
REFUSED = (C.RESOURCE_EXHAUSTED, "OVERLOADED", frozenset({"RetryInfo"}), True)


def limited(stub: FaultStub, mode: str = "ok", **limits: Any) -> str:
    server = {"port": 0, "limits": limits}
    return write(deployment(stub, "g", mode), understudy={"server": server})


async def ask(running: Local) -> tuple[Answer | Told, float]:
    """Make one call; return what came of it and after how many seconds."""
    begun = time.monotonic()
    try:
        found: Answer | Told = await running.stub.CreateCompletion(prompt("g"), timeout=30)
    except grpc.aio.AioRpcError as error:
        found = told(error)
    return found, time.monotonic() - begun


def summary(one: Told) -> object:
    return one.code, one.reason, one.details, one.may_retry


async def status(running: Local) -> operations_pb2.GetStatusResponse:
    operations = operations_pb2_grpc.OperationsServiceStub(running.channel)
    return await operations.GetStatus(operations_pb2.GetStatusRequest(), timeout=30)


@pytest.mark.asyncio
async def test_more_calls_than_may_be_under_way_are_refused_at_once() -> None:
    async with FaultStub() as stub, local(limited(stub, "slow-1500ms", max_calls=2)) as running:
        ended = await asyncio.gather(*(ask(running) for _ in range(10)))
        after, _ = await ask(running)
        found = await status(running)

    answers = [took for one, took in ended if isinstance(one, Answer)]
    refusals = [(one, took) for one, took in ended if isinstance(one, Told)]
    assert len(answers) == 2
    assert {summary(one) for one, _ in refusals} == {REFUSED}
    assert max(took for _, took in refusals) < 1.0 < min(answers)
    assert isinstance(after, Answer)
    assert stub.count == 3
    assert (found.refused, found.in_flight) == (8, 1)  # itself


@pytest.mark.asyncio
async def test_a_stream_is_refused_alike() -> None:
    async with FaultStub() as stub, local(limited(stub, "slow-1s", max_calls=1)) as running:
        first = asyncio.ensure_future(ask(running))
        await eventually(lambda: running.service.overload.in_flight == 1)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            async for _ in running.stub.StreamCompletion(prompt("g")):
                pass
        await first

    assert summary(told(caught.value)) == REFUSED


@pytest.mark.asyncio
async def test_those_who_steer_get_in_although_nobody_else_does() -> None:
    async with FaultStub() as stub, local(limited(stub, "slow-1s", max_calls=1)) as running:
        first = asyncio.ensure_future(ask(running))
        await eventually(lambda: running.service.overload.in_flight == 1)
        refused, _ = await ask(running)
        health = health_pb2_grpc.HealthStub(running.channel)
        check = health_pb2.HealthCheckRequest()

        checked = cast(
            health_pb2.HealthCheckResponse,
            await health.Check(check, timeout=5),  # type: ignore[attr-defined]
        )
        models = await running.stub.ListModels(completion_pb2.ListModelsRequest(), timeout=5)
        found = await status(running)
        await first

    assert isinstance(refused, Told)
    assert checked.status == health_pb2.HealthCheckResponse.SERVING
    assert [one.id for one in models.models] == ["g"]
    assert found.in_flight == 2


@pytest.mark.asyncio
async def test_calls_that_fail_or_give_up_leave_their_places() -> None:
    async with FaultStub() as stub:
        models = deployment(stub, "g", "hang-headers"), deployment(stub, "bad", "status-400")
        limits = {"server": {"port": 0, "limits": {"max_calls": 20}}}
        async with local(write(*models, understudy=limits)) as running:
            calls = [running.stub.CreateCompletion(prompt("g")) for _ in range(10)]
            calls += [running.stub.CreateCompletion(prompt("bad")) for _ in range(5)]
            await eventually(lambda: stub.count == 15)
            for one in calls:
                one.cancel()

            await eventually(lambda: running.service.overload.in_flight == 0)
            await asyncio.gather(*calls, return_exceptions=True)

    assert running.service.overload.refused == 0


@pytest.mark.asyncio
async def test_many_calls_at_once_to_a_slow_model_are_no_overload() -> None:
    async with FaultStub() as stub, local(limited(stub, "slow-1s")) as running:
        ended = await asyncio.gather(*(ask(running) for _ in range(600)))

    assert Counter(type(one) for one, _ in ended) == {Answer: 600}


@pytest.mark.asyncio
async def test_a_line_that_does_not_go_down_is_shortened_and_then_all_is_well_again() -> None:
    is_busy = True

    async def keep_busy() -> None:
        while is_busy:
            time.sleep(0.001)  # noqa: ASYNC251 - that is the point
            await asyncio.sleep(0)

    async with FaultStub() as stub, local(limited(stub)) as running:
        await ask(running)
        busy = asyncio.ensure_future(keep_busy())
        calls = [asyncio.ensure_future(ask(running)) for _ in range(1500)]
        await eventually(lambda: running.service.overload.refused > 0, within=20)
        is_busy = False
        found = await status(running)
        await busy
        ended = await asyncio.gather(*calls)
        await eventually(lambda: not running.service.overload.is_strained, within=10)
        after = await asyncio.gather(*(ask(running) for _ in range(20)))

    refused = [one for one, _ in ended if isinstance(one, Told)]
    assert {summary(one) for one in refused} == {REFUSED}
    assert found.refused >= 1
    assert not [one for one, _ in after if isinstance(one, Told)]


@pytest.mark.asyncio
async def test_calls_beyond_the_streams_of_a_connection_wait_in_the_client() -> None:
    config = "slow-200ms"
    async with (
        FaultStub() as stub,
        local(limited(stub, config, max_streams_per_connection=2)) as running,
    ):
        most = 0

        async def watch() -> None:
            nonlocal most
            while True:
                most = max(most, running.service.overload.in_flight)
                await asyncio.sleep(0.005)

        await running.channel.channel_ready()
        watching = asyncio.ensure_future(watch())
        ended = await asyncio.gather(*(ask(running) for _ in range(6)))
        watching.cancel()

    # gRPC may refuse a call begun in the moment in which another ends; no model is asked then.
    answers = [one for one, _ in ended if isinstance(one, Answer)]
    assert {one.code for one, _ in ended if isinstance(one, Told)} <= {C.UNAVAILABLE}
    assert stub.count == len(answers) >= 2
    assert most == 2


@pytest.mark.asyncio
async def test_a_connection_grows_old_but_its_streams_end_as_they_should() -> None:
    async with (
        FaultStub() as stub,
        local(limited(stub, "words-30+pace-50ms", max_connection_age="300ms")) as running,
    ):
        begun = time.monotonic()
        pieces = [one async for one in running.stub.StreamCompletion(prompt("g"))]
        took = time.monotonic() - begun
        after, _ = await ask(running)

    assert took > 1.0  # several times the age
    assert len(pieces) >= 30
    assert isinstance(after, Answer)
