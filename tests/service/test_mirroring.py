"""The silent model hears what the primary heard, and the caller notices nothing, over the wire."""

import json
import time
from pathlib import Path
from typing import Any

import grpc
import pytest

from understudy.v1 import completion_pb2, completion_pb2_grpc

from ..stub.eventually import eventually
from ..stub.faultstub import FaultStub
from ..stub.hostile import make_bomb
from .asking import prompt
from .configs import deployment, write
from .running import local, serving

SCHEMA = '{"type":"object","properties":{"z":{"type":"integer"},"a":{"type":"string"}}}'


def mirrored(
    primary: FaultStub, silent: FaultStub, mode: str = "ok", **params: Any
) -> tuple[dict[str, Any], ...]:
    """A primary that plays to a silent model, each on a stub of its own."""
    return (
        deployment(primary, "primary", **{"silent_model": "silent", **params}),
        deployment(silent, "silent", mode, api_key="sk-silent"),
    )


@pytest.mark.asyncio
async def test_the_silent_model_hears_the_prompt_and_nothing_of_the_caller() -> None:
    """M-21."""
    request = prompt(
        "primary",
        user="canary-user",
        metadata={"team": "canary-team"},
        requestId="canary-id",
        temperature=0.3,
        store=True,
        tools=[{"function": {"name": "f", "parametersJson": SCHEMA}}],
        extraBodyJson='{"top_k": 5}',
    )
    async with (
        FaultStub() as primary,
        FaultStub() as silent,
        local(write(*mirrored(primary, silent))) as running,
    ):
        await running.stub.CreateCompletion(request, metadata=(("x-caller", "canary-header"),))
        await eventually(lambda: silent.count == 1)

    heard, spoken = json.loads(silent.requests[0].body), json.loads(primary.requests[0].body)
    assert heard.pop("model") == "ok"
    assert heard.pop("store") is False
    assert spoken.pop("store") is True
    assert spoken.pop("user") == "canary-user"
    del spoken["model"]
    assert heard == spoken
    assert SCHEMA.encode() in silent.requests[0].body
    sent = silent.requests[0].head + silent.requests[0].body
    assert b"canary" not in sent
    assert silent.requests[0].headers["authorization"] == "Bearer sk-silent"
    assert b"sk-silent" not in primary.requests[0].head


@pytest.mark.asyncio
async def test_the_long_form_changes_what_it_says_and_no_more() -> None:
    long_form = [{"model": "silent", "system_prompt": "Be brief.", "params": {"max_tokens": 7}}]
    async with (
        FaultStub() as primary,
        FaultStub() as silent,
        local(write(*mirrored(primary, silent, silent_model=long_form))) as running,
    ):
        await running.stub.CreateCompletion(prompt("primary", max_tokens=100))
        await eventually(lambda: silent.count == 1)

    heard = json.loads(silent.requests[0].body)
    assert heard["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "hi"},
    ]
    assert heard["max_tokens"] == 7
    assert json.loads(primary.requests[0].body)["max_tokens"] == 100


@pytest.mark.asyncio
async def test_streams_are_mirrored_and_drained() -> None:
    async with (
        FaultStub() as primary,
        FaultStub() as silent,
        local(write(*mirrored(primary, silent, "words-30"))) as running,
    ):
        async for _ in running.stub.StreamCompletion(prompt("primary")):
            pass
        await eventually(lambda: silent.count == 1 and silent.requests[0].answered)

    assert json.loads(silent.requests[0].body)["stream"] is True


@pytest.mark.asyncio
async def test_retries_and_fallbacks_add_no_mirrored_call() -> None:
    """M-14, and the rival's first fault: a mirror again on every retry."""
    async with FaultStub() as primary, FaultStub() as silent:
        config = write(
            deployment(primary, "primary", "status-503", silent_model="silent"),
            deployment(primary, "other", "ok", silent_model=["silent", "second"]),
            deployment(silent, "silent"),
            deployment(silent, "second"),
            router_settings={"num_retries": 2, "fallbacks": [{"primary": ["other"]}]},
        )
        async with local(config) as running:
            answer = await running.stub.CreateCompletion(prompt("primary"))
            await eventually(lambda: silent.count == 1)
            await running.stub.CreateCompletion(prompt("other"))
            await eventually(lambda: silent.count == 3)

    assert answer.routing.attempts == 4


@pytest.mark.asyncio
async def test_a_prompt_that_refuses_is_not_mirrored() -> None:
    async with (
        FaultStub() as primary,
        FaultStub() as silent,
        local(write(*mirrored(primary, silent))) as running,
    ):
        for _ in range(20):
            await running.stub.CreateCompletion(prompt("primary", mirrorMode="MIRROR_MODE_NEVER"))
        await running.stub.CreateCompletion(prompt("primary"))
        await eventually(lambda: silent.count == 1)

    assert primary.count == 21


def timeless(answer: completion_pb2.CreateCompletionResponse) -> bytes:
    """The answer's bytes without what differs between any two calls."""
    answer.routing.request_id = answer.routing.pair_id = answer.id = ""
    answer.created = 0
    return answer.SerializeToString(deterministic=True)


FAULTS = (
    "ok",
    "hang-headers",
    "hang-body",
    "status-500",
    "status-429",
    "reset",
    "redirect-307",
    "drip-1000ms",
    "huge",
    "gzip-70",
    "brackets-1000000",
)


@pytest.mark.asyncio
@pytest.mark.parametrize("mode", FAULTS)
async def test_whatever_the_silent_model_does_the_answer_is_the_same_and_on_time(
    mode: str,
) -> None:
    """M-1 to M-10."""
    make_bomb(70)  # on the stub's loop, which is the primary's as well, it would be in its way
    async with FaultStub() as primary, FaultStub() as silent:
        plain = write(deployment(primary, "primary"), deployment(silent, "silent", mode))
        async with local(plain) as running:
            expected = timeless(await running.stub.CreateCompletion(prompt("primary")))
        async with local(write(*mirrored(primary, silent, mode))) as running:
            for _ in range(30):
                started = time.monotonic()
                answer = await running.stub.CreateCompletion(prompt("primary"))
                assert time.monotonic() - started < 0.5
                assert timeless(answer) == expected
            await eventually(lambda: silent.count > 0)


@pytest.mark.asyncio
async def test_a_stop_with_hung_mirrors_is_on_time(tmp_path: Path) -> None:
    """M-18."""
    quick = {"server": {"port": 0, "drain": {"delay": "100ms", "grace": "2s"}}}
    async with FaultStub() as primary, FaultStub() as silent:
        config = write(*mirrored(primary, silent, "hang-headers"), understudy=quick)
        with serving(config, tmp_path) as server:
            async with grpc.aio.insecure_channel(server.target) as channel:
                stub = completion_pb2_grpc.CompletionServiceStub(channel)
                for _ in range(64):
                    await stub.CreateCompletion(prompt("primary"))
                await eventually(lambda: silent.count == 64)
            started = time.monotonic()
            code = server.stop()
            took = time.monotonic() - started

    assert code == 0
    assert took < 4


@pytest.mark.asyncio
async def test_what_the_client_sends_again_is_not_mirrored_again() -> None:
    """Of a call that gRPC itself repeats, the header says so."""
    retries: dict[str, Any] = {
        "methodConfig": [
            {
                "name": [{}],
                "retryPolicy": {
                    "maxAttempts": 5,
                    "initialBackoff": "0.2s",
                    "maxBackoff": "0.2s",
                    "backoffMultiplier": 1,
                    "retryableStatusCodes": ["RESOURCE_EXHAUSTED"],
                },
            }
        ]
    }
    async with FaultStub() as primary, FaultStub() as silent:
        slow = deployment(
            primary, "primary", "slow-300ms", silent_model="silent", max_parallel_requests=1
        )
        config = write(slow, deployment(silent, "silent", api_key="sk-silent"))
        async with (
            local(config) as running,
            grpc.aio.insecure_channel(
                running.service.address, options=[("grpc.service_config", json.dumps(retries))]
            ) as channel,
        ):
            first = running.stub.CreateCompletion(prompt("primary"))
            await eventually(lambda: primary.count == 1)
            again = await completion_pb2_grpc.CompletionServiceStub(channel).CreateCompletion(
                prompt("primary")
            )
            await first
            await eventually(
                lambda: running.service.engine.mirror.state.silent_models[0].figures.not_mirrored
            )
            figures = running.service.engine.mirror.state.silent_models[0].figures

    assert again.choices
    assert primary.count == 2
    assert silent.count == 1
    assert figures.not_mirrored == {"CLIENT_RETRY": 1}
