"""Silent models that misbehave: each ends by its name, in time and within bounds."""

import asyncio
import resource
import socket
import threading
import time
from collections.abc import Sequence

import pytest

from understudy.server.config.settings import MirrorSettings
from understudy.server.domain.mirroring import Outcome
from understudy.server.errors import Reason

from ..stub.dead_ends import black_hole, refusing_port
from ..stub.eventually import eventually
from ..stub.faultstub import FaultStub
from ..stub.runners import stub_process
from .playing import Notes, answered, mirroring, offer, open_http, target

pytestmark = pytest.mark.asyncio

_TIMEOUT = 0.5
_SLACK = 0.25  # what M-6 allows
_SETTINGS = MirrorSettings(timeout=_TIMEOUT, max_response_bytes=64 << 10)

FAILED, TIMED_OUT = Outcome.FAILED, Outcome.TIMED_OUT


@pytest.mark.parametrize(
    ("mode", "outcome", "reason"),
    [
        ("ok", Outcome.PAIRED, ""),
        ("stream", Outcome.PAIRED, ""),
        ("hang-headers", TIMED_OUT, Reason.UPSTREAM_READ_TIMEOUT),
        ("hang-body", TIMED_OUT, Reason.UPSTREAM_READ_TIMEOUT),
        ("drip-100ms", TIMED_OUT, Reason.UPSTREAM_READ_TIMEOUT),
        ("drip-head-100ms", TIMED_OUT, Reason.UPSTREAM_READ_TIMEOUT),
        ("heartbeat-20ms", TIMED_OUT, Reason.UPSTREAM_READ_TIMEOUT),
        ("informational", TIMED_OUT, Reason.UPSTREAM_READ_TIMEOUT),
        ("status-500", FAILED, Reason.UPSTREAM_INTERNAL_ERROR),
        ("status-503", FAILED, Reason.UPSTREAM_UNAVAILABLE),
        ("status-429", FAILED, Reason.UPSTREAM_RATE_LIMITED),
        ("reset", FAILED, Reason.UPSTREAM_CONNECTION_LOST),
        ("reset-mid-body", FAILED, None),
        ("truncated", FAILED, None),
        ("close-before-headers", FAILED, None),
        ("redirect-301", FAILED, Reason.UPSTREAM_REDIRECT_REFUSED),
        ("redirect-307", FAILED, Reason.UPSTREAM_REDIRECT_REFUSED),
        ("words-50000", FAILED, Reason.UPSTREAM_RESPONSE_TOO_LARGE),
        ("huge-declared", FAILED, Reason.UPSTREAM_RESPONSE_TOO_LARGE),
        ("gzip-64", FAILED, Reason.UPSTREAM_BAD_ENCODING),
        ("brackets-60000", FAILED, Reason.UPSTREAM_MALFORMED_RESPONSE),
        ("brackets", FAILED, None),  # malformed or too large, whichever is seen first
        ("huge", FAILED, None),
        ("bad-utf8", FAILED, Reason.UPSTREAM_MALFORMED_RESPONSE),
        ("big-number-60000", FAILED, Reason.UPSTREAM_MALFORMED_RESPONSE),
        ("http09", FAILED, None),
        ("junk", FAILED, None),
        ("many-headers-1000", FAILED, None),
        ("long-header", FAILED, None),
        ("empty", FAILED, None),
        ("html", FAILED, None),
    ],
)
async def test_a_fault_ends_by_its_name_and_in_time(
    mode: str, outcome: Outcome, reason: str | None
) -> None:
    """M-2, M-4, M-5, M-6, M-7, M-8, M-9, M-10: read to the cap, cut at the deadline, closed."""
    notes = Notes()
    async with FaultStub() as elsewhere, FaultStub(redirect_to=elsewhere.url) as stub:
        async with mirroring(notes, _SETTINGS) as mirror:
            one = offer(target(stub, mode))
            began = time.monotonic()
            mirror.offer(one)
            mirror.settle(answered(one))

            (end,) = await notes.wait_for(1)

            took = time.monotonic() - began
            assert end.outcome is outcome, end
            assert reason is None or end.reason == reason
            assert took < _TIMEOUT + _SLACK
            assert outcome is not TIMED_OUT or took > _TIMEOUT - 0.05
            assert end.call is not None
            assert end.call.response_bytes < _SETTINGS.max_response_bytes + (256 << 10)
            if outcome is TIMED_OUT or end.reason == Reason.UPSTREAM_RESPONSE_TOO_LARGE:
                await eventually(lambda: stub.open_connections == 0)
        assert stub.count == 1  # one attempt, whatever came of it
        assert elsewhere.connection_count == 0


@pytest.mark.parametrize(
    ("mode", "reason"),
    [
        ("huge", Reason.UPSTREAM_MALFORMED_RESPONSE),  # which is seen before it is known as huge
        ("huge-declared", Reason.UPSTREAM_RESPONSE_TOO_LARGE),
        ("words-500000", Reason.UPSTREAM_RESPONSE_TOO_LARGE),
    ],
)
async def test_the_cap_of_a_mebibyte_holds_against_a_gigabyte(mode: str, reason: Reason) -> None:
    """M-5: reading stops at the cap, the connection is closed and not drained; memory stays."""
    notes = Notes()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    async with FaultStub() as stub, mirroring(notes) as mirror:
        for _ in range(4):
            mirror.offer(offer(target(stub, mode)))
        ends = await notes.wait_for(4)

        assert {end.reason for end in ends} == {reason}
        assert all(end.call is not None and end.call.response_bytes < 2 << 20 for end in ends)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 << 10  # KiB


@pytest.mark.parametrize("mode", ["brackets-1000000", "bad-utf8", "big-number-1000000"])
async def test_hostile_bodies_do_not_hold_up_the_service(mode: str) -> None:
    """M-7: what is nested or counted without end is skipped, not built."""
    notes = Notes()
    delays: list[float] = []

    async def beat() -> None:
        while True:
            began = time.monotonic()
            await asyncio.sleep(0.002)
            delays.append(time.monotonic() - began - 0.002)

    with stub_process() as url:
        async with mirroring(notes) as mirror:
            heart = asyncio.create_task(beat())
            for _ in range(4):
                mirror.offer(offer(target(url, mode)))
            await notes.wait_for(4)
            await eventually(lambda: len(delays) > 10)
            heart.cancel()

    # The budget is 5 ms; the bound leaves room for a busy machine.
    assert sorted(delays)[len(delays) // 2] < 0.025
    assert notes.outcomes == {Outcome.FAILED: 4}


async def test_nobody_listens_or_nobody_accepts() -> None:
    """M-3: a refused connection fails at once, a black hole at the limit for connecting."""
    notes = Notes()
    upstream = open_http(connect_timeout=0.3)
    with refusing_port() as refusing, black_hole() as hole:
        async with mirroring(notes, upstream=upstream) as mirror:
            for port in (refusing, hole):
                mirror.offer(offer(target(f"http://127.0.0.1:{port}")))
            await notes.wait_for(2, within=1.0)

    assert notes.reasons == {
        Reason.UPSTREAM_CONNECT_FAILED: 1,
        Reason.UPSTREAM_CONNECT_TIMEOUT: 1,
    }
    assert notes.outcomes == {FAILED: 1, TIMED_OUT: 1}


async def test_names_that_never_resolve_hold_up_no_other() -> None:
    """M-11: with more hung look-ups than any executor has threads."""
    notes = Notes()
    release = threading.Event()

    def look_up(host: str) -> Sequence[str]:
        if host.startswith("hang"):
            release.wait(timeout=10)
            raise socket.gaierror(socket.EAI_AGAIN, "gave up")
        return ["127.0.0.1"]

    upstream = open_http(lookup=look_up, lookup_timeout=0.5)
    async with FaultStub() as stub, mirroring(notes, _SETTINGS, upstream) as mirror:
        for number in range(12):
            mirror.offer(offer(target(f"http://hang-{number}.test:80", group=f"hung-{number}")))
        one = offer(target(f"http://well.test:{stub.port}", group="well"))
        mirror.offer(one)
        mirror.settle(answered(one))

        (first,) = await notes.wait_for(1, within=0.4)
        assert (first.silent_model, first.outcome) == ("well", Outcome.PAIRED)
        await asyncio.get_running_loop().run_in_executor(None, lambda: None)
        await notes.wait_for(13, within=1.0)
        release.set()

    assert notes.outcomes[Outcome.PAIRED] == 1


async def test_a_prompt_is_sent_to_a_slow_reader_without_holding_up_anybody() -> None:
    """M-20: the silent model reads nothing of a prompt of 1 MiB."""
    notes = Notes()
    async with (
        FaultStub(reads="nothing") as deaf,
        FaultStub() as stub,
        mirroring(notes, _SETTINGS) as mirror,
    ):
        slow = offer(target(deaf, system_prompt="x" * (1 << 20)), size=1 << 20)
        mirror.offer(slow)
        quick = offer(target(stub, group="quick"))
        mirror.offer(quick)
        mirror.settle(answered(quick))

        (first,) = await notes.wait_for(1, within=_TIMEOUT - 0.1)
        assert first.silent_model == "quick"
        await notes.wait_for(2)

    assert notes.outcomes == {Outcome.PAIRED: 1, TIMED_OUT: 1}


async def test_a_provider_that_is_not_spoken_to_fails_and_nothing_else() -> None:
    notes = Notes()
    async with FaultStub() as stub, mirroring(notes) as mirror:
        odd = target(stub)
        object.__setattr__(odd.deployment, "provider", "nobody")

        mirror.offer(offer(odd))

        (end,) = await notes.wait_for(1)
        assert (end.outcome, end.reason, end.call) == (FAILED, Reason.INTERNAL, None)
        assert stub.count == 0
