"""Decides whether a failed call is worth repeating, and when. Pure: callers bring the clock.

Only a call that certainly reached no model is repeated: the server said so, by one of
`statuses.REFUSALS` and without forbidding it. A lost connection is not such a sign, which is why
this is no `retryPolicy` of gRPC's: that one knows codes, not reasons. gRPC's own transparent
retries stay on; they concern calls that no server has begun.
"""

from collections.abc import Callable
from typing import Final

from understudy.client.errors import UnderstudyError

MOST_TRIES: Final = 5
FIRST_WAIT: Final = 0.1  # seconds, doubled with each try
LONGEST_WAIT: Final = 5.0

# A server that is shutting down says when it may be back; the others can be asked at once.
_ASK_ANOTHER: Final = frozenset({"DRAINING"})


# What has too much to do gets no better by being asked again: by many callers, five times each.
_TOO_MUCH: Final = frozenset({"OVERLOADED", "LOCAL_POOL_EXHAUSTED"})
RESERVE: Final = 10.0  # repeats that a client has in hand at most
DEPOSIT: Final = 0.1  # of a repeat, for each call


class Budget:
    """The repeats that all calls of a client share while a server has too much to do.

    A tenth of the calls, and a few more. Two threads at once may lose a deposit, which harms nobody.
    """

    def __init__(self) -> None:
        self._left = RESERVE

    def deposit(self) -> None:
        """Count a call."""
        self._left = min(RESERVE, self._left + DEPOSIT)

    def withdraw(self) -> bool:
        """Return whether there is a repeat left, and take it."""
        if self._left < 1:
            return False
        self._left -= 1
        return True


class Patience:
    """The time and the tries that one call has. `clock` is in seconds, `ticket` in [0, 1)."""

    def __init__(
        self,
        timeout: float,
        clock: Callable[[], float],
        ticket: Callable[[], float],
        budget: Budget | None = None,
    ) -> None:
        self._budget = budget or Budget()
        self._clock = clock
        self._ticket = ticket
        self._end = clock() + timeout
        self._tries = 0

    def remaining(self) -> float:
        """Return the seconds left, never below 0."""
        return max(0.0, self._end - self._clock())

    def wait_after(self, error: UnderstudyError) -> float | None:
        """Return the seconds to wait before the next try, or `None` if there is to be none."""
        self._tries += 1
        if not error.repeatable or self._tries >= MOST_TRIES:
            return None
        wait: float = self._ticket() * min(LONGEST_WAIT, FIRST_WAIT * 2 ** (self._tries - 1))
        if error.retry_after is not None and error.reason not in _ASK_ANOTHER:
            wait += error.retry_after
        if wait >= self.remaining():
            return None
        if error.reason in _TOO_MUCH and not self._budget.withdraw():
            return None
        return wait
