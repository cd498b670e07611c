"""The two ends of a pair, in whatever order they come."""

import asyncio
import threading

import pytest

from understudy.server.config.settings import MirrorSettings
from understudy.server.domain.mirroring import Disposition, Outcome

from ..stub.eventually import eventually
from ..stub.faultstub import FaultStub
from .playing import (
    Notes,
    answered,
    cancelled,
    chat,
    failed,
    mirroring,
    offer,
    target,
    text_of,
)

pytestmark = pytest.mark.asyncio


async def test_both_answers_are_compared_and_the_silent_one_is_kept() -> None:
    notes = Notes()
    async with FaultStub() as stub, mirroring(notes) as mirror:
        one = offer(target(stub, "gpt-4"))

        told = mirror.offer(one)
        mirror.settle(answered(one, "hello, from GPT 4"))

        assert told == (Disposition("silent", True),)
        (end,) = await notes.wait_for(1)
        assert (end.pair_id, end.silent_model) == (one.pair_id, "silent")
        assert (end.outcome, end.reason) == (Outcome.PAIRED, "")
        assert end.call is not None
        assert text_of(end.call.completion) == "Hello from gpt-4."
        assert (end.call.provider, end.call.model, end.call.status) == ("openai", "gpt-4", 200)
        assert end.call.started < end.call.ended
        assert end.call.request_bytes == len(stub.requests[0].body)
        assert end.comparison is not None
        assert (end.comparison.equal, end.comparison.normalized_equal) == (False, True)
    assert all(name.startswith("mirror-") for name in notes.threads)


async def test_a_silent_answer_waits_for_the_primarys() -> None:
    """M-17: the silent call has a time of its own, and its answer waits."""
    notes = Notes()
    async with FaultStub() as stub, mirroring(notes) as mirror:
        one = offer(target(stub))
        mirror.offer(one)
        await eventually(lambda: stub.count and mirror.state.in_flight == 0)
        assert notes.ends == []
        assert mirror.state.unsettled == 1

        mirror.settle(answered(one))

        (end,) = await notes.wait_for(1)
        assert end.outcome is Outcome.PAIRED
        assert end.comparison is not None


async def test_a_primary_that_answers_first_waits_for_the_silent_answer() -> None:
    """M-17: the primary is long done when the silent model answers."""
    notes = Notes()
    async with FaultStub() as stub, mirroring(notes) as mirror:
        one = offer(target(stub, "slow-300ms"))
        mirror.offer(one)
        mirror.settle(answered(one))

        (end,) = await notes.wait_for(1)
        assert end.outcome is Outcome.PAIRED
        assert end.comparison is not None


@pytest.mark.parametrize("mode", ["ok", "slow-100ms"])
async def test_a_primary_that_fails_leaves_the_silent_answer_unpaired(mode: str) -> None:
    """M-16: never judged."""
    notes = Notes()
    async with FaultStub() as stub, mirroring(notes) as mirror:
        one = offer(target(stub, mode))
        mirror.offer(one)
        mirror.settle(failed(one))

        (end,) = await notes.wait_for(1)
        assert (end.outcome, end.reason) == (Outcome.UNPAIRED, "PRIMARY_FAILED")
        assert end.call is not None
        assert end.call.completion is not None
        assert end.comparison is None


async def test_each_silent_model_ends_for_itself() -> None:
    notes = Notes()
    async with FaultStub() as stub, mirroring(notes) as mirror:
        one = offer(
            target(stub, "ok", "first"),
            target(stub, "status-500", "second"),
            target(stub, "slow-50ms", "third"),
        )
        told = mirror.offer(one)
        mirror.settle(answered(one))

        assert [one.silent_model for one in told] == ["first", "second", "third"]
        ends = {end.silent_model: end.outcome for end in await notes.wait_for(3)}
        assert ends == {
            "first": Outcome.PAIRED,
            "second": Outcome.FAILED,
            "third": Outcome.PAIRED,
        }


async def test_a_silent_model_named_twice_is_asked_once() -> None:
    notes = Notes()
    async with FaultStub() as stub, mirroring(notes) as mirror:
        one = offer(target(stub), target(stub))
        told = mirror.offer(one)
        mirror.settle(answered(one))
        await notes.wait_for(1)

        assert len(told) == 1
    assert stub.count == 1


async def test_a_stream_is_asked_for_where_the_primary_streams_and_is_assembled() -> None:
    notes = Notes()
    async with FaultStub() as stub, mirroring(notes) as mirror:
        one = offer(target(stub, "words-20+pace-5ms"), prompt=chat(stream=True))
        mirror.offer(one)
        mirror.settle(answered(one))

        (end,) = await notes.wait_for(1)
        assert end.outcome is Outcome.PAIRED
        assert end.call is not None
        assert text_of(end.call.completion).split()[-1] == "word19"
        assert end.call.first_delta is not None
        assert end.call.started < end.call.first_delta < end.call.ended
    assert b'"stream":true' in stub.requests[0].body


async def test_what_a_silent_model_wants_called_is_not_called() -> None:
    """M-21: its tool calls are part of its answer, no more."""
    notes = Notes()
    async with FaultStub() as stub, mirroring(notes) as mirror:
        one = offer(target(stub, "tool-call"))
        mirror.offer(one)
        mirror.settle(answered(one))

        (end,) = await notes.wait_for(1)
        assert end.comparison is not None
        assert end.comparison.same_tool_calls is False
    assert stub.count == 1


async def test_a_cancelled_primary_takes_its_copies_along() -> None:
    """M-15: the connection is closed within 100 ms."""
    notes = Notes()
    async with FaultStub() as stub, mirroring(notes) as mirror:
        one = offer(target(stub, "hang-headers", "first"), target(stub, "hang-body", "second"))
        mirror.offer(one)
        await eventually(lambda: stub.count == 2)

        mirror.settle(cancelled(one))

        await eventually(lambda: stub.open_connections == 0, within=0.1)
        ends = await notes.wait_for(2)
        assert {(end.outcome, end.reason) for end in ends} == {(Outcome.CANCELLED, "CANCELLED")}
        assert all(end.call is not None and end.call.reason == "CANCELLED" for end in ends)


async def test_a_cancelled_primary_takes_along_what_waits() -> None:
    """M-15: what was never sent never is."""
    notes = Notes()
    settings = MirrorSettings(max_in_flight=1, max_queue_age=5)
    async with FaultStub() as stub, mirroring(notes, settings) as mirror:
        mirror.offer(offer(target(stub, "hang-headers")))
        await eventually(lambda: stub.count == 1)
        one = offer(target(stub))
        mirror.offer(one)

        mirror.settle(cancelled(one))

        (end,) = await notes.wait_for(1)
        assert (end.outcome, end.call) == (Outcome.CANCELLED, None)
        assert mirror.state.queued == 0
    assert stub.count == 1


async def test_a_copy_is_cancelled_before_its_call_has_begun() -> None:
    """M-15: an end each, even where offer and cancellation meet in the thread at once."""
    notes = Notes()
    async with FaultStub() as stub, mirroring(notes) as mirror:
        for _ in range(200):
            one = offer(target(stub, "hang-headers"))
            mirror.offer(one)
            mirror.settle(cancelled(one))

        await notes.wait_for(200)
    assert notes.outcomes == {Outcome.CANCELLED: 200}


async def test_a_cancelled_primary_may_leave_its_copies_alone() -> None:
    """M-15: `on_primary_cancel: keep`."""
    notes = Notes()
    settings = MirrorSettings(on_primary_cancel="keep")
    async with FaultStub() as stub, mirroring(notes, settings) as mirror:
        one = offer(target(stub, "slow-100ms"))
        mirror.offer(one)
        mirror.settle(cancelled(one))

        (end,) = await notes.wait_for(1)
        assert (end.outcome, end.reason) == (Outcome.UNPAIRED, "PRIMARY_CANCELLED")


async def test_a_primary_that_nobody_mirrored_is_nothing_to_settle() -> None:
    notes = Notes()
    async with FaultStub() as stub, mirroring(notes) as mirror:
        mirror.settle(answered(offer(target(stub))))
        one = offer(target(stub))
        mirror.offer(one)
        mirror.settle(answered(one))
        mirror.settle(failed(one))  # said twice: the first counts

        (end,) = await notes.wait_for(1)
        assert end.outcome is Outcome.PAIRED


async def test_offers_from_many_threads_are_all_counted() -> None:
    """M-24: sync and async callers share the pool."""
    notes = Notes()
    async with FaultStub() as stub, mirroring(notes) as mirror:
        goal = target(stub)

        def call() -> None:
            for _ in range(100):
                one = offer(goal)
                mirror.offer(one)
                mirror.settle(answered(one))

        callers = [threading.Thread(target=call) for _ in range(4)]
        for caller in callers:
            caller.start()
        for caller in callers:
            await asyncio.to_thread(caller.join)
        await notes.wait_for(400, within=10)
    assert notes.outcomes == {Outcome.PAIRED: 400}
