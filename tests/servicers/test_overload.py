"""What is taken on, and what is refused, by a clock that the tests move."""

import pytest

from understudy.server.config.settings import LimitSettings
from understudy.server.errors import Reason, RefusedError
from understudy.server.servicers.overload import (
    CALM,
    CROWD,
    FEWER,
    HANDFUL,
    LEAST_BEARABLE,
    SHORT,
    STANDING,
    Overload,
)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    def go(self, seconds: float) -> None:
        self.now += seconds


def make(max_calls: int = 1000, max_wait: float = 10.0) -> tuple[Overload, Clock]:
    clock = Clock()
    return Overload(LimitSettings(max_calls=max_calls, max_wait=max_wait), clock), clock


def answer(overload: Overload, clock: Clock, seconds: float, times: int = 1) -> None:
    """Let completions take so long."""
    for _ in range(times):
        entered = overload.enter()
        clock.go(seconds)
        overload.leave(entered)


def wait(overload: Overload, clock: Clock, seconds: float, line: int = 2 * CROWD) -> None:
    """Let the line be so long, in seconds and in calls."""
    overload.knock()
    come(overload, line)
    clock.go(seconds)
    overload.hear()


def come(overload: Overload, line: int) -> None:
    """Let so many be begun, and end at once."""
    overload.begun += line


def overloaded() -> tuple[Overload, Clock]:
    overload, clock = make()
    answer(overload, clock, 0.001)
    wait(overload, clock, LEAST_BEARABLE + 0.1)
    assert not overload.refuses()
    clock.go(STANDING)
    assert overload.refuses()
    return overload, clock


@pytest.mark.parametrize(("line", "is_near"), [(32, False), (CROWD // 4, False), (CROWD, True)])
def test_only_a_long_line_is_on_the_way_to_an_overload(line: int, *, is_near: bool) -> None:
    overload, clock = make()
    answer(overload, clock, 0.001)
    wait(overload, clock, 0.02, line)

    assert overload.is_near == is_near
    assert not overload.is_strained


def test_an_overload_is_near_until_it_is_over() -> None:
    overload, clock = overloaded()
    wait(overload, clock, 0.0, 0)

    clock.go(CALM / 2)
    assert overload.is_near
    clock.go(CALM)
    assert not overload.is_near


def test_as_many_are_under_way_as_may_be() -> None:
    overload, _ = make(max_calls=2)
    first = overload.enter()
    overload.enter()

    assert overload.refuses()
    with pytest.raises(RefusedError) as caught:
        overload.enter()
    overload.leave(first)

    assert caught.value.reason is Reason.OVERLOADED
    assert caught.value.retry_after
    assert not overload.refuses()
    assert (overload.in_flight, overload.begun, overload.refused) == (1, 2, 2)


def test_a_line_that_goes_down_again_is_no_overload() -> None:
    overload, clock = make()
    answer(overload, clock, 0.001)

    for _ in range(10):
        wait(overload, clock, LEAST_BEARABLE + 0.1)
        assert not overload.refuses()
        clock.go(STANDING / 2)
        assert not overload.refuses()
        wait(overload, clock, 0.001)

    assert overload.refused == 0


def test_a_line_that_stays_is_one() -> None:
    overload, _ = overloaded()

    assert overload.is_strained


def test_a_knock_that_is_not_answered_counts_while_it_waits() -> None:
    overload, clock = make()
    answer(overload, clock, 0.001)
    overload.knock()
    come(overload, 2 * CROWD)

    clock.go(LEAST_BEARABLE / 2)
    assert overload.wait == pytest.approx(LEAST_BEARABLE / 2)
    clock.go(LEAST_BEARABLE)
    assert not overload.refuses()
    clock.go(STANDING)

    assert overload.refuses()


def test_a_slow_machine_with_few_in_line_is_no_overload() -> None:
    overload, clock = make()
    answer(overload, clock, 0.001)

    for _ in range(10):
        wait(overload, clock, 3.0, line=CROWD // 2)
        assert not overload.refuses()

    assert not overload.is_strained


def test_in_an_overload_a_handful_in_line_may_stay() -> None:
    overload, clock = overloaded()

    wait(overload, clock, 3.0, line=HANDFUL)

    assert not any(overload.refuses() for _ in range(100))


def test_a_knock_that_never_got_through_says_nothing() -> None:
    overload, clock = make()
    overload.knock()
    clock.go(100)
    overload.hear(is_answer=False)

    assert overload.wait == 0


def test_who_waits_long_for_answers_may_wait_longer_in_line() -> None:
    overload, clock = make(max_wait=3.0)

    assert overload.bearable == 3.0  # nothing is known yet
    answer(overload, clock, 0.2)
    assert overload.bearable == pytest.approx(2.0)
    answer(overload, clock, 10.0, times=50)
    assert overload.bearable == 3.0


def test_in_an_overload_the_line_is_kept_short() -> None:
    overload, clock = overloaded()

    wait(overload, clock, SHORT / 2)
    short = [overload.refuses() for _ in range(100)]
    wait(overload, clock, SHORT * 2.5)
    longer = [overload.refuses() for _ in range(100)]

    assert not any(short)
    assert 20 < sum(longer) < 80


def test_in_the_worst_overload_a_few_still_get_in() -> None:
    overload, clock = overloaded()
    wait(overload, clock, 0.5)

    admitted = [overload.refuses() for _ in range(640)].count(False)

    assert admitted == pytest.approx(640 * FEWER, abs=1)


def test_an_overload_ends_when_nobody_was_refused_for_a_while() -> None:
    overload, clock = overloaded()
    wait(overload, clock, 0.001)
    clock.go(CALM)

    wait(overload, clock, LEAST_BEARABLE / 2.5)

    assert not any(overload.refuses() for _ in range(100))
    assert not overload.is_strained
