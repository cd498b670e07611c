"""Money that is fetched in a thread of its own: what waits for it, and what happens without it."""

import logging
import threading
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from msgspec import structs

from understudy.server.config.settings import BudgetSettings, MirrorSettings
from understudy.server.domain.costs import PerToken, Price, PriceSource, Rates, always
from understudy.server.domain.mirroring import Offer, Outcome
from understudy.server.domain.spending import Lease, Spending, Window
from understudy.server.errors import Reason, RefusedError
from understudy.server.mirror import Shed, ThreadedMirror
from understudy.server.mirror.budget import NANO
from understudy.server.mirror.purse import Reservation
from understudy.server.mirror.shared_purse import SharedPurse
from understudy.server.mirror.shedding import Hold
from understudy.server.providers import dialect

from ..stub.eventually import eventually, eventually_sync
from ..stub.faultstub import FaultStub
from .playing import Notes, answered, chat, check_balance, mirroring, offer, open_http, target
from .treasury import MemoryTreasury

_TOKENS = 3  # that the stub says
_CALL = _TOKENS * NANO // 100  # what a call costs, and the most that it can
_PRICE = Price(
    PriceSource.DEPLOYMENT, "test", always(PerToken(Rates.of(0, 10**16)))
)  # free input, and a cent for a token


class Bank(MemoryTreasury):
    """A treasury that may hang, or be away."""

    def __init__(self) -> None:
        super().__init__()
        self.away = ""
        self.entered = 0
        self.is_open = threading.Event()
        self.is_open.set()
        self.threads: set[str] = set()

    def hold(self, lease: Lease, decide: Callable[[Spending], int]) -> tuple[int, Spending]:
        """Write a lease down."""
        self._enter()
        return super().hold(lease, decide)

    def end(self, lease: Lease) -> None:
        """Write down that a lease has ended."""
        self._enter()
        super().end(lease)

    def look(self, window: Window) -> Mapping[str, Spending]:
        """Return what all have taken."""
        self._enter()
        return super().look(window)

    def _enter(self) -> None:
        self.entered += 1
        self.threads.add(threading.current_thread().name)
        self.is_open.wait(20)
        if self.away:
            raise RefusedError(Reason.STORE_UNAVAILABLE, self.away)


class Calendar:
    """Tells an instant of the test's own, in microseconds since 1970."""

    def __init__(self, now: int) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now


def settings(calls: int, *, per: float = 86_400.0 * 1000, age: float = 10.0) -> MirrorSettings:
    """Settings with money for so many calls."""
    return MirrorSettings(
        max_queue_age=age, budget=BudgetSettings(usd=calls * _CALL / NANO, per=per)
    )


@asynccontextmanager
async def paying(
    bank: Bank, notes: Notes, chosen: MirrorSettings, calendar: Callable[[], int] | None = None
) -> AsyncGenerator[ThreadedMirror]:
    """Run a mirror on money from a bank; in the end it is drained, and its ledger must balance."""
    mirror = ThreadedMirror(
        chosen,
        dialect=dialect,
        upstream=open_http(),
        journal=notes,
        treasury=bank,
        calendar=calendar or (lambda: time.time_ns() // 1000),
    )
    await mirror.start()
    try:
        yield mirror
    finally:
        await mirror.drain(0.0)
    check_balance(mirror, notes)


def bounded(stub: FaultStub, mode: str = "ok") -> Offer:
    """A prompt that costs the same whatever the answer."""
    one = target(stub, mode)
    priced = structs.replace(one, deployment=replace(one.deployment, price=_PRICE))
    return offer(priced, prompt=chat(max_tokens=_TOKENS))


def play(mirror: ThreadedMirror, stub: FaultStub, count: int, mode: str = "ok") -> None:
    """Offer prompts, and answer them."""
    for _ in range(count):
        one = bounded(stub, mode)
        mirror.offer(one)
        mirror.settle(answered(one))


def warnings(caplog: pytest.LogCaptureFixture, about: str) -> list[str]:
    """What was warned of."""
    return [one.getMessage() for one in caplog.records if about in one.getMessage()]


@pytest.mark.asyncio
async def test_a_thousand_at_once_spend_the_cap_and_no_more() -> None:
    """M-23: in leases, of which there are far fewer than calls."""
    bank, notes = Bank(), Notes()
    async with FaultStub() as stub, paying(bank, notes, settings(100)) as mirror:
        play(mirror, stub, 1000, "ok+slow-20ms")
        await notes.wait_for(1000, within=30)
        (state,) = mirror.state.silent_models
        assert (state.spent, state.cap) == (100 * _CALL, 100 * _CALL)

    assert stub.count == 100
    assert notes.reasons == {"": 100, Shed.BUDGET: 900}
    assert bank.threads == {"mirror-purse"}


@pytest.mark.asyncio
async def test_two_mirrors_of_one_treasury_spend_the_cap_together() -> None:
    bank, notes, others = Bank(), Notes(), Notes()
    async with (
        FaultStub() as stub,
        paying(bank, notes, settings(60)) as mirror,
        paying(bank, others, settings(60)) as other,
    ):
        for _ in range(10):
            play(mirror, stub, 10)
            play(other, stub, 10)
        await notes.wait_for(100, within=20)
        await others.wait_for(100, within=20)

    assert 58 <= stub.count <= 60
    assert min(notes.outcomes["PAIRED"], others.outcomes["PAIRED"]) >= 10


@pytest.mark.asyncio
async def test_what_is_left_at_the_end_is_given_back() -> None:
    bank, notes = Bank(), Notes()
    async with FaultStub() as stub, paying(bank, notes, settings(160)) as mirror:
        play(mirror, stub, 5)
        await notes.wait_for(5)

    (row,) = bank.rows.values()
    assert row.has_ended
    assert row.lease.spent == 5 * _CALL
    assert bank.sum("silent", row.lease.window) == Spending(spent=5 * _CALL)


@pytest.mark.asyncio
async def test_what_was_spent_before_a_start_counts_and_is_shown() -> None:
    bank = Bank()
    async with FaultStub() as stub:
        for number in (1, 2):
            notes = Notes()
            async with paying(bank, notes, settings(20)) as mirror:
                if number == 2:
                    await eventually(lambda: mirror.state.silent_models)
                    assert mirror.state.silent_models[0].spent == 12 * _CALL
                play(mirror, stub, 12)
                await notes.wait_for(12)
    assert stub.count == 20


@pytest.mark.asyncio
async def test_copies_wait_while_money_is_being_fetched_and_no_longer_than_others() -> None:
    bank, notes = Bank(), Notes()
    bank.is_open.clear()
    async with FaultStub() as stub, paying(bank, notes, settings(160, age=0.3)) as mirror:
        play(mirror, stub, 3)
        await notes.wait_for(3)
        assert notes.reasons == {Shed.BUDGET: 3}

        play(mirror, stub, 3)
        await eventually(lambda: mirror.state.queued == 3)
        bank.is_open.set()
        await notes.wait_for(6)
    assert notes.outcomes == {Outcome.SHED: 3, Outcome.PAIRED: 3}


def test_who_comes_while_more_is_being_fetched_hears_when_it_is_there() -> None:
    bank, heard = Bank(), threading.Event()
    purse = SharedPurse(BudgetSettings(usd=1000), bank, calendar=lambda: 0, on_money=heard.set)
    purse.start()
    eventually_sync(lambda: isinstance(purse.reserve("m", _CALL, 0.0), Reservation))
    eventually_sync(lambda: bank.entered and not purse.outlays(0.0)["m"].leased < 8 * _CALL)
    bank.is_open.clear()
    before = bank.entered
    while bank.entered == before:  # more is asked for before it is needed
        assert isinstance(purse.reserve("m", _CALL, 0.0), Reservation)
        time.sleep(0.005)
    while isinstance(found := purse.reserve("m", _CALL, 0.0), Reservation):
        pass
    heard.clear()

    bank.is_open.set()

    assert found is Hold.MONEY
    assert heard.wait(5)
    assert isinstance(purse.reserve("m", _CALL, 0.0), Reservation)
    purse.close().result(5)


@pytest.mark.asyncio
async def test_a_treasury_that_is_away_is_told_of_once_and_so_is_its_return(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """What was had before is spent; simulated models and free ones need none."""
    bank, notes = Bank(), Notes()
    with caplog.at_level(logging.WARNING):
        async with FaultStub() as stub, paying(bank, notes, settings(1600)) as mirror:
            play(mirror, stub, 1)
            await notes.wait_for(1)
            bank.away = "the disk is full"
            play(mirror, stub, 200)
            await notes.wait_for(201, within=20)
            before = notes.outcomes["PAIRED"]
            assert 1 < before <= 1 + 32
            assert notes.reasons == {"": before, Shed.BUDGET: 201 - before}
            assert warnings(caplog, "is spent") == []
            (told,) = warnings(caplog, "cannot be had")
            assert "the disk is full" in told

            bank.away = ""
            await eventually(lambda: warnings(caplog, "can be had again"), within=10)
            play(mirror, stub, 100)
            await notes.wait_for(301, within=20)
    assert notes.outcomes["PAIRED"] == before + 100
    assert len(warnings(caplog, "budget")) == 2


@pytest.mark.asyncio
async def test_a_treasury_that_hangs_does_not_keep_the_process(
    caplog: pytest.LogCaptureFixture,
) -> None:
    bank, notes = Bank(), Notes()
    async with FaultStub() as stub, paying(bank, notes, settings(160)) as mirror:
        play(mirror, stub, 1)
        await notes.wait_for(1)
        bank.is_open.clear()
        began = time.monotonic()
    assert time.monotonic() - began < 5
    assert warnings(caplog, "not given back")
    bank.is_open.set()


@pytest.mark.asyncio
async def test_a_new_window_has_a_cap_of_its_own_and_what_began_before_is_of_before(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Windows are of the calendar; each is warned of once."""
    hour = 3_600_000_000
    bank, notes, calendar = Bank(), Notes(), Calendar(10 * hour + 1)
    chosen = settings(4, per=3600.0)
    with caplog.at_level(logging.WARNING):
        async with FaultStub() as stub, paying(bank, notes, chosen, calendar) as mirror:
            play(mirror, stub, 1, "ok+slow-500ms")
            play(mirror, stub, 10)
            await notes.wait_for(10)
            assert mirror.state.in_flight == 1
            calendar.now = 11 * hour
            assert mirror.state.silent_models[0].spent == 0
            play(mirror, stub, 10)
            await notes.wait_for(21)
            assert mirror.state.silent_models[0].spent == 4 * _CALL
            await eventually(lambda: any(row.has_ended for row in bank.rows.values()), within=5)

    spent = {row.lease.window.start // hour: row.lease.spent for row in bank.rows.values()}
    assert spent == {10: 4 * _CALL, 11: 4 * _CALL}
    assert stub.count == 8
    first, second = warnings(caplog, "is spent")
    assert "$0.12 until 1970-01-01 11:00:00 UTC" in first
    assert "12:00:00" in second


@pytest.mark.asyncio
async def test_what_costs_more_than_was_reserved_is_shown() -> None:
    bank, notes = Bank(), Notes()
    async with FaultStub() as stub, paying(bank, notes, settings(10)) as mirror:
        one = bounded(stub)
        (goal,) = one.targets
        mirror.offer(offer(goal, prompt=chat(max_tokens=1)))
        await eventually(lambda: mirror.state.silent_models and stub.count)
        await eventually(lambda: not mirror.state.in_flight)
        (state,) = mirror.state.silent_models
        assert (state.outlay.spent, state.outlay.overshoot) == (_CALL, _CALL * 2 // 3)


@pytest.mark.asyncio
async def test_a_mirror_without_a_treasury_has_a_cap_of_its_own() -> None:
    notes = Notes()
    async with FaultStub() as stub, mirroring(notes, settings(3)) as mirror:
        play(mirror, stub, 10)
        await notes.wait_for(10)
        (state,) = mirror.state.silent_models
    assert (stub.count, state.spent, state.outlay.seen) == (3, 3 * _CALL, None)
