"""Quantiles such as p50 and p95 with their intervals, and how those of two groups differ. Pure.

Free of any law that the values follow: ranks are what is random, and their chances are binomial.
`worth` is how many independent values those of an arm are worth (see `keys`), None if each is
independent of the others.
"""

from functools import lru_cache
from math import ceil, floor, log
from typing import Final

from understudy.server.domain.estimates import (
    CONFIDENCE,
    Estimate,
    Insufficient,
    Interval,
    Lack,
    Method,
)
from understudy.server.evaluation.distributions import binomial_quantile
from understudy.server.evaluation.ranking import Ranked

_BEYOND: Final = 10  # values of an arm on the rarer side, so that p95 takes 200 and p99 1,000
_RANKS: Final = 100  # equally likely ones of an arm, instead of draws


def quantile(
    values: Ranked, share: float, worth: float | None = None, confidence: float = CONFIDENCE
) -> Estimate:
    """Return the value that this share, in (0, 1), are at most, between two order statistics.

    Their ranks are binomial quantiles (Conover 1999, 3.2), so the interval holds for any law.
    """
    n, count = values.n, _whole(values, worth)
    tail = (1 - confidence) / 2
    low = binomial_quantile(tail, count, share) - 1
    high = binomial_quantile(1 - tail, count, share)
    if low < 0 or high >= count:
        needed = floor(log(tail) / log(max(share, 1 - share))) + 1
        return _lacking(needed, n, count)
    return Interval(
        values.at(rank_of(n, share))[1],
        values.at(low * n // count)[0],
        values.at(-(-(high + 1) * n // count) - 1)[2],
        n,
        Method.ORDER_STATISTICS,
    )


def difference_of_quantiles(
    baseline: Ranked,
    candidate: Ranked,
    share: float,
    worths: tuple[float | None, float | None] = (None, None),
    confidence: float = CONFIDENCE,
) -> Estimate:
    """Return candidate's quantile minus baseline's.

    A bootstrapped quantile is the order statistic of a binomial rank, so ranks are all that needs
    resampling (Schultzberg & Ankargren 2022); instead of drawing them, equally likely ones of both
    arms meet each other, so that the same values always give the same interval. It takes the arms
    for independent: of the two sides of pairs, which go together, it is wider than need be.
    """
    counts = _whole(baseline, worths[0]), _whole(candidate, worths[1])
    needed = ceil(_BEYOND / min(share, 1 - share) - 1e-9)
    count, n = min(zip(counts, (baseline.n, candidate.n), strict=True))
    if count < needed:
        return _lacking(needed, n, count)
    before = [baseline.at(rank) for rank in _likely_ranks(baseline.n, counts[0], share)]
    after = [candidate.at(rank) for rank in _likely_ranks(candidate.n, counts[1], share)]
    least = sorted(second[0] - first[2] for first in before for second in after)
    most = sorted(second[2] - first[0] for first in before for second in after)
    cut = floor(len(least) * (1 - confidence) / 2)
    apart = (
        candidate.at(rank_of(candidate.n, share))[1] - baseline.at(rank_of(baseline.n, share))[1]
    )
    n = baseline.n + candidate.n
    return Interval(apart, least[cut], most[-1 - cut], n, Method.RESAMPLED_INDICES)


def rank_of(n: int, share: float) -> int:
    """Return the rank in [0, n) of the least value that this share of n are at most."""
    # The subtrahend keeps 0.07 · 100 from being a little more than 7.
    return min(max(ceil(n * share - 1e-9), 1), n) - 1


@lru_cache(maxsize=256)
def _likely_ranks(n: int, count: int, share: float) -> tuple[int, ...]:
    """Return equally likely ranks of the quantile of n values that are worth `count`."""
    drawn = (binomial_quantile((step + 0.5) / _RANKS, count + 1, share) for step in range(_RANKS))
    return tuple((2 * min(max(index, 1), count) - 1) * n // (2 * count) for index in drawn)


def _whole(values: Ranked, worth: float | None) -> int:
    return values.n if worth is None else min(values.n, floor(worth))


def _lacking(needed: int, n: int, count: int) -> Insufficient:
    """Say how many values it takes where those n are worth `count`, too few."""
    if n and not count:
        return Insufficient(n, None, Lack.UNEVEN)
    return Insufficient(n, ceil(needed * n / count) if count else needed)
