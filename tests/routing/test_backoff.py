"""How long to wait before a deployment is asked again."""

from hypothesis import given
from hypothesis import strategies as st

from understudy.server.routing.backoff import LONGEST, LONGEST_ASKED, wait_before

tickets = st.floats(0, 1, exclude_max=True)


@given(st.integers(1, 100), tickets, st.floats(0, 5))
def test_the_wait_is_jittered_below_a_ceiling(repeat: int, ticket: float, least: float) -> None:
    wait = wait_before(repeat, ticket, None, least)

    assert wait is not None
    assert least <= wait <= max(LONGEST, least)


@given(st.integers(1, 100), tickets, st.floats(0, LONGEST_ASKED))
def test_a_provider_is_given_the_time_it_asks_for(repeat: int, ticket: float, asked: float) -> None:
    wait = wait_before(repeat, ticket, asked, 0)

    assert wait is not None
    assert wait >= asked


def test_a_provider_that_asks_for_too_long_is_not_waited_for() -> None:
    assert wait_before(1, 0.5, LONGEST_ASKED + 1, 0) is None
