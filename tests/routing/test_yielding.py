"""How much of the mirroring goes on while the loop is late."""

from hypothesis import given
from hypothesis import strategies as st

from understudy.server.routing.yielding import LEAST, STEPS, WINDOW, Yielding

BOUND = 0.02
EVERY = 0.02


def live(yielding: Yielding, seconds: float, delay: float, start: float = 0.0) -> float:
    """Look at a loop that is always so late; return when that ended."""
    now = start
    while now < start + seconds:
        now += EVERY + delay
        yielding.note(now, delay)
    return now


def test_a_loop_in_time_costs_the_mirror_nothing() -> None:
    yielding = Yielding(BOUND)

    live(yielding, 60, BOUND / 2)

    assert yielding.share == 1.0


def test_a_burst_costs_the_mirror_nothing() -> None:
    yielding = Yielding(BOUND)
    now = 0.0
    for _ in range(20):
        now = live(yielding, WINDOW * 0.9, BOUND * 3, now)
        now = live(yielding, WINDOW * STEPS, 0.0, now)

    assert yielding.share == 1.0


def test_a_loop_that_stays_late_leaves_less_and_less() -> None:
    yielding = Yielding(BOUND)
    shares: list[float] = []
    now = 0.0
    for _ in range(8):
        now = live(yielding, WINDOW, BOUND * 2, now)
        shares.append(yielding.share)

    assert shares == sorted(shares, reverse=True)
    assert shares[-1] < 0.2


def test_what_was_taken_is_given_back_bit_by_bit() -> None:
    yielding = Yielding(BOUND)
    now = live(yielding, 60, BOUND * 2)
    assert yielding.share == LEAST

    live(yielding, 60, 0.0, now)

    assert yielding.share == 1.0


def test_callers_in_line_count_as_much_as_a_late_loop() -> None:
    yielding = Yielding(BOUND)
    now = 0.0
    for _ in range(5):
        yielding.strain()
        now = live(yielding, WINDOW, 0.0, now)

    assert yielding.share < 1


def test_a_mirror_that_shall_not_yield_does_not() -> None:
    yielding = Yielding(None)

    yielding.strain()
    live(yielding, 10, 5.0)

    assert yielding.share == 1.0


@given(st.lists(st.floats(0, 10), max_size=500), st.floats(0.001, 1))
def test_the_share_is_always_one_and_never_jumps_up(delays: list[float], bound: float) -> None:
    yielding = Yielding(bound)
    now, before = 0.0, 1.0
    for delay in delays:
        now += EVERY + delay
        yielding.note(now, delay)

        assert LEAST <= yielding.share <= 1
        assert yielding.share <= before + 0.05 + 1e-9
        assert yielding.share >= before * 0.7 - 1e-9
        before = yielding.share
