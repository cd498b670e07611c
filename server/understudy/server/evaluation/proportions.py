"""Shares of requests, such as those that failed, and their difference between groups. Pure.

Where callers stick to a variant, a share brings the number of independent requests that its own
are worth (see `keys`), and the same formulas hold. Shares of pairs are `discordance`'s.
"""

from math import ceil, sqrt
from typing import Final

from msgspec import Struct

from understudy.server.domain.estimates import (
    CONFIDENCE,
    Estimate,
    Insufficient,
    Interval,
    Lack,
    Method,
)
from understudy.server.evaluation.distributions import (
    normal_critical,
    normal_p,
)

LEAST: Final = 10  # independent units, below which an interval spans most of what there is
LEAST_EVEN: Final = 10  # keys' worth of evenly sent requests, below which single keys decide


class Share(Struct, frozen=True, gc=False):
    """`hits` of `count` requests.

    Where they are of sticky keys, `keys` says of how many, `even_keys` how many that sent equally
    many would say as much, and `worth`, in [0, count], how many independent requests they are
    worth; else the three are None.
    """

    hits: int
    count: int
    worth: float | None = None
    keys: int | None = None
    even_keys: float | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.hits <= self.count:
            raise ValueError(f"{self.hits} of {self.count} is no share")

    @property
    def independent(self) -> float:
        """How many independent requests these are worth."""
        return self.count if self.worth is None else self.worth

    @property
    def units(self) -> int:
        """How many there are of what is independent: keys, or else requests."""
        return self.count if self.keys is None else self.keys


def proportion(share: Share, confidence: float = CONFIDENCE) -> Estimate:
    """Return hits per request, in [0, 1], by Wilson's score (1927)."""
    lacking = _lack(share)
    if lacking is not None:
        return lacking
    critical = normal_critical(confidence)
    low, high = score_bounds(share.hits / share.count, share.independent, critical)
    return Interval(share.hits / share.count, low, high, share.units, Method.WILSON)


def difference_of_proportions(
    baseline: Share, candidate: Share, confidence: float = CONFIDENCE
) -> Estimate:
    """Return candidate's share minus baseline's, in [-1, 1].

    Newcombe's hybrid score (1998, method 10 for independent samples); p is that of the pooled
    z-test, and 1 where all requests of both came out the same.
    """
    lacking = _lack(baseline, candidate)
    if lacking is not None:
        return lacking
    first, second = baseline.hits / baseline.count, candidate.hits / candidate.count
    critical = normal_critical(confidence)
    low_first, high_first = score_bounds(first, baseline.independent, critical)
    low_second, high_second = score_bounds(second, candidate.independent, critical)
    apart = second - first
    return Interval(
        apart,
        apart - sqrt((second - low_second) ** 2 + (high_first - first) ** 2),
        apart + sqrt((high_second - second) ** 2 + (first - low_first) ** 2),
        baseline.units + candidate.units,
        Method.NEWCOMBE,
        _pooled_p(baseline, candidate),
    )


def score_bounds(share: float, worth: float, critical: float) -> tuple[float, float]:
    """Return Wilson's bounds of a share in [0, 1] that rests on `worth` independent ones."""
    squared = critical * critical
    middle = share + squared / (2 * worth)
    reach = critical * sqrt(share * (1 - share) / worth + squared / (4 * worth * worth))
    whole = 1 + squared / worth
    # At the ends the exact bound is the end itself, which rounding misses by a hair.
    low = 0.0 if share <= 0 else max(0.0, (middle - reach) / whole)
    high = 1.0 if share >= 1 else min(1.0, (middle + reach) / whole)
    return min(low, share), max(high, share)


def _lack(*shares: Share) -> Insufficient | None:
    for share in shares:
        if share.even_keys is not None and share.even_keys < LEAST_EVEN:
            needed = ceil(LEAST_EVEN * share.units / (share.even_keys or share.units or 1))
            return Insufficient(share.units, max(needed, LEAST_EVEN), Lack.UNEVEN)
    fewest = min(shares, key=lambda share: share.independent)
    if fewest.independent >= LEAST:
        return None
    return Insufficient(
        fewest.units, ceil(LEAST * fewest.units / (fewest.independent or 1)) or LEAST
    )


def _pooled_p(baseline: Share, candidate: Share) -> float:
    count = baseline.count + candidate.count
    pooled = (baseline.hits + candidate.hits) / count
    spread = pooled * (1 - pooled) * (1 / baseline.independent + 1 / candidate.independent)
    if spread <= 0:
        return 1.0
    z = (candidate.hits / candidate.count - baseline.hits / baseline.count) / sqrt(spread)
    return normal_p(z)
