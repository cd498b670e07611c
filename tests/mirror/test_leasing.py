"""A lease is large enough to be topped up rarely, and small enough that others get theirs."""

from itertools import count

from understudy.server.domain.spending import Spending, Window
from understudy.server.mirror.leasing import IDLE, SHARE, TELL_EVERY, Account

from .treasury import MemoryTreasury

MODEL = "silent"
WINDOW = Window(0, 1000)
_IDS = count()


def account(cap: int) -> Account:
    """A new account of a process of its own."""
    return Account(f"lease-{next(_IDS)}", MODEL, WINDOW, cap)


def fetch(treasury: MemoryTreasury, one: Account, now: float = 100.0) -> bool:
    """Tell and ask for what there is to be told and asked; return whether there was anything."""
    ask = one.find_ask(now)
    if ask is None:
        return False
    granted, others = treasury.hold(ask.lease, ask.decide)
    one.take(ask, granted, others, now, 0)
    return True


def spend(treasury: MemoryTreasury, one: Account, cost: int) -> bool:
    """Pay for a call, fetching what it takes; return whether there was enough."""
    if not one.reserve(cost, 100.0):
        one.refused = 0.0
        fetch(treasury, one)
        if not one.reserve(cost, 100.0):
            return False
    one.settle(cost, cost)
    return True


def test_windows_are_the_same_for_everybody() -> None:
    day = 86_400_000_000

    assert Window.at(day - 1, day) == Window(0, day)
    assert Window.at(day, day) == Window(day, 2 * day)


def test_four_share_a_small_cap_and_spend_all_of_it() -> None:
    treasury = MemoryTreasury()
    accounts = [account(100) for _ in range(4)]
    paid = [0] * 4
    while sum(spend(treasury, one, 1) for one in accounts):
        for number, one in enumerate(accounts):
            paid[number] = one.spent

    assert sum(one.spent for one in accounts) == 100
    assert min(paid) >= 20


def test_a_lease_takes_a_fraction_of_what_is_left_and_no_more() -> None:
    treasury = MemoryTreasury()
    one = account(16_000)
    assert spend(treasury, one, 100)

    assert one.granted == 16_000 // SHARE


def test_a_large_cap_takes_few_writes() -> None:
    """A write for many calls, and where the rest is small, one for each at worst."""
    treasury = MemoryTreasury()
    one = account(100_000)
    calls = 0
    while spend(treasury, one, 10):
        calls += 1
        if one.is_low:
            fetch(treasury, one)

    assert (calls, one.spent) == (10_000, 100_000)
    assert treasury.writes < 700


def test_what_an_idle_process_has_left_is_for_others() -> None:
    treasury = MemoryTreasury()
    idle, busy = account(100), account(100)
    assert spend(treasury, idle, 6)
    assert treasury.sum(MODEL, WINDOW).taken == idle.granted

    assert fetch(treasury, idle, 100.0 + IDLE + 1)

    assert treasury.sum(MODEL, WINDOW) == Spending(spent=6)
    assert sum(spend(treasury, busy, 1) for _ in range(200)) == 94


def test_what_is_spent_is_told_from_time_to_time_and_only_if_it_changed() -> None:
    treasury = MemoryTreasury()
    one = account(10_000)
    assert spend(treasury, one, 1)
    assert not fetch(treasury, one, 100.0 + TELL_EVERY / 2)
    assert fetch(treasury, one, 100.0 + TELL_EVERY)
    assert treasury.sum(MODEL, WINDOW).spent == 1
    assert not fetch(treasury, one, 102.0 + TELL_EVERY)


def test_what_costs_more_than_was_reserved_counts_and_is_told() -> None:
    treasury = MemoryTreasury()
    one, other = account(100), account(100)
    one.reserve(10, 100.0)
    fetch(treasury, one)
    assert one.reserve(10, 100.0)
    one.settle(10, 95)
    fetch(treasury, one, 200.0)

    assert treasury.sum(MODEL, WINDOW) == Spending(spent=95, overshoot=85)
    assert not spend(treasury, other, 6)
    assert spend(treasury, other, 5)


def test_what_nobody_knows_the_cost_of_counts_as_reserved() -> None:
    one = account(100)
    one.granted = 50
    assert one.reserve(30, 0.0)
    one.settle(30, None)

    assert (one.spent, one.reserved, one.free, one.overshoot) == (30, 0, 20, 0)


def test_what_is_free_needs_no_lease() -> None:
    assert account(0).reserve(0, 0.0)


def test_a_process_that_is_refused_does_not_ask_at_once_again() -> None:
    treasury = MemoryTreasury()
    one = account(100)
    assert not one.reserve(101, 100.0)
    assert fetch(treasury, one)
    assert not one.reserve(101, 100.5)

    assert one.find_ask(100.5) is None
    assert one.find_ask(101.5) is not None


def test_what_is_reserved_while_more_is_fetched_is_no_refusal() -> None:
    treasury = MemoryTreasury()
    one = account(1600)
    assert not one.reserve(30, 100.0)
    assert fetch(treasury, one)
    assert not one.reserve(200, 100.0)
    ask = one.find_ask(100.0)
    assert ask is not None
    assert one.reserve(30, 100.0)
    one.take(ask, *treasury.hold(ask.lease, ask.decide), 100.0, 0)

    assert one.refused == 0.0
