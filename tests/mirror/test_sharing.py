"""Processes that share a cap never spend more than it, however they take turns, die and return."""

from dataclasses import dataclass, field

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from understudy.server.domain.spending import Spending
from understudy.server.mirror.leasing import Account, Ask

from .test_leasing import MODEL, WINDOW
from .test_leasing import account as new_account
from .test_leasing import fetch as tell_and_ask
from .treasury import MemoryTreasury

PROCESSES = 4


@dataclass(slots=True)
class Process:
    """A process that is played: its account, its calls under way, and what it has asked for."""

    account: Account
    calls: list[int] = field(default_factory=list[int])
    ask: Ask | None = None
    answer: tuple[int, Spending] | None = None


class Sharing(RuleBasedStateMachine):
    """Processes that take turns at every point where they may."""

    bounded = True  # whether no call costs more than was reserved

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.treasury = MemoryTreasury()
        self.paid = 0  # what the provider has charged
        self.beyond = 0  # of which more than was reserved
        self.killed = False

    @initialize(cap=st.integers(0, 2000))
    def begin(self, cap: int) -> None:
        """Start all processes."""
        self.cap = cap
        self.processes = [Process(new_account(cap)) for _ in range(PROCESSES)]

    numbers = st.integers(0, PROCESSES - 1)

    @rule(number=numbers, cost=st.integers(0, 300))
    def reserve(self, number: int, cost: int) -> None:
        """Begin a call, if there is money for it."""
        process = self.processes[number]
        if process.account.reserve(cost, self.now):
            process.calls.append(cost)

    @precondition(lambda self: any(one.calls for one in self.processes))
    @rule(data=st.data())
    def settle(self, data: st.DataObject) -> None:
        """End a call: for less than was reserved, or nobody knows for how much."""
        process = data.draw(st.sampled_from([one for one in self.processes if one.calls]))
        reserved = process.calls.pop(data.draw(st.integers(0, len(process.calls) - 1)))
        most = reserved if self.bounded else 2 * reserved + 50
        cost = data.draw(st.none() | st.integers(0, most))
        process.account.settle(reserved, cost)
        charged = reserved if cost is None else cost
        self.paid += charged
        self.beyond += max(charged - reserved, 0)

    @rule(number=numbers, is_due=st.booleans())
    def ask(self, number: int, is_due: bool) -> None:
        """Begin to fetch."""
        process = self.processes[number]
        if process.ask is None:
            process.ask = process.account.find_ask(self.now, is_due=is_due)

    @rule(number=numbers, is_heard=st.booleans())
    def answer(self, number: int, is_heard: bool) -> None:
        """Let the treasury answer, which may be lost on the way."""
        process = self.processes[number]
        if process.ask is not None and process.answer is None:
            process.answer = self.treasury.hold(process.ask.lease, process.ask.decide)
            if not is_heard:
                process.ask = process.answer = None

    @rule(number=numbers)
    def take(self, number: int) -> None:
        """Take what the treasury has answered."""
        process = self.processes[number]
        if process.ask is not None and process.answer is not None:
            process.account.take(process.ask, *process.answer, self.now, 0)
            process.ask = process.answer = None

    @rule(number=numbers)
    def fetch(self, number: int) -> None:
        """Fetch in one go."""
        if self.processes[number].ask is None:
            tell_and_ask(self.treasury, self.processes[number].account, self.now)

    @rule(seconds=st.sampled_from([0.1, 1.0, 6.0]))
    def pass_time(self, seconds: float) -> None:
        """Let others become idle, and be told again."""
        self.now += seconds

    @rule(number=numbers)
    def look(self, number: int) -> None:
        """Hear what all have spent."""
        one = self.processes[number].account
        one.hear(self.treasury.look(WINDOW).get(MODEL, Spending()), 0)

    @rule(number=numbers, is_seen=st.booleans())
    def kill(self, number: int, is_seen: bool) -> None:
        """Kill a process; the provider charges all that it had under way. Another takes over."""
        process = self.processes[number]
        self.killed = True
        self.paid += sum(process.calls)
        if is_seen:
            self.treasury.dead.add(process.account.id)
        self.processes[number] = Process(new_account(self.cap))

    @rule(number=numbers)
    def drain(self, number: int) -> None:
        """End a process as it should be, with calls under way of unknown cost, and start another."""
        process = self.processes[number]
        self.paid += sum(process.calls)
        lease = process.account.final()
        if lease is not None:
            self.treasury.end(lease)
        self.processes[number] = Process(new_account(self.cap))

    @invariant()
    def nobody_overspends(self) -> None:
        """What is paid, and may be for calls under way, is within the cap, and what it overshot."""
        under_way = sum(sum(one.calls) for one in self.processes)
        assert self.paid + under_way <= self.cap + self.beyond
        if self.bounded:
            assert self.treasury.sum(MODEL, WINDOW).taken <= self.cap

    @invariant()
    def everything_is_accounted_for(self) -> None:
        """Leases that ended, and those of the living as they know them, add up to what was paid."""
        if self.killed:
            return
        ended = sum(row.lease.spent for row in self.treasury.rows.values() if row.has_ended)
        assert ended + sum(one.account.spent for one in self.processes) == self.paid

    def teardown(self) -> None:
        """In the end, all drained, the treasury knows what was paid, or more after kills."""
        if not hasattr(self, "processes"):
            return
        for number in range(PROCESSES):
            self.drain(number)
        taken = self.treasury.sum(MODEL, WINDOW)
        assert taken.leased == 0 or self.killed
        assert taken.taken >= self.paid or (self.killed and not self.bounded)
        if not self.killed:
            assert (taken.spent, taken.overshoot) == (self.paid, self.beyond)


class Overshooting(Sharing):
    """The same, where calls may cost more than was reserved for them."""

    bounded = False


@pytest.mark.parametrize("machine", [Sharing, Overshooting])
def test_no_interleaving_overspends(machine: type[Sharing]) -> None:
    few = settings(max_examples=100, stateful_step_count=40, deadline=None)
    run_state_machine_as_test(machine, settings=few)


@pytest.mark.proof
@pytest.mark.parametrize("machine", [Sharing, Overshooting])
def test_no_interleaving_of_many_overspends(machine: type[Sharing]) -> None:
    many = settings(max_examples=2000, stateful_step_count=60, deadline=None)
    run_state_machine_as_test(machine, settings=many)
