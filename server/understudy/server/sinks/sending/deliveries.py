"""What a receiver makes of a delivery, and the seam through which one is tried. Values only."""

from dataclasses import dataclass
from typing import Protocol, TypeAlias


@dataclass(frozen=True, slots=True)
class Delivered:
    """It has arrived. `rejected` of its items were not to the receiver's liking all the same."""

    rejected: int = 0


@dataclass(frozen=True, slots=True)
class Refused:
    """The receiver will never take it. What is `too_large` it may take in parts."""

    why: str
    too_large: bool = False


@dataclass(frozen=True, slots=True)
class Away:
    """The receiver takes nothing now: try again, after `retry_after` seconds if it said so.

    `suspect` says that it may be this very delivery that the receiver stumbles over.
    """

    why: str
    retry_after: float | None = None
    suspect: bool = False


Outcome: TypeAlias = Delivered | Refused | Away


class Courier(Protocol):
    """Brings bytes to one receiver, again and again. Used by one thread, `abort` by any."""

    def deliver(self, body: bytes, timeout: float) -> Outcome:
        """Try once, for so many seconds at most. Raises nothing."""
        ...

    def abort(self) -> None:
        """End what is under way, at once, and deliver nothing more. Raises nothing."""
        ...

    def close(self) -> None:
        """Let the connection go. Raises nothing."""
        ...
