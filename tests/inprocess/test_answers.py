"""A Router answers as a client of the service does, and fails as it does."""

import asyncio
from collections.abc import AsyncIterable, Awaitable
from typing import cast

import pytest

from understudy import client
from understudy.client import to_dict
from understudy.client.parameters import Parameters
from understudy.server import Router

from ..service.configs import deployment, write
from ..service.running import local
from ..stub.faultstub import FaultStub
from .asking import HI, WAYS, Way, ask, ask_async, make_router

FAILING = [
    "status-400", "status-401", "status-404", "status-429", "status-500", "context-length",
    "content-policy", "close-before-headers", "bad-json", "sse-error", "no-such-group",
]  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
def test_every_way_of_asking_is_answered(stub: FaultStub, way: Way) -> None:
    with make_router(stub, "ok") as router:
        assert ask(router, way, "ok") == "Hello from ok."


def test_an_answer_says_who_gave_it(stub: FaultStub) -> None:
    with make_router(stub, "ok") as router:
        answer = router.completion(model="ok", messages=HI, request_id="mine")

    assert answer.routing.model_group == "ok"
    assert answer.routing.request_id == "mine"
    assert answer.routing.pair_id
    assert to_dict(answer)["choices"][0]["message"]["content"] == "Hello from ok."


def test_a_stream_begins_with_its_routing_and_ends_with_its_usage(stub: FaultStub) -> None:
    with make_router(stub, "words-300") as router:
        pieces = list(router.completion("words-300", HI, stream=True))

    assert [bool(one.routing.pair_id) for one in pieces] == [True] + [False] * (len(pieces) - 1)
    assert pieces[-1].usage.completion_tokens == 300
    assert len(pieces) > 300


def test_parameters_reach_the_model(stub: FaultStub) -> None:
    with make_router(stub, "ok") as router:
        router.completion("ok", HI, temperature=0.5, stop="x", extra_body={"top_k": 3})

    body = stub.requests[0].body
    assert b'"temperature":0.5' in body
    assert b'"stop":["x"]' in body
    assert b'"top_k":3' in body


@pytest.mark.asyncio
@pytest.mark.parametrize("way", ["async", "awaited stream"])
@pytest.mark.parametrize("mode", FAILING)
async def test_failures_are_those_that_a_client_of_the_service_sees(
    stub: FaultStub, mode: str, way: Way
) -> None:
    groups = [] if mode == "no-such-group" else [deployment(stub, mode, mode)]

    async with (
        local(write(*groups, router_settings={"num_retries": 0})) as running,
        client.AsyncClient(running.service.address) as caller,
        Router(groups, num_retries=0) as router,
    ):
        if way == "async":
            expected = await _failure(caller.completion(mode, HI))
        else:
            expected = await _failure(_drain(caller.completion(mode, HI, stream=True)))
        found = await _failure(ask_async(router, way, mode))

    assert _told(found) == _told(expected)


async def _failure(call: Awaitable[object]) -> client.UnderstudyError:
    with pytest.raises(client.UnderstudyError) as failed:
        await call
    return failed.value


async def _drain(pieces: AsyncIterable[object]) -> None:
    async for _ in pieces:
        pass


def _told(error: client.UnderstudyError) -> object:
    """All that an error tells, but for the ids of the call."""
    metadata = {key: value for key, value in error.metadata.items() if key != "requestId"}
    return (
        type(error),
        error.reason,
        error.code,
        error.message,
        metadata,
        error.retry_after,
        error.violations,
        error.repeatable,
    )


@pytest.mark.parametrize("way", WAYS)
def test_a_call_ends_with_its_timeout(stub: FaultStub, way: Way) -> None:
    with make_router(stub, "hang-headers") as router, pytest.raises(client.DeadlineExceeded):
        ask(router, way, "hang-headers", timeout=0.1)


@pytest.mark.parametrize("way", WAYS)
def test_what_has_no_meaning_is_refused_at_once(stub: FaultStub, way: Way) -> None:
    with make_router(stub, "ok") as router:
        misspelt = cast("Parameters", {"temprature": 1})
        with pytest.raises(TypeError, match="temprature"):
            ask(router, way, "ok", **misspelt)
        with pytest.raises(client.InvalidArgument) as refused:
            ask(router, way, "ok", temperature=7)
        with pytest.raises(ValueError, match="timeout"):
            ask(router, way, "ok", timeout=-1)

    assert refused.value.violations[0].field == "temperature"
    assert stub.count == 0


def test_what_no_model_was_asked_for_is_asked_again_as_a_client_would(stub: FaultStub) -> None:
    crowded = deployment(stub, "slow-300ms", "slow-300ms", max_parallel_requests=1)

    async def both() -> list[str]:
        return await asyncio.gather(*(ask_async(router, "async", "slow-300ms") for _ in range(2)))

    with Router([crowded]) as router:
        assert asyncio.run(both()) == ["Hello from slow-300ms."] * 2
