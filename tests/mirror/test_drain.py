"""Going down: what is under way may end within the grace, the rest is cancelled and counted."""

import asyncio
import subprocess
import sys
import threading
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from understudy.server.config.settings import MirrorSettings
from understudy.server.domain.mirroring import Outcome
from understudy.server.errors import ConfigError
from understudy.server.mirror import Shed, ThreadedMirror
from understudy.server.ports import Upstream
from understudy.server.providers import dialect

from ..stub.eventually import eventually
from ..stub.faultstub import FaultStub
from ..stub.runners import stub_process
from .playing import Notes, answered, check_balance, mirroring, offer, open_http, target

pytestmark = pytest.mark.asyncio


async def test_calls_under_way_end_within_the_grace_and_no_later_than_they_do() -> None:
    notes = Notes()
    async with FaultStub() as stub:
        began = time.monotonic()
        async with mirroring(notes, grace=5) as mirror:
            for _ in range(20):
                one = offer(target(stub, "slow-200ms"))
                mirror.offer(one)
                mirror.settle(answered(one))
        assert time.monotonic() - began < 2
    assert notes.outcomes == {Outcome.PAIRED: 20}


async def test_what_waits_may_be_sent_within_the_grace_though_other_threads_are_done() -> None:
    notes = Notes()
    settings = MirrorSettings(threads=8, max_in_flight=1)
    async with FaultStub() as stub, mirroring(notes, settings, grace=5) as mirror:
        for _ in range(6):
            one = offer(target(stub, "slow-50ms"))
            mirror.offer(one)
            mirror.settle(answered(one))
    assert notes.outcomes == {Outcome.PAIRED: 6}


async def test_hung_calls_are_cancelled_after_the_grace() -> None:
    """M-18: sockets closed, everything counted, and no thread left."""
    notes = Notes()
    settings = MirrorSettings(max_in_flight=64, max_queue_age=60)
    before = threading.active_count()
    async with FaultStub() as stub:
        async with mirroring(notes, settings, grace=0.3) as mirror:
            for _ in range(70):
                mirror.offer(offer(target(stub, "hang-body")))
            await eventually(lambda: stub.count == 64)
            began = time.monotonic()
        assert 0.25 < time.monotonic() - began < 1.3
        await eventually(lambda: stub.open_connections == 0)
        await eventually(lambda: threading.active_count() <= before)
    assert notes.reasons == {"STOPPING": 70}
    assert notes.outcomes == {Outcome.CANCELLED: 64, Outcome.SHED: 6}


async def test_what_is_offered_after_the_end_is_shed() -> None:
    notes = Notes()
    async with FaultStub() as stub:
        async with mirroring(notes) as mirror:
            pass
        assert mirror.state.stopping

        one = offer(target(stub))
        told = mirror.offer(one)
        mirror.settle(answered(one))

        assert told[0].offered
        assert notes.reasons == {Shed.STOPPING: 1}
        check_balance(mirror, notes)
        await mirror.drain(1)  # said twice
    assert stub.count == 0


async def test_an_answer_whose_primary_was_never_heard_of_ends_unpaired() -> None:
    notes = Notes()
    async with FaultStub() as stub, mirroring(notes) as mirror:
        mirror.offer(offer(target(stub)))
        await eventually(lambda: stub.count and mirror.state.in_flight == 0)
        assert notes.ends == []
    assert [(end.outcome, end.reason) for end in notes.ends] == [
        (Outcome.UNPAIRED, "NEVER_SETTLED")
    ]


async def test_offers_during_the_drain_are_each_counted_once() -> None:
    """M-24: whichever side of the end an offer falls on."""
    notes = Notes()
    async with FaultStub() as stub:
        async with mirroring(notes, grace=0.05) as mirror:
            over = threading.Event()
            offered = 0

            def call() -> None:
                nonlocal offered
                while not over.is_set():
                    mirror.offer(offer(goal))
                    offered += 1
                    time.sleep(0.0005)

            goal = target(stub, "hang-headers")
            caller = threading.Thread(target=call)
            caller.start()
            await eventually(lambda: stub.count > 10)
            await mirror.drain(0.05)
            over.set()
            await asyncio.to_thread(caller.join)
        check_balance(mirror, notes)
    assert len(notes.ends) == offered


@pytest.mark.parametrize("opens", [0, 1])
async def test_an_upstream_that_cannot_be_opened_is_told_at_the_start(opens: int) -> None:
    """Nor is a thread left whose own upstream could be."""
    tickets = [True] * opens

    @asynccontextmanager
    async def broken() -> AsyncGenerator[Upstream]:
        if not tickets:
            raise ConfigError(["understudy.egress.ca_file: no such file"])
        tickets.pop()
        async with open_http()() as upstream:
            yield upstream

    before = threading.active_count()
    mirror = ThreadedMirror(MirrorSettings(), dialect=dialect, upstream=broken, journal=Notes())

    with pytest.raises(ConfigError, match="ca_file"):
        await mirror.start()

    await eventually(lambda: threading.active_count() <= before)


async def test_a_mirror_that_was_never_started_sheds() -> None:
    notes = Notes()
    mirror = ThreadedMirror(MirrorSettings(), dialect=dialect, upstream=open_http(), journal=notes)

    mirror.offer(offer(target("http://127.0.0.1:9")))

    await mirror.drain(0)
    assert notes.reasons == {Shed.STOPPING: 1}


async def test_a_process_with_hung_calls_ends() -> None:
    """M-18: neither a hung call nor a hung look-up keeps the interpreter, drained or not."""
    with stub_process() as url:
        for drains in (True, False):
            began = time.monotonic()
            run = await asyncio.to_thread(
                subprocess.run,
                [sys.executable, "-c", _PROGRAM, url, str(drains)],
                cwd=Path(__file__).parents[2],
                capture_output=True,
                text=True,
                timeout=20,
            )
            assert (run.returncode, run.stdout) == (0, "64\n"), run.stderr
            assert time.monotonic() - began < 10


_PROGRAM = """
import asyncio, sys
from understudy.server.config.settings import MirrorSettings
from tests.mirror.playing import Notes, ThreadedMirror, dialect, offer, open_http, target
from tests.stub.eventually import eventually

async def main(url, drains):
    notes = Notes()
    mirror = ThreadedMirror(
        MirrorSettings(), dialect=dialect, upstream=open_http(), journal=notes
    )
    await mirror.start()
    goal = target(url, "hang-headers")
    for _ in range(64):
        mirror.offer(offer(goal))
    await eventually(lambda: mirror.state.in_flight == 64)
    if drains:
        await mirror.drain(0.2)
        assert notes.outcomes == {"CANCELLED": 64}
    print(64)

asyncio.run(main(sys.argv[1], sys.argv[2] == "True"))
"""
