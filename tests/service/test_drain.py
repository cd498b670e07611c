"""A service that is told to stop loses no call that it has begun."""

import asyncio
import signal
import time
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2

from understudy import client
from understudy.v1 import completion_pb2_grpc

from ..stub.eventually import eventually
from ..stub.faultstub import FaultStub
from .asking import prompt
from .configs import deployment, write
from .running import Demo, serving

IN_FLIGHT = 256
DRAIN = {"server": {"port": 0, "drain": {"delay": "500ms", "grace": "10s"}}}


async def stop(server: Demo) -> tuple[int, float]:
    """Send SIGTERM; return the exit code and how long it took, in seconds."""
    started = time.monotonic()
    server.process.send_signal(signal.SIGTERM)
    code = await asyncio.to_thread(server.process.wait, 30)
    return code, time.monotonic() - started


async def lose_nothing_alone(folder: Path) -> None:
    async with FaultStub() as stub:
        with serving(
            write(deployment(stub, "g", "slow-300ms"), understudy=DRAIN), folder
        ) as server:
            async with grpc.aio.insecure_channel(server.target) as channel:
                ask = completion_pb2_grpc.CompletionServiceStub(channel).CreateCompletion
                calls = [ask(prompt("g")) for _ in range(IN_FLIGHT)]
                await eventually(lambda: stub.count == IN_FLIGHT, within=10)
                stopping = asyncio.create_task(stop(server))
                ends = await asyncio.gather(*calls, return_exceptions=True)
                code, took = await stopping

    assert code == 0
    assert took < 10.5
    assert [one for one in ends if isinstance(one, BaseException)] == []


async def lose_nothing_together(folder: Path) -> None:
    """Keep calls in flight through two servers while one goes down."""
    (folder / "other").mkdir(exist_ok=True)
    async with FaultStub() as stub:
        config = write(deployment(stub, "g", "slow-50ms"), understudy=DRAIN)
        with serving(config, folder) as one, serving(config, folder / "other") as other:
            async with client.AsyncClient(f"{one.target},{other.target}") as both:
                failures: list[Exception] = []
                answered = 0
                done = False

                async def work() -> None:
                    nonlocal answered
                    while not done:
                        try:
                            await both.completion(
                                model="g", messages=[{"role": "user", "content": "hi"}]
                            )
                            answered += 1
                        except client.UnderstudyError as error:
                            failures.append(error)

                working = [asyncio.create_task(work()) for _ in range(IN_FLIGHT)]
                await eventually(lambda: answered > IN_FLIGHT, within=20)
                code, took = await stop(one)
                before = answered
                await eventually(lambda: answered > before + IN_FLIGHT, within=20)
                done = True
                await asyncio.gather(*working)

    assert failures == []
    assert code == 0
    assert took < 10.5


@pytest.mark.asyncio
async def test_no_call_that_began_is_lost(tmp_path: Path) -> None:
    await lose_nothing_alone(tmp_path)


@pytest.mark.asyncio
async def test_through_two_servers_no_call_fails_at_all(tmp_path: Path) -> None:
    await lose_nothing_together(tmp_path)


@pytest.mark.proof
@pytest.mark.asyncio
@pytest.mark.parametrize("time_", range(20))
async def test_no_call_is_lost_twenty_times(tmp_path: Path, time_: int) -> None:
    await lose_nothing_alone(tmp_path)
    await lose_nothing_together(tmp_path)


@pytest.mark.asyncio
async def test_health_says_not_serving_while_draining(tmp_path: Path) -> None:
    async with FaultStub() as stub:
        with serving(write(deployment(stub, "g"), understudy=DRAIN), tmp_path) as server:
            async with grpc.aio.insecure_channel(server.target) as channel:
                watch: grpc.aio.UnaryStreamMultiCallable[
                    health_pb2.HealthCheckRequest, health_pb2.HealthCheckResponse
                ] = channel.unary_stream(
                    "/grpc.health.v1.Health/Watch",
                    request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
                    response_deserializer=health_pb2.HealthCheckResponse.FromString,
                )
                states: list[int] = []
                async for one in watch(health_pb2.HealthCheckRequest()):
                    states.append(one.status)
                    if len(states) == 2:
                        break
                    server.process.send_signal(signal.SIGTERM)
                assert await asyncio.to_thread(server.process.wait, 10) == 0

    assert states == [
        health_pb2.HealthCheckResponse.SERVING,
        health_pb2.HealthCheckResponse.NOT_SERVING,
    ]
