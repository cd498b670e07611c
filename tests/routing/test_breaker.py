"""The breaker, on a clock of the test's own."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.server.routing.breaker import (
    TRIAL_PATIENCE,
    WAKE_INTERVAL,
    Breaker,
    Circuit,
    Health,
    Rule,
)

RULE = Rule()
IN_A_ROW = 5


def call(breaker: Breaker, health: Health, now: float, chance: float = 0.5) -> None:
    """One call that ends at once."""
    assert not breaker.wait(now)
    breaker.end(health, now, trial=breaker.begin(now), chance=chance)


def opened(now: float = 0.0, rule: Rule = RULE) -> Breaker:
    """A breaker that has just opened."""
    breaker = Breaker(rule)
    while breaker.circuit(now) is Circuit.CLOSED:
        call(breaker, Health.BAD, now)
    return breaker


def test_it_opens_after_failures_in_a_row() -> None:
    """M-4, T-10."""
    breaker = Breaker(RULE)
    for _ in range(IN_A_ROW - 1):
        call(breaker, Health.BAD, 0.0)
    call(breaker, Health.GOOD, 0.0)
    for _ in range(IN_A_ROW - 1):
        call(breaker, Health.BAD, 0.0)
    assert breaker.circuit(0.0) is Circuit.CLOSED

    call(breaker, Health.BAD, 0.0)

    assert breaker.circuit(0.0) is Circuit.OPEN
    assert breaker.wait(0.0) == RULE.rest


@pytest.mark.parametrize("in_a_row", [RULE.in_a_row, None])
def test_it_opens_when_half_of_enough_calls_failed_lately(in_a_row: int | None) -> None:
    """T-10: at least 20 in 10 s."""
    breaker = Breaker(replace(RULE, in_a_row=in_a_row))
    for number in range(RULE.fewest - 1):
        call(breaker, Health.BAD if number % 2 == 0 else Health.GOOD, number * 0.4)
    assert breaker.circuit(7.6) is Circuit.CLOSED

    call(breaker, Health.BAD, 8.0)

    assert breaker.circuit(8.0) is Circuit.OPEN


def test_what_failed_long_ago_does_not_count() -> None:
    breaker = Breaker(RULE)
    for number in range(200):
        call(breaker, Health.BAD if number % 2 else Health.GOOD, number * RULE.window / 10)
    assert breaker.circuit(200.0) is Circuit.CLOSED


def test_so_many_failures_a_minute_are_allowed_and_no_more() -> None:
    rule = replace(RULE, in_a_row=None, share=None, allowed=3, window=60.0)
    breaker = Breaker(rule)
    for second in (0.0, 30.0, 59.0):
        call(breaker, Health.BAD, second)
        call(breaker, Health.GOOD, second)
    call(breaker, Health.BAD, 61.0)  # the first is forgotten
    assert breaker.circuit(61.0) is Circuit.CLOSED

    call(breaker, Health.BAD, 62.0)

    assert breaker.circuit(62.0) is Circuit.OPEN


def test_one_call_tries_again_and_closes_it() -> None:
    """T-10."""
    breaker = opened()
    assert breaker.wait(RULE.rest - 0.1) == pytest.approx(0.1)

    assert not breaker.wait(RULE.rest)
    trial = breaker.begin(RULE.rest)

    assert trial
    assert breaker.circuit(RULE.rest) is Circuit.HALF_OPEN
    assert breaker.wait(RULE.rest)
    breaker.end(Health.GOOD, RULE.rest, trial=trial, chance=0.5)
    assert breaker.circuit(RULE.rest) is Circuit.CLOSED
    assert not breaker.wait(RULE.rest)


def test_it_rests_twice_as_long_after_each_trial_that_fails() -> None:
    breaker, now, rests = opened(), 0.0, list[float]()
    for _ in range(6):
        rests.append(breaker.wait(now))
        now += rests[-1]
        call(breaker, Health.BAD, now)
    assert rests == [5.0, 10.0, 20.0, 40.0, 60.0, 60.0]


def test_a_fixed_rest_stays_as_long_as_it_is() -> None:
    rule, now = replace(RULE, rest=30.0, longest_rest=30.0, spread=(1.0, 1.25)), 0.0
    breaker = opened(rule=rule)
    for _ in range(4):
        assert breaker.wait(now) == pytest.approx(30 * 1.125)
        now += breaker.wait(now)
        call(breaker, Health.BAD, now)


@pytest.mark.parametrize(("chance", "rest"), [(0.0, 2.5), (0.99, 5 * 1.49)])
def test_its_rest_is_spread(chance: float, rest: float) -> None:
    breaker = Breaker(RULE)
    for _ in range(IN_A_ROW):
        call(breaker, Health.BAD, 0.0, chance)
    assert breaker.wait(0.0) == pytest.approx(rest)


def test_a_trial_that_was_cancelled_leaves_the_next_one_free() -> None:
    breaker = opened()
    breaker.end(Health.UNKNOWN, RULE.rest, trial=breaker.begin(RULE.rest), chance=0.5)
    assert breaker.circuit(RULE.rest) is Circuit.OPEN
    assert not breaker.wait(RULE.rest)


def test_a_trial_that_takes_long_does_not_keep_the_next_one_from_starting() -> None:
    breaker, now = opened(), RULE.rest
    first = breaker.begin(now)
    assert breaker.wait(now) == TRIAL_PATIENCE
    now += TRIAL_PATIENCE
    second = breaker.begin(now)
    assert breaker.wait(now) == TRIAL_PATIENCE

    breaker.end(Health.GOOD, now + 1, trial=first, chance=0.5)
    assert breaker.circuit(now + 1) is Circuit.CLOSED
    breaker.end(Health.BAD, now + 2, trial=second, chance=0.5)

    assert breaker.circuit(now + 2) is Circuit.CLOSED


def test_calls_from_before_it_opened_neither_close_nor_prolong_it() -> None:
    breaker = opened()
    breaker.end(Health.GOOD, 1.0, trial=False, chance=0.5)
    breaker.end(Health.BAD, 4.0, trial=False, chance=0.5)
    assert breaker.circuit(4.0) is Circuit.OPEN
    assert not breaker.wait(RULE.rest)


def test_who_asks_to_be_left_alone_is_and_needs_no_trial_afterwards() -> None:
    breaker = Breaker(RULE)
    breaker.rest(0.0, 30.0)
    breaker.rest(1.0, 10.0)

    assert (breaker.wait(1.0), breaker.since) == (29.0, 0.0)
    assert breaker.circuit(29.9) is Circuit.OPEN
    assert breaker.circuit(30.0) is Circuit.CLOSED
    assert not breaker.begin(30.0)


def test_another_rule_forgets_no_failure() -> None:
    breaker = Breaker(RULE)
    for _ in range(3):
        call(breaker, Health.BAD, 0.0)
    breaker.rule = replace(RULE, in_a_row=None, share=None, allowed=3, window=60.0)
    call(breaker, Health.BAD, 0.0)
    assert breaker.circuit(0.0) is Circuit.OPEN


def test_a_sleeping_endpoint_is_asked_once_in_a_while_and_never_broken() -> None:
    breaker, asked = Breaker(RULE), 0
    for second in range(121):
        if not breaker.wait(float(second)):
            asked += 1
            call(breaker, Health.STARTING, float(second))
        else:
            assert breaker.circuit(float(second)) is Circuit.WAKING
    assert asked == 1 + 120 // WAKE_INTERVAL
    assert breaker.circuit(120.0) is Circuit.WAKING

    call(breaker, Health.GOOD, 200.0)

    assert breaker.circuit(200.0) is Circuit.CLOSED


def test_calls_from_before_it_slept_do_not_put_the_next_one_off() -> None:
    breaker = Breaker(RULE)
    first, second = breaker.begin(0.0), breaker.begin(0.0)
    breaker.end(Health.STARTING, 0.0, trial=first, chance=0.5)
    breaker.end(Health.STARTING, 10.0, trial=second, chance=0.5)
    assert not breaker.wait(WAKE_INTERVAL)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(list(Health)),
            st.floats(0, 30),
            st.floats(0, 1, exclude_max=True),
            st.booleans(),
        ),
        max_size=200,
    )
)
def test_it_never_stays_open_for_longer_than_its_longest_rest(
    ends: list[tuple[Health, float, float, bool]],
) -> None:
    """Whatever happens, and however many calls overlap, a trial comes."""
    breaker, now, trials = Breaker(RULE), 0.0, list[bool]()
    for health, passed, chance, overlaps in ends:
        now += passed
        if not breaker.wait(now):
            trials.append(breaker.begin(now))
        if trials and not overlaps:
            breaker.end(health, now, trial=trials.pop(0), chance=chance)
        assert breaker.wait(now) <= 1.5 * RULE.longest_rest

    assert not breaker.wait(now + 1.5 * RULE.longest_rest)
