"""The figures of one process at one moment. Values only, which go from process to process.

A family is named by its name; what it means is `families`.
"""

from collections.abc import Iterable

from msgspec import Struct

from understudy.server.sinks.metrics.families import Family

Labels = tuple[str, ...]


class Sample(Struct, frozen=True, array_like=True):
    """One figure, in parts of the family's unit."""

    family: str
    labels: Labels
    value: int


class Spread(Struct, frozen=True, array_like=True):
    """One histogram: how many fell below each bound and above the one before, and their sum.

    `counts` has one more entry than the family has bounds; `total` is in parts of the unit.
    """

    family: str
    labels: Labels
    counts: tuple[int, ...]
    total: int


class Reading(Struct, frozen=True, array_like=True):
    """All that one process says."""

    samples: tuple[Sample, ...] = ()
    spreads: tuple[Spread, ...] = ()

    def __add__(self, other: "Reading") -> "Reading":
        """Return both, which share no sample."""
        return Reading(self.samples + other.samples, self.spreads + other.spreads)


def sample(family: Family, value: int | bool, *labels: str) -> Sample:
    """Return one figure, in parts of the family's unit."""
    return Sample(family.name, labels, int(value))


def read(samples: Iterable[Sample]) -> Reading:
    """Return a reading without histograms."""
    return Reading(tuple(samples))
