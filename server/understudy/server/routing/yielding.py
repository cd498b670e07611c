"""Decides how much of the mirroring goes on while the primary's event loop is late. Pure.

Additive increase, multiplicative decrease, as in TCP: a late loop quickly gets rid of what the
mirror costs it, and what was taken away is given back bit by bit. Looking at the loop is `pulse`.
"""

from typing import Final

WINDOW: Final = 0.5  # seconds that are judged together
STEPS: Final = 2  # windows in a row that must be late: one is a burst
QUANTILE: Final = 0.9  # of the delays in a window
LEAST: Final = 0.01  # of the share: with none, nobody would see how the understudy fares
DECREASE: Final = 0.7
INCREASE: Final = 0.05


class Yielding:
    """The share of mirrored calls that is still offered, in [0.01, 1].

    `bound` is the delay, in seconds, from which on the mirror yields; None: it never does. Told by
    one thread; others may read the share.
    """

    def __init__(self, bound: float | None) -> None:
        self._bound = bound
        self._share = 1.0
        self._late = 0  # windows in a row
        self._end: float | None = None
        self._delays: list[float] = []
        self._strained = False

    @property
    def share(self) -> float:
        """What is left of every fraction; 1 while the loop is in time."""
        return self._share

    def strain(self) -> None:
        """Take note that callers wait in line: half a second in which they do is late."""
        self._strained = True

    def note(self, now: float, delay: float) -> None:
        """Take a look at the loop: `delay` seconds late, at `now` of a monotonic clock."""
        if self._bound is None:
            return
        self._delays.append(delay)
        if self._end is None:
            self._end = now + WINDOW
        if now < self._end:
            return
        ordered = sorted(self._delays)
        is_late = self._strained or ordered[int(QUANTILE * (len(ordered) - 1))] > self._bound
        self._delays.clear()
        self._strained = False
        self._end = now + WINDOW
        self._late = self._late + 1 if is_late else 0
        if self._late >= STEPS:
            self._share = max(LEAST, self._share * DECREASE)
        elif not is_late:
            self._share = min(1.0, self._share + INCREASE)
