"""A breaker: leaves a silent deployment alone that fails, and a sleeping one time to wake. Pure.

It opens after failures in a row, or when half of enough calls failed lately; after a while one
call may try again. An endpoint that says 503 starts up: that is no failure, and one call in a
while is enough to find out when it has started.
"""

from collections import deque
from enum import Enum, StrEnum, auto

from understudy.server.mirror.shedding import Shed

IN_A_ROW = 5
WINDOW = 10.0  # seconds
FEWEST = 20  # calls in the window, for a share to mean anything
SHARE = 0.5
FIRST_REST = 5.0  # seconds; doubled for each trial that fails
LONGEST_REST = 60.0
WAKE_INTERVAL = 15.0  # seconds


class Circuit(StrEnum):
    """How a silent deployment is."""

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
    """For one silent deployment. Instants are seconds of one monotonic clock."""

    def __init__(self) -> None:
        self._circuit = Circuit.CLOSED
        self._until = 0.0
        self._trying = False
        self._trials = 0
        self._in_a_row = 0
        self._seconds: deque[list[int]] = deque()  # the second, calls and failures in it

    @property
    def circuit(self) -> Circuit:
        """How the deployment is."""
        if self._circuit is Circuit.OPEN and self._trying:
            return Circuit.HALF_OPEN
        return self._circuit

    def refusal(self, now: float) -> Shed | None:
        """Return why nothing may be sent now, if so."""
        if self._circuit is Circuit.CLOSED or (now >= self._until and not self._trying):
            return None
        return Shed.WAKING if self._circuit is Circuit.WAKING else Shed.CIRCUIT_OPEN

    def begin(self) -> bool:
        """Take note of a call that is not refused; return whether it is a trial."""
        self._trying = self._circuit is not Circuit.CLOSED
        return self._trying

    def end(self, health: Health, now: float, *, trial: bool, chance: float) -> bool:
        """Take note of how a call went; return whether the deployment is left alone from now.

        `chance` in [0, 1) spreads the trials of several processes.
        """
        if trial:
            self._trying = False
        before = self._circuit
        match health:
            case Health.STARTING:
                if trial or before is not Circuit.WAKING:
                    self._circuit, self._until = Circuit.WAKING, now + WAKE_INTERVAL
            case Health.GOOD:
                if trial or before is Circuit.WAKING:
                    self._close()
                elif before is Circuit.CLOSED:
                    self._in_a_row = 0
                    self._count(now, failures=0)
            case Health.BAD:
                if trial:
                    self._open(now, chance)
                elif before is Circuit.CLOSED:
                    self._in_a_row += 1
                    if self._count(now, failures=1) or self._in_a_row >= IN_A_ROW:
                        self._open(now, chance)
            case Health.UNKNOWN:
                pass  # a trial that told nothing leaves the next one free
        return before is Circuit.CLOSED and self._circuit is not Circuit.CLOSED

    def _count(self, now: float, *, failures: int) -> bool:
        """Count a call, and return whether too many failed lately."""
        second = int(now)
        while self._seconds and self._seconds[0][0] <= second - WINDOW:
            self._seconds.popleft()
        if not self._seconds or self._seconds[-1][0] != second:
            self._seconds.append([second, 0, 0])
        self._seconds[-1][1] += 1
        self._seconds[-1][2] += failures
        calls = sum(one[1] for one in self._seconds)
        failed = sum(one[2] for one in self._seconds)
        return calls >= FEWEST and failed >= SHARE * calls

    def _open(self, now: float, chance: float) -> None:
        rest = min(FIRST_REST * 2**self._trials, LONGEST_REST)
        self._trials = min(self._trials + 1, 10)
        self._circuit, self._until = Circuit.OPEN, now + rest * (0.5 + chance)

    def _close(self) -> None:
        self._circuit = Circuit.CLOSED
        self._trials = self._in_a_row = 0
        self._seconds.clear()
