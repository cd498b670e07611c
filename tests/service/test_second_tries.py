"""Retries and fallbacks, times and seats of each deployment, over the wire."""

import asyncio
from collections import Counter

import grpc
import pytest

from ..stub.faultstub import FaultStub
from .asking import Piece, prompt, told
from .configs import deployment, write
from .outages import fail, named
from .running import Local, local
from .test_failures import drain_into


@pytest.mark.asyncio
async def test_a_stream_that_has_begun_is_never_tried_again() -> None:
    """T-2: neither here nor elsewhere, whatever may be retried and fallen back to."""
    async with (
        FaultStub() as stub,
        local(
            write(
                deployment(stub, "g", "words-40+reset-mid-body", order=1),
                deployment(stub, "g", "words-40+reset-mid-body", order=1),
                deployment(stub, "g", order=2),
                deployment(stub, "h"),
                router_settings={"num_retries": 5, "fallbacks": [{"g": ["h"]}]},
            )
        ) as running,
    ):
        pieces = list[Piece]()
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await drain_into(pieces, running.stub.StreamCompletion(prompt("g")))

    assert told(caught.value).code is grpc.StatusCode.ABORTED
    assert any(one.choices for one in pieces)
    assert stub.count == 1


@pytest.mark.asyncio
async def test_a_silent_file_means_two_attempts() -> None:
    """T-2."""
    async with FaultStub(mode="status-503") as stub, local(write(deployment(stub, "g"))) as running:
        await fail(running, prompt("g"))

    assert stub.count == 2


@pytest.mark.asyncio
@pytest.mark.parametrize("stream", [False, True])
async def test_each_deployment_has_a_time_of_its_own(stream: bool) -> None:
    async with (
        FaultStub() as stub,
        local(
            write(
                named("hasty", deployment(stub, "g", "slow-500ms", order=1, timeout=0.1)),
                named("brief", deployment(stub, "g", "slow-500ms", order=2, stream_timeout=0.1)),
                named("patient", deployment(stub, "g", "slow-300ms", order=3)),
                router_settings={"num_retries": 0, "timeout": 10},
            )
        ) as running,
    ):
        if stream:
            # A stream without a time-out of its own has that of a whole answer.
            pieces = [one async for one in running.stub.StreamCompletion(prompt("g"))]
            routing = pieces[0].routing
        else:
            routing = (await running.stub.CreateCompletion(prompt("g"))).routing

    assert (routing.deployment, routing.attempts) == (("patient", 3) if stream else ("brief", 2))


@pytest.mark.asyncio
@pytest.mark.parametrize("stream", [False, True])
async def test_each_deployment_has_seats_of_its_own(stream: bool) -> None:
    async def ask(running: Local, group: str) -> str:
        try:
            if stream:
                async for _ in running.stub.StreamCompletion(prompt(group)):
                    pass
            else:
                await running.stub.CreateCompletion(prompt(group))
        except grpc.aio.AioRpcError as error:
            failure = told(error)
            assert failure.details == {"RetryInfo"}
            assert failure.may_retry
            return failure.reason
        return "OK"

    async with (
        FaultStub() as stub,
        local(
            write(
                deployment(stub, "g", "slow-300ms", max_parallel_requests=2),
                deployment(stub, "h", "slow-300ms"),
                router_settings={"default_max_parallel_requests": 3},
            )
        ) as running,
    ):
        ends = await asyncio.gather(*(ask(running, "g" if i % 2 else "h") for i in range(8)))

    assert Counter(ends[1::2]) == {"OK": 2, "LOCAL_POOL_EXHAUSTED": 2}
    assert Counter(ends[::2]) == {"OK": 3, "LOCAL_POOL_EXHAUSTED": 1}
    assert stub.count == 5


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("mode", "kind"),
    [
        ("context-length", "context_window_fallbacks"),
        ("content-policy", "content_policy_fallbacks"),
        ("status-401", "fallbacks"),
        ("status-503", "default_fallbacks"),
    ],
)
async def test_each_kind_of_failure_has_fallbacks_of_its_own(mode: str, kind: str) -> None:
    chain = ["other"] if kind == "default_fallbacks" else [{"g": ["other"]}]
    async with (
        FaultStub() as stub,
        local(
            write(
                deployment(stub, "g", mode),
                deployment(stub, "other"),
                router_settings={"num_retries": 0, kind: chain},
            )
        ) as running,
    ):
        answer = await running.stub.CreateCompletion(prompt("g"))

    assert (answer.routing.model_group, answer.routing.attempts) == ("other", 2)
