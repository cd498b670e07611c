"""Values in their order, as quantiles are read from: each one kept, or counted in buckets. Pure.

A bucket tells where a value lies only up to its edges, and says so; buckets of many spans and
processes add up, single values need not be kept for them.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from itertools import accumulate
from typing import Protocol, TypeAlias

Span: TypeAlias = tuple[float, float, float]
"""The least that a value can be, the best guess, and the most."""


class Ranked(Protocol):
    """Values in ascending order."""

    @property
    def n(self) -> int:
        """How many there are."""
        ...

    def at(self, rank: int) -> Span:
        """Return the value with this many before it, `rank` in [0, n)."""
        ...


class Sample:
    """Values that are each known."""

    def __init__(self, values: Iterable[float]) -> None:
        self._values = sorted(values)

    @property
    def n(self) -> int:
        """How many there are."""
        return len(self._values)

    def at(self, rank: int) -> Span:
        """Return the value with this many before it."""
        value = self._values[rank]
        return value, value, value


class Buckets:
    """Values of which is known between which edges they lie.

    `counts` has them by lower and upper edge, of buckets that do not overlap.
    """

    def __init__(self, counts: Mapping[tuple[float, float], int]) -> None:
        held = sorted((edges, count) for edges, count in counts.items() if count > 0)
        self._edges = [edges for edges, _ in held]
        self._until = list(accumulate(count for _, count in held))

    @classmethod
    def logarithmic(cls, counts: Mapping[int, int], part: float) -> "Buckets":
        """Take a histogram of `domain.histograms`, whose guesses err by this part of themselves."""
        base = (1 + part) / (1 - part)
        return cls({(base ** (i - 1), base**i): count for i, count in counts.items()})

    @property
    def n(self) -> int:
        """How many there are."""
        return self._until[-1] if self._until else 0

    def at(self, rank: int) -> Span:
        """Return where the value with this many before it lies.

        The guess errs by the same share of the value at either edge, at most (high - low) in
        (high + low).
        """
        if not 0 <= rank < self.n:
            raise IndexError(f"no value has {rank} before it")
        low, high = self._edges[bisect_right(self._until, rank)]
        return low, 2 * low * high / (low + high) if low > 0 else (low + high) / 2, high
