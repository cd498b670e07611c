"""One deadline covers a call whole."""

import time

import grpc
import pytest

from ..stub.eventually import eventually
from ..stub.faultstub import FaultStub
from .asking import prompt, told
from .configs import deployment, write
from .running import local


@pytest.mark.asyncio
async def test_the_callers_deadline_ends_the_call_and_the_connection() -> None:
    """D-1."""
    async with FaultStub() as stub, local(write(deployment(stub, "g", "hang-headers"))) as running:
        fastest = 1.0
        for _ in range(3):  # a busy machine is late by itself, but not three times
            started = time.monotonic()
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await running.stub.CreateCompletion(prompt("g"), timeout=0.3)
            elapsed = time.monotonic() - started
            await eventually(lambda: stub.requests[-1].connection.closed, within=0.1)
            assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
            assert told(caught.value).reason == "DEADLINE_EXCEEDED"
            assert elapsed > 0.25
            fastest = min(fastest, elapsed)
            if fastest < 0.35:
                break

    assert fastest < 0.35


@pytest.mark.asyncio
async def test_without_a_deadline_the_default_applies() -> None:
    """D-2."""
    config = {"server": {"port": 0, "default_timeout": "200ms"}}
    async with (
        FaultStub() as stub,
        local(write(deployment(stub, "g", "hang-body"), understudy=config)) as running,
    ):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await running.stub.CreateCompletion(prompt("g"))

    assert told(caught.value).reason == "DEADLINE_EXCEEDED"


@pytest.mark.asyncio
async def test_a_deadline_that_is_over_asks_nobody() -> None:
    """D-3."""
    async with FaultStub() as stub, local(write(deployment(stub, "g"))) as running:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await running.stub.CreateCompletion(prompt("g"), timeout=0.001)

    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert stub.count == 0


@pytest.mark.asyncio
async def test_retries_do_not_extend_the_deadline() -> None:
    """D-5."""
    async with (
        FaultStub() as stub,
        local(
            write(
                deployment(stub, "g", "slow-200ms+status-503"),
                router_settings={"num_retries": 50},
            )
        ) as running,
    ):
        started = time.monotonic()
        with pytest.raises(grpc.aio.AioRpcError):
            await running.stub.CreateCompletion(prompt("g"), timeout=0.5)
        elapsed = time.monotonic() - started

    assert elapsed < 0.6
    assert stub.count <= 3
