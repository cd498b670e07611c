"""The split that is set is the split that is served, over the wire."""

import asyncio
import math
from collections import Counter

import pytest

from ..stub.faultstub import FaultStub
from .asking import Request, prompt
from .configs import deployment, write
from .running import Local, local

CALLS = 10_000


async def served(running: Local, request: Request, by: str) -> Counter[str]:
    """Make the calls, 64 at a time; count who answered."""
    found: Counter[str] = Counter()
    left = iter(range(CALLS))

    async def work() -> None:
        for _ in left:
            answer = await running.stub.CreateCompletion(request)
            found[getattr(answer.routing, by)] += 1

    await asyncio.gather(*(work() for _ in range(64)))
    return found


def p_value(observed: Counter[str], shares: dict[str, float]) -> float:
    """Return the p of chi-square with one degree of freedom."""
    assert observed.keys() == shares.keys()
    total = observed.total()
    chi2 = sum(
        (observed[name] - share * total) ** 2 / (share * total) for name, share in shares.items()
    )
    return math.erfc(math.sqrt(chi2 / 2))


@pytest.mark.asyncio
async def test_ten_thousand_calls_follow_the_weights_of_a_group() -> None:
    async with (
        FaultStub() as stub,
        local(
            write(
                deployment(stub, "g", "ok", weight=0.8) | {"model_info": {"id": "large"}},
                deployment(stub, "g", "ok", weight=0.2) | {"model_info": {"id": "small"}},
            )
        ) as running,
    ):
        found = await served(running, prompt("g"), "deployment")

    assert p_value(found, {"large": 0.8, "small": 0.2}) > 0.001


@pytest.mark.asyncio
async def test_ten_thousand_calls_follow_the_weights_of_a_call() -> None:
    async with (
        FaultStub() as stub,
        local(write(deployment(stub, "gpt-4"), deployment(stub, "llama-2"))) as running,
    ):
        request = prompt(models={"gpt-4": 0.8, "llama-2": 0.2})
        found = await served(running, request, "variant")

    assert p_value(found, {"gpt-4": 0.8, "llama-2": 0.2}) > 0.001


@pytest.mark.asyncio
async def test_a_failing_deployment_leaves_the_others_in_their_own_proportion() -> None:
    async with (
        FaultStub() as stub,
        local(
            write(
                deployment(stub, "g", "status-503", weight=2) | {"model_info": {"id": "bad"}},
                deployment(stub, "g", "ok", weight=3) | {"model_info": {"id": "large"}},
                deployment(stub, "g", "ok", weight=1) | {"model_info": {"id": "small"}},
            )
        ) as running,
    ):
        found = await served(running, prompt("g"), "deployment")

    assert found.total() == CALLS
    assert p_value(found, {"large": 0.75, "small": 0.25}) > 0.001
