"""The joiner, the ledger and the queue, in any order of events: one end each, and a balance."""

from collections import Counter

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from understudy.server.domain.completion import Completion
from understudy.server.domain.mirroring import (
    Comparison,
    Outcome,
    PrimaryEnd,
    SilentCall,
    SilentEnd,
)
from understudy.server.evaluation.comparison import compare
from understudy.server.mirror.joiner import Joiner
from understudy.server.mirror.ledger import Tally, sum_up
from understudy.server.mirror.texts import TEXT_NOT_KEPT, weigh

from .playing import answer, text_of

_MODELS = ("first", "second", "third")
_FAILURES = (Outcome.FAILED, Outcome.TIMED_OUT, Outcome.SHED, Outcome.CANCELLED)
_TTL = 10.0


def silent_call(completion: Completion | None) -> SilentCall:
    """The call of a silent model that gave this answer."""
    return SilentCall("d", "openai", "m", 0.0, 1.0, None, "", 200, 1, 1, completion)


def make_joiner(max_held: int = 1 << 20) -> Joiner:
    """A joiner that compares."""
    return Joiner(max_held=max_held, settle_within=_TTL, compare=compare)


class AnyOrder(RuleBasedStateMachine):
    """M-24: whatever happens to pairs and in which order, each copy ends exactly once."""

    def __init__(self) -> None:
        super().__init__()
        self.joiner = make_joiner(max_held=5000)
        self.front, self.back = Tally(), Tally()
        self.running: set[tuple[str, str]] = set()
        self.waiting: set[tuple[str, str]] = set()
        self.unsettled: set[str] = set()
        self.ends: Counter[tuple[str, str]] = Counter()
        self.now = 0.0
        self.pairs = 0

    def take(self, *ends: SilentEnd | None) -> None:
        for end in ends:
            if end is not None:
                self.back.end(end)
                key = (end.pair_id, end.silent_model)
                self.ends[key] += 1
                self.waiting.discard(key)
                assert (end.comparison is None) or end.outcome is Outcome.PAIRED
                assert end.fraction == 0.5

    @rule(models=st.sets(st.sampled_from(_MODELS), min_size=1))
    def offer(self, models: set[str]) -> None:
        self.pairs += 1
        pair_id = str(self.pairs)
        for model in models:
            self.front.offer(model)
            self.running.add((pair_id, model))
        self.unsettled.add(pair_id)
        self.joiner.expect(pair_id, dict.fromkeys(models, 0.5), None)

    @precondition(lambda self: self.running)
    @rule(data=st.data(), size=st.integers(0, 3000))
    def answer(self, data: st.DataObject, size: int) -> None:
        key = data.draw(st.sampled_from(sorted(self.running)))
        self.running.discard(key)
        self.waiting.add(key)
        self.take(self.joiner.answer(*key, silent_call(answer("x" * size)), self.now))

    @precondition(lambda self: self.running)
    @rule(data=st.data(), outcome=st.sampled_from(_FAILURES))
    def fail(self, data: st.DataObject, outcome: Outcome) -> None:
        key = data.draw(st.sampled_from(sorted(self.running)))
        self.running.discard(key)
        self.take(self.joiner.fail(*key, outcome, "WHY"))

    @precondition(lambda self: self.pairs)
    @rule(data=st.data(), ended=st.sampled_from(["answered", "failed", "cancelled"]))
    def settle(self, data: st.DataObject, ended: str) -> None:
        pair_id = str(data.draw(st.integers(1, self.pairs)))  # perhaps once more
        completion = answer("y" * 1000) if ended == "answered" else None
        end = PrimaryEnd(pair_id, completion, cancelled=ended == "cancelled")
        self.take(*self.joiner.settle(end))
        self.unsettled.discard(pair_id)
        assert not {key for key in self.waiting if key[0] == pair_id}

    @rule(seconds=st.floats(0, 2 * _TTL))
    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.take(*self.joiner.expire(self.now))

    @invariant()
    def every_copy_ends_once(self) -> None:
        assert all(count == 1 for count in self.ends.values())
        assert not self.ends.keys() & (self.running | self.waiting)

    @invariant()
    def the_ledger_balances(self) -> None:
        figures = sum_up((self.back, self.front))
        still_open = Counter(model for _, model in self.running | self.waiting)
        assert {name: one.open for name, one in figures.items()} == {
            name: still_open[name] for name in figures
        }
        for one in figures.values():
            assert sum(one.shed.values()) == one.outcomes.get(Outcome.SHED, 0)

    @invariant()
    def nothing_is_held_beyond_the_budget_or_the_pairs(self) -> None:
        assert 0 <= self.joiner.held <= 5000
        assert len(self.joiner) == len({pair for pair, _ in self.running | self.waiting})

    def teardown(self) -> None:
        for key in sorted(self.running):
            self.take(self.joiner.fail(*key, Outcome.CANCELLED, "STOPPING"))
        self.take(*self.joiner.close())
        assert (len(self.joiner), self.joiner.held) == (0, 0)
        assert sum(one.open for one in sum_up((self.back, self.front)).values()) == 0


TestAnyOrder = AnyOrder.TestCase


def test_an_answer_that_is_not_settled_in_time_ends_unpaired() -> None:
    joiner = make_joiner()
    joiner.expect("pair", {"first": 1.0, "second": 1.0}, None)
    assert joiner.answer("pair", "first", silent_call(answer()), 0.0) is None
    assert joiner.expire(_TTL - 0.1) == []

    (end,) = joiner.expire(_TTL)

    assert (end.outcome, end.reason) == (Outcome.UNPAIRED, "NEVER_SETTLED")
    late = joiner.answer("pair", "second", silent_call(answer()), _TTL)
    assert late is not None
    assert (late.outcome, late.reason) == (Outcome.UNPAIRED, "NEVER_SETTLED")
    assert len(joiner) == 0


@pytest.mark.parametrize("silent_first", [True, False])
def test_beyond_the_budget_answers_wait_without_their_text(silent_first: bool) -> None:
    long = answer("x" * 10_000)
    joiner = make_joiner(max_held=weigh(long) - 1)
    joiner.expect("pair", {"first": 1.0}, None)
    end: SilentEnd | None
    if silent_first:
        joiner.answer("pair", "first", silent_call(long), 0.0)
        (end,) = joiner.settle(PrimaryEnd("pair", answer()))
    else:
        joiner.settle(PrimaryEnd("pair", long))
        end = joiner.answer("pair", "first", silent_call(answer()), 0.0)

    assert end is not None
    assert (end.outcome, end.comparison) == (Outcome.PAIRED, None)
    assert end.call is not None
    assert end.call.completion is not None
    if silent_first:
        assert end.call.completion.choices[0].finish_reason == "stop"
        assert TEXT_NOT_KEPT in end.call.completion.warnings
    else:
        assert text_of(end.call.completion) == "Hello."


def test_both_answers_are_compared_by_the_callers_schema() -> None:
    joiner = make_joiner()
    joiner.expect("pair", {"first": 1.0}, b'{"type":"object"}')
    joiner.settle(PrimaryEnd("pair", answer("{}")))

    end = joiner.answer("pair", "first", silent_call(answer("[]")), 0.0)

    assert end is not None
    assert isinstance(end.comparison, Comparison)
    assert end.comparison.primary_schema_valid is True
    assert end.comparison.silent_schema_valid is False
