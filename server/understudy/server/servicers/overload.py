"""Knows whether one completion more can be begun in time. Pure but for the clock handed in.

Two things bound what is taken on: how many completions are under way, and how long one waits
until it is begun. The second cannot be read off anything here: what waits does so inside gRPC,
where calls lie until the event loop asks for the next. So `knocking` keeps sending a call of its
own through the same door and tells how long that took. Refusing is `turnstile`'s.
"""

import math
from collections.abc import Callable
from typing import Final

from understudy.server.config.settings import LimitSettings
from understudy.server.errors import Reason, RefusedError

LEAST_BEARABLE: Final = 1.0  # seconds that anybody may wait: bursts are no overload
STANDING: Final = 0.25  # seconds that a longer line must last: neither is one that goes down again
PATIENCE: Final = 10.0  # times as long as answers take: what a wait may be
CALM: Final = 1.0  # seconds without a refusal, after which an overload is over
CROWD: Final = 512  # calls in line, below which there is no overload: a machine may be slow
HANDFUL: Final = 16  # and below which even in an overload nobody is refused
# During an overload all are admitted while the line is this short, in seconds, none at the second
# length but a few: refusing costs too, and who could do nothing else would serve nobody. Callers
# wait some milliseconds more, in gRPC's own threads, which come second (`precedence`).
SHORT: Final = 0.002
LONG: Final = 0.008
FEW: Final = 1 / 16
# What came in before the overload was noticed is sent away first.
BACKLOG: Final = 0.1
FEWER: Final = 1 / 64
_WEIGHT: Final = 0.05  # of the newest answer in how long they take
RETRY_AFTER: Final = 1.0  # seconds


class Overload:
    """What a process has taken on. For the event loop that serves; others may read the counts."""

    def __init__(self, limits: LimitSettings, clock: Callable[[], float]) -> None:
        self._max_calls = limits.max_calls
        self._max_wait = limits.max_wait
        self._clock = clock
        self._knocked: float | None = None
        self._came = 0  # when our own call was sent
        self._last_wait = 0.0
        self._last_line = 0
        self._takes: float | None = None
        self._unbearable_since: float | None = None
        self._refused_at = -math.inf
        self._admitted = 0.0  # not yet used up; a whole one is a completion
        self.in_flight = 0
        self.begun = 0  # ever
        self.refused = 0  # ever

    @property
    def wait(self) -> float:
        """How long a call waits until it is begun, in seconds, as far as is known."""
        if self._knocked is None:
            return self._last_wait
        return max(self._last_wait, self._clock() - self._knocked)

    @property
    def line(self) -> int:
        """How many stood in line before our own call: so many were begun before it was."""
        if self._knocked is None:
            return self._last_line
        return max(self._last_line, self.begun + self.refused - self._came)

    @property
    def bearable(self) -> float:
        """How long a call may wait before there is an overload, in seconds.

        Who waits for seconds for an answer bears more than who waits for milliseconds: many calls
        to a slow model come in waves that are no overload.
        """
        if self._takes is None:
            return self._max_wait
        return min(self._max_wait, max(LEAST_BEARABLE, PATIENCE * self._takes))

    @property
    def is_near(self) -> bool:
        """Whether there is an overload, or a line that is on the way to one."""
        return self._has_refused or self.line > CROWD / 4

    @property
    def is_strained(self) -> bool:
        """Whether there is an overload, or will be soon."""
        if self._has_refused:
            return True
        return self.wait > self.bearable / 2 and self.line > CROWD / 2

    def refuses(self) -> bool:
        """Whether a completion that comes now is refused; if so, it is counted.

        Once there is an overload, the line is kept short until it is over: whoever is refused
        hears so at once, and whoever is not is answered about as soon as usual.
        """
        if self.in_flight >= self._max_calls:
            self.refused += 1
            return True
        now = self._clock()
        if now - self._refused_at >= CALM:
            if not self._is_unbearable:
                self._unbearable_since = None
                return False
            if self._unbearable_since is None:
                self._unbearable_since = now
            if now - self._unbearable_since < STANDING:
                return False
        elif self.line <= HANDFUL or self._draw():
            return False
        self._refused_at = now
        self.refused += 1
        return True

    @property
    def _has_refused(self) -> bool:
        return self._clock() - self._refused_at < CALM

    @property
    def _is_unbearable(self) -> bool:
        return self.wait > self.bearable and self.line > CROWD

    def _draw(self) -> bool:
        """Whether the next is among those admitted: fewer of them, the longer the line."""
        wait = self.wait
        few = FEWER if wait > BACKLOG else FEW
        share = min(1.0, max(few, (LONG - wait) / (LONG - SHORT)))
        self._admitted += share
        if self._admitted < 1:
            return False
        self._admitted -= 1
        return True

    def knock(self) -> None:
        """Take note that a call of our own has been sent."""
        self._knocked = self._clock()
        self._came = self.begun + self.refused

    def hear(self, *, is_answer: bool = True) -> None:
        """Take note that it was answered; if that is none, nothing is known of the wait."""
        if self._knocked is not None:
            self._last_wait = self._clock() - self._knocked if is_answer else 0.0
            self._last_line = self.begun + self.refused - self._came
            self._knocked = None
            if not self._is_unbearable:
                self._unbearable_since = None

    def enter(self) -> float:
        """Begin a completion; returns what `leave` wants. Raises RefusedError beyond `max_calls`.

        The door has looked already, but calls that came with this one are begun only now.
        """
        if self.in_flight >= self._max_calls:
            self.refused += 1
            raise refusal()
        self.in_flight += 1
        self.begun += 1
        return self._clock()

    def leave(self, entered: float) -> None:
        """End a completion."""
        self.in_flight -= 1
        took = self._clock() - entered
        self._takes = took if self._takes is None else self._takes + _WEIGHT * (took - self._takes)


def refusal() -> RefusedError:
    """Return what a completion too many is told."""
    return RefusedError(
        Reason.OVERLOADED,
        "the service has more to do than it can; no model was asked: try again later",
        retry_after=RETRY_AFTER,
    )
