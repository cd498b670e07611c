"""What a model that fails costs others: circuits and rests, over the wire."""

import asyncio
import re
import time
from collections import Counter

import grpc
import pytest
from click.testing import CliRunner

from understudy.server.cli.status import status as show_status
from understudy.server.routing.breaker import Circuit
from understudy.v1 import operations_pb2

from ..stub.eventually import eventually
from ..stub.faultstub import FaultStub
from .asking import prompt, told
from .configs import deployment, write
from .outages import fail, named, status
from .running import local
from .test_splits import p_value

State = operations_pb2.DeploymentStatus.State


@pytest.mark.asyncio
async def test_a_dead_deployment_leaves_its_group_in_proportion_and_is_hardly_asked() -> None:
    calls = 3000
    async with (
        FaultStub() as stub,
        local(
            write(
                named("bad", deployment(stub, "g", "status-503", weight=4)),
                named("large", deployment(stub, "g", weight=3)),
                named("small", deployment(stub, "g", weight=1)),
            )
        ) as running,
    ):
        found = Counter[str]()
        for _ in range(calls):
            answer = await running.stub.CreateCompletion(prompt("g"))
            found[answer.routing.deployment] += 1
        is_open = (await status(running, "bad")).state != State.STATE_CLOSED

    assert found.total() == calls
    assert p_value(found, {"large": 0.75, "small": 0.25}) > 0.001
    assert stub.count < calls + 20
    assert is_open


@pytest.mark.asyncio
async def test_a_lone_deployment_that_is_down_is_told_of_at_once_and_tried_after_its_rest() -> None:
    quick = {"allowed_fails": 2, "cooldown_time": 0.3, "num_retries": 0}
    async with (
        FaultStub(mode="status-503") as stub,
        local(write(named("one", deployment(stub, "g")), router_settings=quick)) as running,
    ):
        for _ in range(3):
            assert (await fail(running, prompt("g"))).reason == "UPSTREAM_UNAVAILABLE"
        refused = await fail(running, prompt("g"))
        now = time.time()
        shown = await status(running, "one")
        target = ["--target", running.service.address]
        terminal = CliRunner(env={"COLUMNS": "200"})
        printed = await asyncio.to_thread(terminal.invoke, show_status, target)
        stub.mode = "ok"
        circuit = running.service.engine.gate.standing
        await eventually(lambda: circuit("one").trial_in == 0)
        await running.stub.CreateCompletion(prompt("g"))
        after = await status(running, "one")

    assert (refused.code, refused.reason) == (grpc.StatusCode.UNAVAILABLE, "CIRCUIT_OPEN")
    assert refused.details == {"RetryInfo"}
    assert refused.may_retry
    assert refused.metadata["cause"] == "UPSTREAM_UNAVAILABLE"
    assert stub.count == 4
    assert (shown.state, shown.in_flight) == (State.STATE_OPEN, 0)
    assert shown.reason == "left alone after UPSTREAM_UNAVAILABLE"
    assert shown.open_time.ToNanoseconds() / 1e9 < now
    assert now - 0.1 < shown.trial_time.ToNanoseconds() / 1e9 < now + 0.4
    assert re.search(
        r"open since \d\d:\d\d:\d\d UTC, tried again at \d\d:\d\d:\d\d: left alone after",
        " ".join(printed.output.split()),
    )
    assert after.state == State.STATE_CLOSED
    assert not after.HasField("trial_time")


@pytest.mark.asyncio
async def test_without_others_to_ask_a_failure_is_told_rather_than_a_circuit() -> None:
    """The second deployment is left alone: what the first said is what the caller reads."""
    resting = {"allowed_fails": 0, "cooldown_time": 60, "num_retries": 0}
    async with (
        FaultStub() as stub,
        local(
            write(
                named("a", deployment(stub, "g", "status-500", order=1)),
                named("b", deployment(stub, "g", "status-503", order=2)),
                deployment(stub, "h", "status-504"),
                router_settings=resting | {"fallbacks": [{"h": ["g"]}]},
            )
        ) as running,
    ):
        first = await fail(running, prompt("g"))
        second = await fail(running, prompt("h"))

    assert (first.reason, first.metadata["deployment"]) == ("UPSTREAM_UNAVAILABLE", "b")
    assert second.reason == "UPSTREAM_GATEWAY_TIMEOUT"
    assert second.metadata["model"] == "status-504"
    assert second.metadata["attempt"] == "1"
    assert not second.may_retry
    assert stub.count == 3


@pytest.mark.asyncio
async def test_of_several_rests_the_shortest_is_told() -> None:
    async with FaultStub(mode="status-503") as stub:
        config = write(
            named("a", deployment(stub, "g", cooldown_time=5)),
            named("b", deployment(stub, "g", cooldown_time=500)),
            router_settings={"allowed_fails": 0, "num_retries": 1},
        )
        async with local(config) as running:
            await fail(running, prompt("g"))
            refused = [await fail(running, prompt("g")) for _ in range(10)]

    assert {one.metadata["deployment"] for one in refused} == {"a"}
    assert stub.count == 2


@pytest.mark.asyncio
async def test_a_cancelled_trial_leaves_the_next_one_free() -> None:
    quick = {"allowed_fails": 0, "cooldown_time": 0.1, "num_retries": 0}
    async with (
        FaultStub(mode="status-503") as stub,
        local(write(named("one", deployment(stub, "g")), router_settings=quick)) as running,
    ):
        standing = running.service.engine.gate.standing
        await fail(running, prompt("g"))
        await eventually(lambda: standing("one").trial_in == 0)
        stub.mode = "hang-headers"
        trial = running.stub.CreateCompletion(prompt("g"))
        await eventually(lambda: stub.count == 2)
        assert standing("one").circuit is Circuit.HALF_OPEN
        assert (await fail(running, prompt("g"))).reason == "CIRCUIT_OPEN"
        trial.cancel()
        await eventually(lambda: standing("one").circuit is Circuit.OPEN)
        stub.mode = "ok"

        await running.stub.CreateCompletion(prompt("g"))

    assert stub.count == 3


@pytest.mark.asyncio
@pytest.mark.parametrize("lone", [False, True])
async def test_a_limit_is_waited_for_elsewhere(lone: bool) -> None:
    """T-4: a lone deployment is asked again by the next caller."""
    limited = deployment(stub := FaultStub(), "g", "status-429+retry-after-30", weight=1000)
    others = [] if lone else [deployment(stub, "g", weight=1)]
    async with stub:
        for one in (limited, *others):
            one["litellm_params"]["api_base"] = f"{stub.url}/v1"
        config = write(named("limited", limited), *others, router_settings={"num_retries": 1})
        async with local(config) as running:
            for _ in range(20):
                if lone:
                    request = running.stub.CreateCompletion(prompt("g"), timeout=5)
                    with pytest.raises(grpc.aio.AioRpcError) as caught:
                        await request
                    assert told(caught.value).reason == "UPSTREAM_RATE_LIMITED"
                else:
                    await running.stub.CreateCompletion(prompt("g"))
            shown = await status(running, "limited")

    asked = Counter(seen.model for seen in stub.requests)["status-429+retry-after-30"]
    assert asked == (20 if lone else 1)
    assert shown.state == (State.STATE_CLOSED if lone else State.STATE_OPEN)


@pytest.mark.asyncio
async def test_neither_the_mirrors_failures_nor_the_primarys_touch_the_other() -> None:
    """M-4, M-25."""
    async with FaultStub() as primary, FaultStub(mode="status-500") as silent:
        config = write(
            deployment(primary, "primary", silent_model="silent"),
            named("one", deployment(silent, "silent")),
            named("two", deployment(silent, "silent", weight=0)),
            router_settings={"num_retries": 0},
        )
        async with local(config) as running:
            mirror = running.service.engine.mirror
            for _ in range(30):
                await running.stub.CreateCompletion(prompt("primary"))
            await eventually(lambda: mirror.state.silent_models[0].circuit is Circuit.OPEN)
            spared = await status(running, "one")
            asked = silent.count
            told_by = await fail(running, prompt("silent"))

    assert spared.state == State.STATE_CLOSED
    assert told_by.reason == "UPSTREAM_INTERNAL_ERROR"
    assert silent.count == asked + 1


@pytest.mark.asyncio
async def test_a_primary_that_is_left_alone_is_still_mirrored_to() -> None:
    """M-25."""
    async with FaultStub() as primary, FaultStub(mode="status-500") as silent:
        config = write(
            deployment(primary, "primary", silent_model="silent"),
            deployment(silent, "silent"),
            router_settings={"num_retries": 0, "allowed_fails": 0, "cooldown_time": 60},
        )
        async with local(config) as running:
            await fail(running, prompt("silent"))
            assert (await fail(running, prompt("silent"))).reason == "CIRCUIT_OPEN"
            silent.mode = "ok"
            await running.stub.CreateCompletion(prompt("primary"))
            await eventually(lambda: silent.count == 2)
