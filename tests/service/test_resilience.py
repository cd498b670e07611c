"""What a model that fails costs others: retries, circuits and rests, over the wire."""

import asyncio
import re
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import grpc
import pytest
from click.testing import CliRunner

from understudy import client
from understudy.server.cli.status import status as show_status
from understudy.server.routing.breaker import Circuit
from understudy.server.routing.retry_budget import RESERVE, SHARE, WINDOW
from understudy.v1 import operations_pb2, operations_pb2_grpc

from ..stub.eventually import eventually
from ..stub.faultstub import FaultStub
from .asking import Piece, Request, Told, prompt, told
from .configs import deployment, write
from .running import Local, local
from .test_failures import drain_into
from .test_splits import p_value

State = operations_pb2.DeploymentStatus.State


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
