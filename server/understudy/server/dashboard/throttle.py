"""Slows down whoever tries keys. Pure but for the clock that is handed in."""

from collections.abc import Callable
from typing import Final

FREE: Final = 5  # failures that cost nothing
_EACH: Final = 10.0  # seconds until another is forgiven
_MOST: Final = 1024  # addresses; beyond, all others are one


class Throttle:
    """Counts failures by address, and forgives them with time."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._paid: dict[str, float] = {}  # when the last failure is forgiven

    def wait(self, address: str) -> float:
        """Return how long an address has to wait before it may try again, in seconds."""
        owed = self._paid.get(self._name(address), 0.0) - self._clock()
        return max(0.0, owed - (FREE - 1) * _EACH)

    def fail(self, address: str) -> None:
        """Count a failure."""
        now = self._clock()
        if len(self._paid) >= _MOST:
            self._paid = {one: until for one, until in self._paid.items() if until > now}
        name = self._name(address)
        self._paid[name] = max(self._paid.get(name, now), now) + _EACH

    def _name(self, address: str) -> str:
        return address if address in self._paid or len(self._paid) < _MOST else ""
