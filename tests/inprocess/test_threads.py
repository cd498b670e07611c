"""Threads and event loops share one engine, on one thread, for as long as there is a Router."""

import asyncio
import gc
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from understudy import client
from understudy.server import Router

from ..stub.eventually import eventually_sync
from ..stub.faultstub import FaultStub
from .asking import HI, ask, make_router


def router_threads() -> int:
    return sum(one.name == "understudy-router" for one in threading.enumerate())


def test_a_router_begins_its_thread_with_the_first_call_and_ends_it_when_closed(
    stub: FaultStub,
) -> None:
    before = set(threading.enumerate())
    router = make_router(stub, "ok")
    assert not set(threading.enumerate()) - before

    ask(router, "sync", "ok")
    assert set(threading.enumerate()) - before

    router.close()
    eventually_sync(lambda: not set(threading.enumerate()) - before)


def test_fifty_threads_are_served_by_one(stub: FaultStub) -> None:
    with make_router(stub, "slow-200ms") as router, ThreadPoolExecutor(50) as pool:
        ask(router, "sync", "slow-200ms")
        before = threading.active_count()
        calls = [pool.submit(ask, router, "sync", "slow-200ms") for _ in range(200)]
        eventually_sync(lambda: stub.count >= 100)
        assert threading.active_count() <= before + 50

        assert {call.result() for call in calls} == {"Hello from slow-200ms."}


def test_a_thousand_tasks_are_served_by_one_thread(stub: FaultStub) -> None:
    async def many() -> set[str]:
        calls = [router.acompletion("slow-300ms", HI) for _ in range(1000)]
        answers = await asyncio.gather(*calls)
        return {one.choices[0].message.content for one in answers}

    with make_router(stub, "slow-300ms") as router:
        ask(router, "sync", "slow-300ms")
        before = threading.active_count()
        assert asyncio.run(many()) == {"Hello from slow-300ms."}
        assert threading.active_count() <= before


def test_a_router_serves_one_event_loop_after_another(stub: FaultStub) -> None:
    with make_router(stub, "ok") as router:
        for _ in range(3):
            assert ask(router, "async", "ok") == "Hello from ok."
            assert ask(router, "async stream", "ok") == "Hello from ok."

    assert stub.connection_count == 1


def test_event_loops_in_several_threads_share_a_router(stub: FaultStub) -> None:
    with make_router(stub, "ok") as router, ThreadPoolExecutor(8) as pool:
        ask(router, "sync", "ok")
        before = router_threads()
        calls = [pool.submit(ask, router, "awaited stream", "ok") for _ in range(40)]
        assert {call.result() for call in calls} == {"Hello from ok."}
        assert router_threads() <= before


@pytest.mark.asyncio
async def test_a_sync_call_on_a_running_loop_is_answered(stub: FaultStub) -> None:
    async with make_router(stub, "ok") as router:
        assert router.completion("ok", HI).choices[0].message.content == "Hello from ok."


def test_closing_ends_the_calls_under_way(stub: FaultStub) -> None:
    router = make_router(stub, "hang-headers", "words-3+hang-body")
    stream = router.completion("words-3+hang-body", HI, stream=True)
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(ask, router, "sync", "hang-headers")
        eventually_sync(lambda: stub.count == 2)

        router.close()

        with pytest.raises(client.Cancelled, match="the router was closed"):
            call.result(2)
    with pytest.raises(client.Cancelled, match="the router was closed"):
        list(stream)
    eventually_sync(lambda: not stub.open_connections)


@pytest.mark.asyncio
async def test_closing_ends_the_calls_of_event_loops_too(stub: FaultStub) -> None:
    router = make_router(stub, "hang-headers")
    call = asyncio.create_task(router.acompletion("hang-headers", HI))
    await asyncio.to_thread(eventually_sync, lambda: stub.count == 1)

    await router.aclose()

    with pytest.raises(client.Cancelled, match="the router was closed"):
        await call


@pytest.mark.parametrize("used", [False, True])
def test_a_closed_router_says_so(stub: FaultStub, used: bool) -> None:
    router = make_router(stub, "ok")
    if used:
        ask(router, "sync", "ok")
    router.close()
    router.close()

    for way in ("sync", "sync stream", "async", "async stream"):
        with pytest.raises(client.Cancelled, match="the router was closed"):
            ask(router, way, "ok")


def test_a_forgotten_router_ends_its_thread(stub: FaultStub) -> None:
    before = router_threads()
    router = make_router(stub, "ok")
    ask(router, "sync", "ok")
    del router
    gc.collect()

    eventually_sync(lambda: router_threads() <= before)
    eventually_sync(lambda: not stub.open_connections)


def test_a_stream_keeps_a_forgotten_router_going(stub: FaultStub) -> None:
    stream = make_router(stub, "words-200+pace-1ms").completion(
        "words-200+pace-1ms", HI, stream=True
    )
    gc.collect()

    assert len(list(stream)) > 200


def test_a_router_that_cannot_start_says_why_at_each_call() -> None:
    simulated = {"model_name": "m", "litellm_params": {"model": "simulated/ok"}}
    with Router([simulated], understudy={"egress": {"ca_file": "/no/such/file"}}) as router:
        for _ in range(2):
            with pytest.raises(Exception, match=r"understudy\.egress\.ca_file"):
                ask(router, "sync", "m")
