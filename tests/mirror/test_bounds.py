"""Bounds: in flight, in the queue, by count, bytes and age. What is beyond them is shed."""

import asyncio
import threading
import time

import pytest

from understudy.server.config.settings import MirrorSettings
from understudy.server.domain.mirroring import Outcome
from understudy.server.mirror import Shed
from understudy.server.ports import Dialect
from understudy.server.providers import dialect

from ..stub.eventually import eventually
from ..stub.faultstub import FaultStub
from ..stub.runners import stub_process
from .playing import Notes, answered, mirroring, offer, target

pytestmark = pytest.mark.asyncio


async def test_no_more_calls_are_in_flight_than_may_be() -> None:
    """M-2, M-12, M-25: the rest waits for at most the queue's age, and is then shed."""
    notes = Notes()
    settings = MirrorSettings(max_in_flight=4, max_queue_age=0.3, threads=3)
    async with FaultStub() as stub, mirroring(notes, settings) as mirror:
        began = time.monotonic()
        for number in range(20):
            mirror.offer(offer(target(stub, "hang-headers", f"model-{number % 2}")))
        await eventually(lambda: stub.count == 4)
        assert (mirror.state.in_flight, mirror.state.queued) == (4, 16)

        await notes.wait_for(16)

        assert 0.25 < time.monotonic() - began < 0.8
        assert notes.reasons == {Shed.IN_FLIGHT: 16}
        assert (stub.count, mirror.state.queued) == (4, 0)


async def test_a_silent_model_has_seats_of_its_own() -> None:
    """M-25: one that hangs leaves the others theirs."""
    notes = Notes()
    settings = MirrorSettings(max_in_flight_per_model=2, max_queue_age=0.3)
    async with FaultStub() as stub, mirroring(notes, settings) as mirror:
        for _ in range(5):
            mirror.offer(offer(target(stub, "hang-headers", "hung")))
        await eventually(lambda: stub.count == 2)
        one = offer(target(stub, "ok", "well"))
        mirror.offer(one)
        mirror.settle(answered(one))

        (end,) = await notes.wait_for(1)
        assert end.silent_model == "well"
        await notes.wait_for(4)
        assert notes.reasons[Shed.IN_FLIGHT_PER_MODEL] == 3


async def test_a_burst_waits_for_its_turn() -> None:
    """M-12: the queue is for bursts, whichever thread's copies hold the seats."""
    notes = Notes()
    settings = MirrorSettings(max_in_flight=2, threads=4)
    async with FaultStub() as stub, mirroring(notes, settings) as mirror:
        for _ in range(40):
            one = offer(target(stub, "slow-10ms"))
            mirror.offer(one)
            mirror.settle(answered(one))

        await notes.wait_for(40)
    assert notes.outcomes == {Outcome.PAIRED: 40}
    assert stub.connection_count <= 8


async def test_silent_models_take_turns_for_the_last_seat() -> None:
    notes = Notes()
    settings = MirrorSettings(max_in_flight=1, threads=1)
    async with FaultStub() as stub, mirroring(notes, settings) as mirror:
        for number in range(12):
            one = offer(target(stub, "slow-5ms", "busy" if number < 10 else f"rare-{number}"))
            mirror.offer(one)
            mirror.settle(answered(one))

        ends = await notes.wait_for(12)
        assert {end.silent_model for end in ends[:4]} == {"busy", "rare-10", "rare-11"}


async def test_the_queue_is_bounded_by_count() -> None:
    """M-19: rejects at the bound, at once."""
    notes = Notes()
    settings = MirrorSettings(max_in_flight=1, max_queue=10, max_queue_age=60)
    async with FaultStub() as stub, mirroring(notes, settings) as mirror:
        mirror.offer(offer(target(stub, "hang-headers")))
        await eventually(lambda: stub.count == 1)
        for _ in range(50_000):
            mirror.offer(offer(target(stub)))

        assert notes.reasons == {Shed.QUEUE_FULL: 49_990}
        assert mirror.state.queued == 10


async def test_the_queue_is_bounded_by_bytes() -> None:
    """M-20: big prompts are counted, not lost in silence."""
    notes = Notes()
    settings = MirrorSettings(max_in_flight=1, max_queue_bytes=1000, max_queue_age=60)
    async with FaultStub() as stub, mirroring(notes, settings) as mirror:
        mirror.offer(offer(target(stub, "hang-headers")))
        await eventually(lambda: stub.count == 1)
        for size in (600, 600, 400, 1):
            mirror.offer(offer(target(stub), size=size))

        assert notes.reasons == {Shed.QUEUE_BYTES: 2}
        assert mirror.state.queued_bytes == 1000


async def test_a_deployments_own_seats_count_for_its_silent_calls() -> None:
    notes = Notes()
    async with FaultStub() as stub, mirroring(notes, MirrorSettings(max_queue_age=0.2)) as mirror:
        goal = target(stub, "hang-headers")
        object.__setattr__(goal.deployment, "max_parallel_requests", 1)
        for _ in range(3):
            mirror.offer(offer(goal))

        await notes.wait_for(2)
        assert notes.reasons == {Shed.IN_FLIGHT_PER_MODEL: 2}
        assert stub.count == 1


async def test_what_waited_too_long_for_its_thread_is_shed() -> None:
    """M-12: the age counts from the offer, whoever let it wait."""
    notes = Notes()
    settings = MirrorSettings(threads=1, max_queue_age=0.1)

    def think(provider: str) -> Dialect:
        time.sleep(0.3)
        return dialect(provider)

    async with FaultStub() as stub, mirroring(notes, settings, speak=think) as mirror:
        one = offer(target(stub))
        mirror.offer(one)
        mirror.settle(answered(one))
        await eventually(lambda: mirror.state.in_flight == 1)
        mirror.offer(offer(target(stub)))

        await notes.wait_for(2)
    assert notes.reasons == {"": 1, Shed.TOO_OLD: 1}


async def test_two_thousand_calls_in_flight_need_no_further_thread() -> None:
    """Threads are constant: those of the mirror, and no others."""
    notes = Notes()
    settings = MirrorSettings(max_in_flight=2000, max_in_flight_per_model=2000, max_queue=2000)
    before = threading.active_count()
    async with FaultStub() as stub:
        async with mirroring(notes, settings) as mirror:
            goal = target(stub, "hang-headers")
            for _ in range(2000):
                mirror.offer(offer(goal))
            await eventually(lambda: stub.count == 2000, within=20)

            assert mirror.state.in_flight == 2000
            assert threading.active_count() <= before + settings.threads
            assert stub.open_connections == 2000
        await eventually(lambda: threading.active_count() <= before)
        await eventually(lambda: stub.open_connections == 0)
    assert notes.outcomes == {Outcome.CANCELLED: 2000}


async def test_an_offer_costs_the_primary_microseconds() -> None:
    """Measured, and held to a bound that a busy machine keeps; the budget is 50 µs."""
    notes = Notes()
    costs: list[float] = []
    with stub_process() as url:
        async with mirroring(notes) as mirror:
            goal = target(url)
            for _ in range(500):
                one = offer(goal)
                began = time.perf_counter()
                mirror.offer(one)
                costs.append(time.perf_counter() - began)
                mirror.settle(answered(one))
                await asyncio.sleep(0.001)
            await notes.wait_for(500)

    costs.sort()
    print(f"an offer costs {costs[250] * 1e6:.0f} µs, p99 {costs[495] * 1e6:.0f} µs")
    assert costs[250] < 0.0005
