"""Counts and histograms that only grow. Nothing here is locked: see whoever has them."""

from bisect import bisect_left

from understudy.server.sinks.metrics.families import Family
from understudy.server.sinks.metrics.readings import Labels, Spread


class Histogram:
    """How many values fell where. `bounds` of the family count in parts of its unit."""

    __slots__ = ("_bounds", "_counts", "_family", "total")

    def __init__(self, family: Family) -> None:
        self._family = family
        self._bounds = tuple(round(one * family.parts) for one in family.bounds)
        self._counts = [0] * (len(self._bounds) + 1)
        self.total = 0

    def observe(self, value: int) -> None:
        """Take a value, in parts of the unit; what is below 0, as of a clock set back, is 0."""
        value = max(value, 0)
        self._counts[bisect_left(self._bounds, value)] += 1
        self.total += value

    @property
    def count(self) -> int:
        """How many values there were."""
        return sum(self._counts)

    def spread(self, labels: Labels) -> Spread:
        """Return how it is now."""
        return Spread(self._family.name, labels, tuple(self._counts), self.total)
