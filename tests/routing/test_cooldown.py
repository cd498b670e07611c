"""When a deployment that answers callers is left alone, and what each failure says of it."""

from dataclasses import replace

import pytest

from understudy.server.errors import Reason
from understudy.server.routing.breaker import Breaker, Circuit, Health
from understudy.server.routing.cooldown import SLOW, find_rest, find_rule, read_sign

from .making import deployment

ONE = deployment("a")
NOTHING = {
    Reason.UPSTREAM_REJECTED_REQUEST,
    Reason.CONTEXT_LENGTH_EXCEEDED,
    Reason.CONTENT_POLICY_REJECTED,
    Reason.UPSTREAM_CONFLICT,
    Reason.UPSTREAM_UNSUPPORTED,
    Reason.UPSTREAM_RATE_LIMITED,  # the limiter's, not the breaker's
    Reason.UPSTREAM_ADDRESS_REFUSED,  # by us: nobody was asked
}


@pytest.mark.parametrize("reason", list(Reason))
def test_only_what_is_the_deployments_own_fault_counts_against_it(reason: Reason) -> None:
    is_upstreams = reason.startswith("UPSTREAM_") and reason not in NOTHING

    for replaceable in (False, True):
        sign = read_sign(ONE, reason, 1.0, replaceable=replaceable)
        assert sign is (Health.BAD if is_upstreams else Health.UNKNOWN)


def test_an_answer_speaks_for_it() -> None:
    assert read_sign(ONE, None, 1.0, replaceable=False) is Health.GOOD


def test_a_caller_without_time_says_nothing_but_one_that_waited_long_does() -> None:
    def sign(reason: Reason, lasted: float) -> Health:
        return read_sign(ONE, reason, lasted, replaceable=False)

    assert sign(Reason.DEADLINE_EXCEEDED, SLOW - 0.1) is Health.UNKNOWN
    assert sign(Reason.DEADLINE_EXCEEDED, SLOW) is Health.BAD
    assert sign(Reason.CANCELLED, SLOW) is Health.UNKNOWN


def test_a_limit_is_a_fail_where_fails_are_allowed_and_others_can_be_asked() -> None:
    one, limited = replace(ONE, allowed_fails=2), Reason.UPSTREAM_RATE_LIMITED

    assert read_sign(one, limited, 1.0, replaceable=True) is Health.BAD
    assert read_sign(one, limited, 1.0, replaceable=False) is Health.UNKNOWN


def failures_borne(*, replaceable: bool, most: int = 100) -> int:
    """Return how many failures, one after another, leave the circuit closed."""
    rule = find_rule(ONE, replaceable=replaceable)
    assert rule is not None
    breaker = Breaker(rule)
    for number in range(most):
        if breaker.wait(number / 100):
            return number - 1
        breaker.end(Health.BAD, number / 100, trial=breaker.begin(number / 100), chance=0.5)
    return most


def test_one_among_others_bears_fewer_failures_than_a_lone_one() -> None:
    """T-10, with its five in a row for those alone whose share others can take."""
    assert failures_borne(replaceable=True) == 4
    assert failures_borne(replaceable=False) == 19


def test_a_lone_deployment_that_is_seldom_asked_is_never_left_alone() -> None:
    rule = find_rule(ONE, replaceable=False)
    assert rule is not None
    breaker = Breaker(rule)
    for second in range(1000):
        breaker.end(Health.BAD, float(second), trial=breaker.begin(float(second)), chance=0.5)
    assert breaker.circuit(1000.0) is Circuit.CLOSED


@pytest.mark.parametrize("replaceable", [False, True])
def test_allowed_fails_takes_the_place_of_our_rule(replaceable: bool) -> None:
    rule = find_rule(replace(ONE, allowed_fails=2), replaceable=replaceable)

    assert rule is not None
    assert (rule.in_a_row, rule.share, rule.allowed, rule.window) == (None, None, 2, 60.0)


def test_cooldown_time_takes_the_place_of_our_rest() -> None:
    rule = find_rule(replace(ONE, cooldown_time=30.0), replaceable=True)

    assert rule is not None
    assert (rule.rest, rule.longest_rest, rule.spread) == (30.0, 30.0, (1.0, 1.25))
    assert rule.in_a_row == 5


def test_a_cooldown_time_of_zero_is_never() -> None:
    assert find_rule(replace(ONE, cooldown_time=0.0), replaceable=True) is None


@pytest.mark.parametrize(
    ("reason", "asked", "cooldown_time", "replaceable", "rest"),
    [
        (Reason.UPSTREAM_RATE_LIMITED, 20.0, None, True, 20.0),
        (Reason.UPSTREAM_RATE_LIMITED, 3600.0, None, True, 60.0),
        (Reason.UPSTREAM_RATE_LIMITED, 20.0, None, False, 0.0),
        (Reason.UPSTREAM_RATE_LIMITED, None, None, True, 0.0),
        (Reason.UPSTREAM_RATE_LIMITED, None, 30.0, True, 30.0),
        (Reason.UPSTREAM_RATE_LIMITED, 0.0, 30.0, True, 0.0),
        (Reason.UPSTREAM_UNAVAILABLE, 20.0, None, True, 0.0),
        (None, None, 30.0, True, 0.0),
    ],
)
def test_who_asks_for_time_is_given_it_if_others_can_be_asked(
    reason: Reason | None,
    asked: float | None,
    cooldown_time: float | None,
    replaceable: bool,
    rest: float,
) -> None:
    one = replace(ONE, cooldown_time=cooldown_time)

    assert find_rest(one, reason, asked, replaceable=replaceable) == rest
