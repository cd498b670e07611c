"""Pausing: at once, for one silent model or all, whatever waits."""

import asyncio

import pytest

from understudy.server.config.settings import MirrorSettings
from understudy.server.domain.mirroring import Disposition, Outcome
from understudy.server.mirror import Shed

from ..stub.eventually import eventually
from ..stub.faultstub import FaultStub
from .playing import Notes, answered, mirroring, offer, target

pytestmark = pytest.mark.asyncio


async def test_nothing_is_mirrored_once_a_pause_is_acknowledged() -> None:
    notes = Notes()
    async with FaultStub() as stub, mirroring(notes) as mirror:
        mirror.pause("silent")
        told = {mirror.offer(offer(target(stub))) for _ in range(2000)}

        assert told == {(Disposition("silent", False, "PAUSED"),)}
        (figures,) = [one.figures for one in mirror.state.silent_models]
        assert (figures.offered, figures.not_mirrored) == (0, {"PAUSED": 2000})
        assert (mirror.state.paused, mirror.state.silent_models[0].paused) == (False, True)
    assert (stub.count, notes.ends) == (0, [])


async def test_the_others_go_on_and_so_does_it_after_the_pause() -> None:
    notes = Notes()
    async with FaultStub() as stub, mirroring(notes) as mirror:
        mirror.pause("first")
        one = offer(target(stub, "ok", "first"), target(stub, "ok", "second"))
        assert [told.offered for told in mirror.offer(one)] == [False, True]

        mirror.resume("first")

        two = offer(target(stub, "ok", "first"))
        assert [told.offered for told in mirror.offer(two)] == [True]
        mirror.settle(answered(one))
        mirror.settle(answered(two))
        await notes.wait_for(2)


async def test_a_pause_of_everything_ends_with_everything() -> None:
    notes = Notes()
    async with FaultStub() as stub, mirroring(notes) as mirror:
        mirror.pause("silent")
        mirror.pause()
        mirror.resume("silent")
        assert mirror.offer(offer(target(stub)))[0].reason == "PAUSED"
        assert mirror.state.paused

        mirror.pause("silent")
        mirror.resume()

        assert mirror.offer(offer(target(stub)))[0].offered
    assert notes.outcomes.total() == 1


async def test_what_waits_is_not_sent_any_more() -> None:
    notes = Notes()
    settings = MirrorSettings(max_in_flight=1, max_queue_age=30)
    async with FaultStub() as stub, mirroring(notes, settings) as mirror:
        mirror.offer(offer(target(stub, "hang-headers", "other")))
        await eventually(lambda: stub.count == 1)
        for _ in range(10):
            mirror.offer(offer(target(stub)))
        await asyncio.to_thread(mirror.pause, "silent")

        ends = await notes.wait_for(10, within=1)
        assert {(end.outcome, end.reason) for end in ends} == {(Outcome.SHED, Shed.PAUSED)}
    assert stub.count == 1
