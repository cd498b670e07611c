"""A breaker: leaves a deployment alone that fails, and lets single calls find out whether it is well.

Pure: callers bring the clock and the chance. It opens by a `Rule`, and after a rest one call may
try again: its answer closes the breaker, its failure begins another rest. What rule holds for whom,
and which failure says what of a deployment, is for others to decide (`routing.cooldown`, `mirror`).
"""

from collections import deque
from dataclasses import dataclass
from enum import Enum, StrEnum, auto

WAKE_INTERVAL = 15.0  # seconds; who says that it starts up is asked this often how it is
# A trial that takes longer than this, as a long answer may, does not keep the next one from
# starting: a deployment that is well again must not wait for one caller's story to end.
TRIAL_PATIENCE = 10.0  # seconds
_MOST_DOUBLINGS = 10


@dataclass(frozen=True, slots=True)
class Rule:
    """When a breaker opens and how long it rests. Times are in seconds; None opens nothing.

    A rest doubles with each trial that fails, up to `longest_rest`; `spread` is what it is
    multiplied with, by chance, so that many processes do not try at once.
    """

    in_a_row: int | None = 5
    share: float | None = 0.5  # of the calls in the window, which must be at least `fewest`
    fewest: int = 20
    allowed: int | None = None  # failures in the window; the next one opens
    window: float = 10.0
    rest: float = 5.0
    longest_rest: float = 60.0
    spread: tuple[float, float] = (0.5, 1.5)


class Circuit(StrEnum):
    """How a deployment is."""

    CLOSED = "CLOSED"
    OPEN = "OPEN"
    HALF_OPEN = "HALF_OPEN"
    WAKING = "WAKING"


class Health(Enum):
    """What the end of a call says of the deployment."""

    GOOD = auto()
    BAD = auto()
    STARTING = auto()
    UNKNOWN = auto()


class Breaker:
    """For one deployment and purpose. Instants are seconds of one monotonic clock.

    `rule` may be exchanged while it is in use: a new configuration forgets no failure.
    """

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self._state = Circuit.CLOSED
        self._since = 0.0
        self._until = 0.0  # of the rest, or of the sleep
        self._asked_until = 0.0  # of the rest that the deployment itself has asked for
        self._trials = 0  # under way
        self._trial_until = 0.0
        self._rests = 0  # one after another
        self._in_a_row = 0
        self._seconds: deque[list[int]] = deque()  # the second, calls and failures in it

    @property
    def since(self) -> float:
        """When it was last left alone."""
        return self._since

    def circuit(self, now: float) -> Circuit:
        """How the deployment is."""
        if self._state is Circuit.CLOSED:
            return Circuit.OPEN if now < self._asked_until else Circuit.CLOSED
        return Circuit.HALF_OPEN if self._state is Circuit.OPEN and self._trials else self._state

    def wait(self, now: float) -> float:
        """Return the seconds until a call may be sent, 0 if one may now."""
        until = self._asked_until
        if self._state is not Circuit.CLOSED:
            until = max(until, self._until, self._trial_until if self._trials else 0.0)
        return max(0.0, until - now)

    def begin(self, now: float) -> bool:
        """Take note of a call that need not wait; return whether it is a trial."""
        if self._state is Circuit.CLOSED:
            return False
        self._trials += 1
        self._trial_until = now + TRIAL_PATIENCE
        return True

    def rest(self, now: float, seconds: float) -> None:
        """Leave the deployment alone as it asked, which is no failure.

        Afterwards it is asked as before, with no trial.
        """
        if self.circuit(now) is Circuit.CLOSED:
            self._since = now
        self._asked_until = max(self._asked_until, now + seconds)

    def end(self, health: Health, now: float, *, trial: bool, chance: float) -> bool:
        """Take note of how a call went; return whether the deployment is left alone from now.

        `chance` is in [0, 1).
        """
        if trial:
            self._trials -= 1
            self._trial_until = 0.0
        before = self._state
        tries = trial and before is not Circuit.CLOSED
        match health:
            case Health.STARTING:
                if tries or before is not Circuit.WAKING:
                    self._leave_alone(Circuit.WAKING, now, WAKE_INTERVAL)
            case Health.GOOD:
                if tries or before is Circuit.WAKING:
                    self._close()
                elif before is Circuit.CLOSED:
                    self._in_a_row = 0
                    self._count(now, failures=0)
            case Health.BAD:
                if tries:
                    self._open(now, chance)
                elif before is Circuit.CLOSED:
                    self._in_a_row += 1
                    self._count(now, failures=1)
                    if self._has_failed_enough():
                        self._open(now, chance)
            case Health.UNKNOWN:
                pass  # a trial that told nothing leaves the next one free
        return before is Circuit.CLOSED and self._state is not Circuit.CLOSED

    def _count(self, now: float, *, failures: int) -> None:
        second = int(now)
        while self._seconds and self._seconds[0][0] <= second - self.rule.window:
            self._seconds.popleft()
        if not self._seconds or self._seconds[-1][0] != second:
            self._seconds.append([second, 0, 0])
        self._seconds[-1][1] += 1
        self._seconds[-1][2] += failures

    def _has_failed_enough(self) -> bool:
        rule = self.rule
        if rule.in_a_row is not None and self._in_a_row >= rule.in_a_row:
            return True
        failed = sum(one[2] for one in self._seconds)
        if rule.allowed is not None and failed > rule.allowed:
            return True
        calls = sum(one[1] for one in self._seconds)
        return rule.share is not None and calls >= rule.fewest and failed >= rule.share * calls

    def _open(self, now: float, chance: float) -> None:
        rest = min(self.rule.rest * 2**self._rests, self.rule.longest_rest)
        self._rests = min(self._rests + 1, _MOST_DOUBLINGS)
        least, most = self.rule.spread
        self._leave_alone(Circuit.OPEN, now, rest * (least + chance * (most - least)))

    def _leave_alone(self, state: Circuit, now: float, seconds: float) -> None:
        if self._state is Circuit.CLOSED:
            self._since = now
        self._state, self._until = state, now + seconds

    def _close(self) -> None:
        self._state = Circuit.CLOSED
        self._rests = self._in_a_row = 0
        self._seconds.clear()
