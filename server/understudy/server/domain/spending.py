"""What silent models cost all processes together, in a window of their cap: who holds what of it.

Sums are whole 10^-9 dollars, instants microseconds since 1970. How a process gets by with what it
holds is `mirror.leasing`; where all of it is written down, `records.leases`.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Window:
    """A span of time that a cap is for, from `start` to just before `end`."""

    start: int
    end: int

    @staticmethod
    def at(now: int, length: int) -> "Window":
        """Return the window that an instant is in: the same for everybody, whenever they began."""
        start = now - now % length
        return Window(start, start + length)


@dataclass(frozen=True, slots=True)
class Lease:
    """What one process may spend on a silent model in one window, and what of it is spent.

    `overshoot` is what calls cost beyond what was reserved for them; `spent` includes it.
    """

    id: str
    silent_model: str
    window: Window
    granted: int
    spent: int
    overshoot: int


@dataclass(frozen=True, slots=True)
class Spending:
    """What some processes have taken of a cap together.

    `leased` is what they still hold, `lost` what processes held that died: nobody can say what
    they did with it, so it counts as spent.
    """

    spent: int = 0
    leased: int = 0
    lost: int = 0
    overshoot: int = 0

    @property
    def taken(self) -> int:
        """What nobody else may have."""
        return self.spent + self.leased + self.lost
