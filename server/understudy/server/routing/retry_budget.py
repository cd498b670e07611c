"""How many retries a model group may make: a share of its calls, and a reserve. Pure.

When all that is behind a group fails, retries double the load on what is down already. A budget
bounds them by the traffic itself (Finagle's RetryBudget), whatever `num_retries` says of one call.
"""

from collections import deque

SHARE = 0.1  # retries for each call
WINDOW = 10  # seconds
RESERVE = 50  # retries in a window, however few the calls: a quiet group can still retry
MOST_GROUPS = 1024


class RetryBudgets:
    """One budget for each model group. Instants are seconds of one monotonic clock."""

    def __init__(self) -> None:
        self._budgets: dict[str, _Budget] = {}

    def count_call(self, group: str, now: float) -> None:
        """Take note of a call that asks a group's deployments."""
        self._find(group).add(now, calls=1)

    def withdraw(self, group: str, now: float) -> bool:
        """Whether a group may make one more retry; if so, it counts as made."""
        budget = self._find(group)
        if not budget.has_left(now):
            return False
        budget.add(now, retries=1)
        return True

    def _find(self, group: str) -> "_Budget":
        budget = self._budgets.pop(group, None) or _Budget()
        self._budgets[group] = budget  # the longest unused comes first
        if len(self._budgets) > MOST_GROUPS:
            del self._budgets[next(iter(self._budgets))]
        return budget


class _Budget:
    __slots__ = ("_calls", "_retries", "_seconds")

    def __init__(self) -> None:
        self._seconds: deque[list[int]] = deque()  # the second, calls and retries in it
        self._calls = self._retries = 0

    def add(self, now: float, *, calls: int = 0, retries: int = 0) -> None:
        second = int(now)
        self._forget(second)
        if not self._seconds or self._seconds[-1][0] != second:
            self._seconds.append([second, 0, 0])
        self._seconds[-1][1] += calls
        self._seconds[-1][2] += retries
        self._calls += calls
        self._retries += retries

    def has_left(self, now: float) -> bool:
        self._forget(int(now))
        return self._retries + 1 <= SHARE * self._calls + RESERVE

    def _forget(self, second: int) -> None:
        while self._seconds and self._seconds[0][0] <= second - WINDOW:
            _, calls, retries = self._seconds.popleft()
            self._calls -= calls
            self._retries -= retries
