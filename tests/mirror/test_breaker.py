"""The breaker of a silent deployment, on a clock of the test's own."""

import pytest

from understudy.server.mirror.breaker import (
    FEWEST,
    FIRST_REST,
    IN_A_ROW,
    LONGEST_REST,
    WAKE_INTERVAL,
    WINDOW,
    Breaker,
    Circuit,
    Health,
)
from understudy.server.mirror.shedding import Shed


def call(breaker: Breaker, health: Health, now: float, chance: float = 0.5) -> None:
    """One call that ends at once."""
    assert breaker.refusal(now) is None
    breaker.end(health, now, trial=breaker.begin(), chance=chance)


def circuit(breaker: Breaker) -> Circuit:
    """How the breaker is now."""
    return breaker.circuit


def opened(now: float = 0.0) -> Breaker:
    """A breaker that has just opened."""
    breaker = Breaker()
    for _ in range(IN_A_ROW):
        call(breaker, Health.BAD, now)
    return breaker


def test_it_opens_after_failures_in_a_row() -> None:
    """M-4, T-10."""
    breaker = Breaker()
    for _ in range(IN_A_ROW - 1):
        call(breaker, Health.BAD, 0.0)
    call(breaker, Health.GOOD, 0.0)
    for _ in range(IN_A_ROW - 1):
        call(breaker, Health.BAD, 0.0)
    assert circuit(breaker) is Circuit.CLOSED

    call(breaker, Health.BAD, 0.0)

    assert circuit(breaker) is Circuit.OPEN
    assert breaker.refusal(0.0) is Shed.CIRCUIT_OPEN


def test_it_opens_when_half_of_enough_calls_failed_lately() -> None:
    """T-10: at least 20 in 10 s."""
    breaker = Breaker()
    for number in range(FEWEST - 1):
        call(breaker, Health.BAD if number % 2 == 0 else Health.GOOD, number * 0.4)
    assert circuit(breaker) is Circuit.CLOSED

    call(breaker, Health.BAD, FEWEST * 0.4)

    assert circuit(breaker) is Circuit.OPEN


def test_what_failed_long_ago_does_not_count() -> None:
    breaker = Breaker()
    for number in range(200):
        call(breaker, Health.BAD if number % 2 else Health.GOOD, number * WINDOW / 10)
    assert circuit(breaker) is Circuit.CLOSED


def test_one_call_tries_again_and_closes_it() -> None:
    breaker = opened()
    assert breaker.refusal(FIRST_REST - 0.1) is Shed.CIRCUIT_OPEN

    trial = breaker.begin() if breaker.refusal(FIRST_REST) is None else False

    assert trial
    assert circuit(breaker) is Circuit.HALF_OPEN
    assert breaker.refusal(FIRST_REST) is Shed.CIRCUIT_OPEN
    breaker.end(Health.GOOD, FIRST_REST, trial=trial, chance=0.5)
    assert circuit(breaker) is Circuit.CLOSED
    assert breaker.refusal(FIRST_REST) is None


def test_it_rests_twice_as_long_after_each_trial_that_fails() -> None:
    breaker, now, rests = opened(), 0.0, list[float]()
    for _ in range(6):
        rest = 0.0
        while breaker.refusal(now + rest) is not None:
            rest += 0.5
        now += rest
        rests.append(rest)
        call(breaker, Health.BAD, now)
    assert rests == [FIRST_REST, 10.0, 20.0, 40.0, LONGEST_REST, LONGEST_REST]


@pytest.mark.parametrize(("chance", "rest"), [(0.0, FIRST_REST / 2), (0.99, FIRST_REST * 1.49)])
def test_its_rest_is_spread(chance: float, rest: float) -> None:
    breaker = Breaker()
    for _ in range(IN_A_ROW):
        call(breaker, Health.BAD, 0.0, chance)
    assert breaker.refusal(rest - 0.01) is Shed.CIRCUIT_OPEN
    assert breaker.refusal(rest + 0.01) is None


def test_a_trial_that_was_cancelled_leaves_the_next_one_free() -> None:
    breaker = opened()
    breaker.end(Health.UNKNOWN, FIRST_REST, trial=breaker.begin(), chance=0.5)
    assert circuit(breaker) is Circuit.OPEN
    assert breaker.refusal(FIRST_REST) is None


def test_calls_from_before_it_opened_neither_close_nor_prolong_it() -> None:
    breaker = opened()
    breaker.end(Health.GOOD, 1.0, trial=False, chance=0.5)
    breaker.end(Health.BAD, 4.0, trial=False, chance=0.5)
    assert circuit(breaker) is Circuit.OPEN
    assert breaker.refusal(FIRST_REST) is None


def test_a_sleeping_endpoint_is_asked_once_in_a_while_and_never_broken() -> None:
    breaker, asked = Breaker(), 0
    for second in range(121):
        if breaker.refusal(float(second)) is None:
            asked += 1
            call(breaker, Health.STARTING, float(second))
        else:
            assert breaker.refusal(float(second)) is Shed.WAKING
    assert asked == 1 + 120 // WAKE_INTERVAL
    assert circuit(breaker) is Circuit.WAKING

    call(breaker, Health.GOOD, 200.0)

    assert circuit(breaker) is Circuit.CLOSED


def test_calls_from_before_it_slept_do_not_put_the_next_one_off() -> None:
    breaker = Breaker()
    first, second = breaker.begin(), breaker.begin()
    breaker.end(Health.STARTING, 0.0, trial=first, chance=0.5)
    breaker.end(Health.STARTING, 10.0, trial=second, chance=0.5)
    assert breaker.refusal(WAKE_INTERVAL) is None
