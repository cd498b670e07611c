"""How many retries a model group may make."""

from hypothesis import given
from hypothesis import strategies as st

from understudy.server.routing.retry_budget import (
    MOST_GROUPS,
    RESERVE,
    SHARE,
    WINDOW,
    RetryBudgets,
)


def withdrawn(budgets: RetryBudgets, group: str, now: float, tries: int = 10_000) -> int:
    """Return how many retries are granted."""
    return sum(budgets.withdraw(group, now) for _ in range(tries))


def test_a_quiet_group_has_its_reserve() -> None:
    assert withdrawn(RetryBudgets(), "a", 0.0) == RESERVE


def test_a_busy_group_may_retry_a_tenth_of_its_calls_besides() -> None:
    """T-1."""
    budgets = RetryBudgets()
    for number in range(1000):
        budgets.count_call("a", number / 1000)

    assert withdrawn(budgets, "a", 1.0) == 100 + RESERVE


def test_groups_do_not_share() -> None:
    budgets = RetryBudgets()
    withdrawn(budgets, "a", 0.0)

    assert budgets.withdraw("b", 0.0)


def test_calls_and_retries_are_forgotten_with_the_window() -> None:
    budgets = RetryBudgets()
    for _ in range(1000):
        budgets.count_call("a", 0.5)
    assert withdrawn(budgets, "a", 0.5) == 100 + RESERVE
    assert withdrawn(budgets, "a", WINDOW - 0.1) == 0

    assert withdrawn(budgets, "a", WINDOW + 0.1) == RESERVE


def test_groups_that_nobody_asks_are_forgotten() -> None:
    budgets = RetryBudgets()
    for number in range(10 * MOST_GROUPS):
        budgets.count_call(f"group-{number}", 0.0)

    (remembered,) = vars(budgets).values()
    assert len(remembered) == MOST_GROUPS


@given(st.lists(st.tuples(st.floats(0, 5), st.integers(0, 200), st.integers(0, 400)), max_size=30))
def test_retries_never_exceed_their_share_and_reserve(
    told: list[tuple[float, int, int]],
) -> None:
    """T-1, over the window that ends with a retry."""
    budgets, now = RetryBudgets(), 0.0
    calls, retries = list[float](), list[float]()
    for passed, made, tried in told:
        now += passed
        for _ in range(made):
            budgets.count_call("a", now)
        calls += [now] * made
        if granted := withdrawn(budgets, "a", now, tried):
            retries += [now] * granted
            begin = int(now) - WINDOW + 1  # whole seconds, the running one included
            in_window = sum(one >= begin for one in calls)
            assert sum(one >= begin for one in retries) <= SHARE * in_window + RESERVE
