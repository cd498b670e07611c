"""What mirroring costs: reserved before it is sent, settled by what it came to."""

from dataclasses import replace
from functools import partial

import pytest
from msgspec import structs

from understudy.server.config.settings import BudgetSettings, MirrorSettings
from understudy.server.domain.chat import JsonValue
from understudy.server.domain.costs import (
    CostReason,
    CostStatus,
    PerHour,
    PerSecond,
    PerToken,
    Price,
    PriceSource,
    Rates,
    Tariff,
    always,
)
from understudy.server.domain.mirroring import Offer, Outcome, SilentTarget
from understudy.server.mirror import Shed
from understudy.server.mirror.budget import NANO, Budget
from understudy.server.mirror.copies import Copy
from understudy.server.mirror.reserving import reserve_copy

from ..stub.dead_ends import refusing_port
from ..stub.eventually import eventually
from ..stub.faultstub import FaultStub
from .playing import Notes, answered, cancelled, chat, mirroring, offer, target

_MICRO_USD = 10**12  # in 10^-18 dollars: $1 for a million tokens
_PER_TOKEN = PerToken(Rates.of(_MICRO_USD, 2 * _MICRO_USD))
_ASSUMED = NANO // 100

reserved = partial(reserve_copy, at=0, timeout=10.0, assumed=_ASSUMED)


def price(tariff: Tariff = _PER_TOKEN) -> Price:
    """A price that always held."""
    return Price(PriceSource.DEPLOYMENT, "test", always(tariff))


def priced(stub: FaultStub | str, mode: str = "ok", tariff: Tariff = _PER_TOKEN) -> SilentTarget:
    """A silent model with a price, which the stub plays in the given mode."""
    one = target(stub, mode)
    return structs.replace(one, deployment=replace(one.deployment, price=price(tariff)))


def bounded(*targets: SilentTarget) -> Offer:
    """A prompt of 100 bytes that asks for at most 100 tokens: $0.0003 at the most."""
    return offer(*targets, prompt=chat(max_tokens=100))


def copy_for(one: SilentTarget, **params: JsonValue) -> Copy:
    """A copy of 100 bytes."""
    return Copy("pair", chat("hi", stream=False, **params), 100, one, 0.0)


def test_what_the_prompt_bounds_is_reserved() -> None:
    """M-23: 100 bytes are 100 tokens at most, and each of n answers has its limit."""
    one = priced("http://x")

    assert reserved(copy_for(one, max_tokens=100)) == 300_000
    assert reserved(copy_for(one, max_tokens=100, n=3)) == 700_000


def test_the_silent_models_own_limit_counts_and_its_own_words() -> None:
    one = structs.replace(priced("http://x"), params={"max_tokens": 10}, system_prompt="1234567890")

    found = reserved(copy_for(one, max_tokens=100_000))

    assert 130_000 <= found <= 130_000 + 1000 * len('{"max_tokens":10}')


def test_the_operators_default_limit_bounds_too() -> None:
    one = priced("http://x")
    limited = replace(one.deployment, defaults={"max_tokens": 100})

    found = reserved(copy_for(structs.replace(one, deployment=limited)))

    assert found < _ASSUMED


@pytest.mark.parametrize("params", [{}, {"max_tokens": -1}, {"max_tokens": "many"}])
def test_what_nothing_bounds_is_assumed(params: dict[str, JsonValue]) -> None:
    assert reserved(copy_for(priced("http://x"), **params)) == _ASSUMED


def test_what_has_no_price_is_assumed_whatever_bounds_it() -> None:
    assert reserved(copy_for(target("http://x"), max_tokens=1)) == _ASSUMED


def test_time_is_bounded_by_the_time_out_and_rent_is_paid_anyway() -> None:
    by_second = priced("http://x", tariff=PerSecond(10**18))
    by_hour = priced("http://x", tariff=PerHour(10**18))

    assert 10 * NANO <= reserved(copy_for(by_second)) <= 12 * NANO
    assert reserved(copy_for(by_hour)) == 0


def test_a_cost_takes_the_place_of_what_was_reserved_and_an_unknown_one_does_not() -> None:
    budget = Budget(usd=1.0, per=10.0)
    for _ in range(3):
        assert budget.reserve("silent", 100, 0.0)

    budget.settle("silent", 100, 30, since=0.0)
    budget.settle("silent", 100, None, since=0.0)
    budget.settle("silent", 100, 150, since=0.0)

    assert budget.spent("silent", 1.0) == 280


def test_what_was_reserved_in_one_window_is_not_given_back_in_the_next() -> None:
    budget = Budget(usd=1.0, per=10.0)
    assert budget.reserve("silent", 100, 0.0)
    assert budget.reserve("silent", 70, 10.0)

    budget.settle("silent", 100, 0, since=0.0)

    assert budget.spent("silent", 10.0) == 70


@pytest.mark.asyncio
async def test_a_thousand_at_once_spend_no_more_than_the_cap() -> None:
    """M-23: a cap for 100 calls as reserved, of which each costs about a fortieth."""
    notes = Notes()
    cap = 100 * 300_000
    settings = MirrorSettings(
        threads=4, max_queue_age=30.0, budget=BudgetSettings(usd=cap / NANO), timeout=30.0
    )
    most = 0
    async with FaultStub() as stub, mirroring(notes, settings) as mirror:
        for _ in range(1000):
            one = bounded(priced(stub, "ok+slow-20ms"))
            mirror.offer(one)
            mirror.settle(answered(one))
            state = mirror.state.silent_models[0]
            most = max(most, state.spent)
        await notes.wait_for(1000, within=30)
        (state,) = mirror.state.silent_models
    costs = [end.call.cost.nano_usd or 0 for end in notes.ends if end.call is not None]

    assert max(most, state.spent) <= cap
    assert state.spent == sum(costs) == 7_000 * stub.count
    assert notes.outcomes["PAIRED"] == stub.count >= 100
    assert set(notes.reasons) <= {"", Shed.BUDGET}


@pytest.mark.asyncio
async def test_calls_that_never_end_hold_what_they_reserved() -> None:
    """M-23."""
    notes = Notes()
    settings = MirrorSettings(max_queue_age=30.0, budget=BudgetSettings(usd=10 * 300_000 / NANO))
    async with FaultStub() as stub, mirroring(notes, settings) as mirror:
        for _ in range(100):
            mirror.offer(bounded(priced(stub, "hang-headers")))
        await notes.wait_for(90)
        assert mirror.state.silent_models[0].spent == 10 * 300_000
        assert notes.reasons == {Shed.BUDGET: 90}


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("mode", "spent", "reason"),
    [
        ("ok", 7_000, None),
        ("no-usage", 5_000 + 2 * 5_000, CostReason.NO_USAGE),
        ("status-500", 0, CostReason.NOT_CHARGED),
        ("bad-key", 0, CostReason.NOT_CHARGED),
        ("truncated", None, CostReason.NO_USAGE),
        ("close-before-headers", None, CostReason.NO_USAGE),
    ],
)
async def test_a_silent_call_is_charged_by_its_end(
    mode: str, spent: int | None, reason: CostReason | None
) -> None:
    """What nobody knows counts as much as was reserved for it."""
    notes = Notes()
    async with FaultStub() as stub, mirroring(notes) as mirror:
        one = bounded(priced(stub, mode))
        mirror.offer(one)
        mirror.settle(answered(one))
        (end,) = await notes.wait_for(1)
        total = mirror.state.silent_models[0].spent

    assert end.call is not None
    assert (end.call.cost.nano_usd, end.call.cost.reason) == (spent, reason)
    assert total == (300_000 if spent is None else spent)


@pytest.mark.asyncio
async def test_a_silent_call_that_never_left_is_not_charged() -> None:
    notes = Notes()
    with refusing_port() as port:
        async with mirroring(notes) as mirror:
            mirror.offer(bounded(priced(f"http://127.0.0.1:{port}")))
            (end,) = await notes.wait_for(1)
            assert mirror.state.silent_models[0].spent == 0

    assert end.call is not None
    assert end.call.cost.reason is CostReason.NOT_CHARGED


@pytest.mark.asyncio
async def test_a_cancelled_copy_is_charged_for_what_it_may_have_cost() -> None:
    notes = Notes()
    async with FaultStub() as stub, mirroring(notes) as mirror:
        one = bounded(priced(stub, "hang-headers"))
        mirror.offer(one)
        await eventually(lambda: stub.count)
        mirror.settle(cancelled(one))
        (end,) = await notes.wait_for(1)
        assert mirror.state.silent_models[0].spent == 300_000

    assert end.outcome is Outcome.CANCELLED
    assert end.call is not None
    assert end.call.cost.status is CostStatus.UNKNOWN
