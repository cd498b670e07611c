"""An outage is not made worse, and costs others nothing."""

import asyncio
from collections import Counter
from collections.abc import Callable

import grpc
import pytest

from understudy.server.routing.retry_budget import RESERVE, SHARE, WINDOW

from ..stub.faultstub import FaultStub
from .asking import prompt, told
from .configs import deployment, write
from .outages import report, suffer
from .running import local
from .test_splits import p_value

SECONDS = [3, pytest.param(30, marks=pytest.mark.proof)]


@pytest.mark.asyncio
@pytest.mark.parametrize("seconds", SECONDS)
@pytest.mark.parametrize("deployments", [1, 2])
async def test_an_outage_is_not_made_worse_by_default(
    seconds: float,
    deployments: int,
    record_property: Callable[[str, object], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """T-1: all that is asked says 503, to 50 calls a second."""
    found = await suffer(
        lambda stub: write(*[deployment(stub, "g") for _ in range(deployments)]), seconds, 50
    )

    report(record_property, capsys, f"{seconds} s, {deployments} deployments", found)
    assert found.logical == 50 * seconds
    assert found.upstream <= 1.1 * found.logical + RESERVE
    assert found.upstream < 0.5 * found.logical + RESERVE  # the circuit opened


@pytest.mark.asyncio
@pytest.mark.parametrize("seconds", SECONDS)
async def test_an_outage_is_not_made_worse_without_breakers_either(
    seconds: float,
    record_property: Callable[[str, object], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """T-1: the budget alone holds, however many retries a call may make."""
    settings = {"disable_cooldowns": True, "num_retries": 10}
    found = await suffer(
        lambda stub: write(deployment(stub, "g"), router_settings=settings), seconds, 50
    )

    report(record_property, capsys, f"{seconds} s, without breakers", found)
    windows = -(-seconds // WINDOW) + 1
    assert found.upstream <= (1 + SHARE) * found.logical + windows * RESERVE


@pytest.mark.asyncio
async def test_a_dead_group_keeps_its_share_of_a_split_and_its_errors() -> None:
    """Breakers move no call from one group of a split to another."""
    calls = 10_000
    async with (
        FaultStub() as stub,
        local(
            write(
                deployment(stub, "gpt-4"),
                deployment(stub, "llama-2", "status-503"),
                deployment(stub, "llama-2", "status-500"),
            )
        ) as running,
    ):
        request = prompt(models={"gpt-4": 0.8, "llama-2": 0.2})
        found, reasons = Counter[str](), Counter[str]()
        left = iter(range(calls))

        async def work() -> None:
            for _ in left:
                try:
                    answer = await running.stub.CreateCompletion(request)
                    found[answer.routing.variant] += 1
                except grpc.aio.AioRpcError as error:
                    failure = told(error)
                    found[failure.metadata["variant"]] += 1
                    reasons[failure.reason] += 1

        await asyncio.gather(*(work() for _ in range(64)))

    assert found.total() == calls
    assert p_value(found, {"gpt-4": 0.8, "llama-2": 0.2}) > 0.001
    assert found["llama-2"] == reasons.total()
    assert reasons["CIRCUIT_OPEN"] > 0.9 * reasons.total()
