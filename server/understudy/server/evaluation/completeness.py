"""What pairs that are missing could change. Pure, standard library only.

A silent model that times out on long prompts is compared on short ones only. So what is said of
pairs holds for all that were mirrored only within bounds: as if each missing one were the worst,
or the best, that it can be.
"""

from typing import Final

from msgspec import Struct

from understudy.server.domain.estimates import Estimate, Insufficient
from understudy.server.evaluation.quantiles import rank_of
from understudy.server.evaluation.ranking import Ranked

ENOUGH: Final = 0.95  # of what was mirrored, below which a report shows bounds


class Completeness(Struct, frozen=True, gc=False):
    """How many pairs have both answers, and how many lack one."""

    paired: int
    missing: int

    def __post_init__(self) -> None:
        if min(self.paired, self.missing) < 0:
            raise ValueError("no count is negative")

    @property
    def share(self) -> float | None:
        """The part that has both, None if nothing was mirrored."""
        whole = self.paired + self.missing
        return self.paired / whole if whole else None

    @property
    def enough(self) -> bool:
        """Whether what is said of the pairs may stand for all."""
        return self.share is not None and self.share >= ENOUGH


class Bounds(Struct, frozen=True, gc=False):
    """Between what a number lies whatever the missing pairs are; None: there is no telling."""

    low: float | None
    high: float | None


def bound_mean(found: Estimate, completeness: Completeness, least: float, most: float) -> Bounds:
    """Widen the interval of a mean over the pairs, of a measure within [least, most].

    Rates, win rates and similarities are in [0, 1], differences of rates in [-1, 1].
    """
    whole = completeness.paired + completeness.missing
    if isinstance(found, Insufficient) or not whole:
        return Bounds(least, most)
    paired, missing = completeness.paired / whole, completeness.missing / whole
    return Bounds(
        max(least, found.low * paired + least * missing),
        min(most, found.high * paired + most * missing),
    )


def bound_quantile(values: Ranked, share: float, missing: int) -> Bounds:
    """Bound a sample's quantile as if all that is missing were shortest, or never ended."""
    if not values.n:
        return Bounds(None, None)
    rank = rank_of(values.n + missing, share)
    return Bounds(
        values.at(rank - missing)[0] if rank >= missing else None,
        values.at(rank)[2] if rank < values.n else None,
    )
