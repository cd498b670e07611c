"""Writes down the figures of one section: each under a name that `metrics` explains.

What is counted in microseconds and nano-USD inside leaves in seconds and US dollars.
"""

from math import isfinite
from typing import Final

from understudy.server.domain.estimates import Estimate, Insufficient, Interval, Method
from understudy.server.domain.reports import Figure, Section, Unit
from understudy.server.evaluation.completeness import Bounds
from understudy.server.evaluation.projections import scale
from understudy.server.reporting.metrics import describe

_FACTORS: Final = {Unit.SECONDS: 1e-6, Unit.USD: 1e-9}


class Sheet:
    """A section while it is written."""

    def __init__(self) -> None:
        self._figures: list[Figure] = []
        self._caveats: list[str] = []

    def put(self, name: str, found: Estimate) -> None:
        """Add a figure, of durations in microseconds, of money in nano-USD."""
        unit = describe(name).unit
        found = scale(found, _FACTORS.get(unit, 1.0))
        # No figure is better than one that no arithmetic gave.
        if isinstance(found, Interval) and not _is_finite(found):
            found = Insufficient(found.n, None)
        self._figures.append(Figure(metric=name, unit=unit, found=found))

    def put_difference(
        self, name: str, baseline: Estimate, candidate: Estimate, difference: Estimate
    ) -> None:
        """Add a figure of both sides, and by how much the candidate's is more."""
        self.put(name, candidate)
        self.put(f"{name}_baseline", baseline)
        self.put(f"{name}_difference", difference)

    def count(self, name: str, count: float, of: int) -> None:
        """Add what was counted, or is known, and not estimated: `of` says on how many it rests."""
        self.put(name, exactly(count, of))

    def bound(self, name: str, found: Estimate, bounds: Bounds, n: int) -> None:
        """Add between what a figure lies whatever is missing. `n` is how many are not."""
        if not isinstance(found, Interval) or bounds.low is None or bounds.high is None:
            self.put(f"{name}_bounds", Insufficient(n, None))
            return
        self.put(
            f"{name}_bounds", Interval(found.estimate, bounds.low, bounds.high, n, Method.BOUNDS)
        )

    def warn(self, caveat: str) -> None:
        """Add what a reader must know before believing the figures."""
        self._caveats.append(caveat)

    def finish(self, *, subject: str, baseline: str, group: str = "", epoch: int = 0) -> Section:
        """Return the section."""
        return Section(
            subject=subject,
            baseline=baseline,
            group=group,
            epoch=epoch,
            figures=tuple(self._figures),
            caveats=tuple(self._caveats),
        )


def _is_finite(found: Interval) -> bool:
    p = 0.0 if found.p is None else found.p
    return all(map(isfinite, (found.estimate, found.low, found.high, p)))


def exactly(value: float, n: int, method: Method = Method.COUNT) -> Interval:
    """Return an interval of one point."""
    return Interval(value, value, value, n, method)
