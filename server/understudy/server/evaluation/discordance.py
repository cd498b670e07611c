"""Shares on pairs: what happens to one side of a pair and not to the other. Pure.

Both sides saw the same prompt, so pairs where both failed, or neither, say nothing of who fails
more often; those where one did decide.
"""

from math import sqrt

from msgspec import Struct

from understudy.server.domain.estimates import (
    CONFIDENCE,
    Estimate,
    Insufficient,
    Interval,
    Method,
)
from understudy.server.evaluation.distributions import (
    binomial_cdf,
    binomial_mass,
    normal_critical,
)
from understudy.server.evaluation.proportions import LEAST, score_bounds


class PairedCounts(Struct, frozen=True, gc=False):
    """On how many pairs something, such as an error, happened to which side."""

    both: int
    baseline_only: int
    candidate_only: int
    neither: int

    def __post_init__(self) -> None:
        if min(self.both, self.baseline_only, self.candidate_only, self.neither) < 0:
            raise ValueError("no count is negative")

    @property
    def n(self) -> int:
        """The number of pairs."""
        return self.both + self.baseline_only + self.candidate_only + self.neither


def paired_difference_of_proportions(
    counts: PairedCounts, confidence: float = CONFIDENCE
) -> Estimate:
    """Return candidate's share minus baseline's, in [-1, 1].

    The interval is Newcombe's method 10 for pairs (1998), p that of McNemar's mid-p test: it keeps
    its level with few discordant pairs too (Fagerland, Lydersen & Laake 2013).
    """
    n = counts.n
    if n < LEAST:
        return Insufficient(n, LEAST)
    critical = normal_critical(confidence)
    first = (counts.both + counts.baseline_only) / n
    second = (counts.both + counts.candidate_only) / n
    low_first, high_first = score_bounds(first, n, critical)
    low_second, high_second = score_bounds(second, n, critical)
    apart = (counts.candidate_only - counts.baseline_only) / n
    alike = _correlation(counts)
    return Interval(
        apart,
        apart - _reach(second - low_second, high_first - first, alike),
        apart + _reach(high_second - second, first - low_first, alike),
        n,
        Method.NEWCOMBE_PAIRED,
        mid_p(counts.baseline_only, counts.candidate_only),
    )


def mid_p(baseline_only: int, candidate_only: int) -> float:
    """Return McNemar's two-sided mid-p of two discordant counts, 1 if there are none."""
    few, n = min(baseline_only, candidate_only), baseline_only + candidate_only
    if not n:
        return 1.0
    return min(1.0, 2 * binomial_cdf(few, n, 0.5) - binomial_mass(few, n, 0.5))


def _reach(own: float, other: float, alike: float) -> float:
    return sqrt(max(0.0, own * own - 2 * alike * own * other + other * other))


def _correlation(counts: PairedCounts) -> float:
    """Return phi with Newcombe's continuity correction, 0 where a margin is empty."""
    a, b, c, d = counts.both, counts.baseline_only, counts.candidate_only, counts.neither
    margins = (a + b) * (c + d) * (a + c) * (b + d)
    if not margins:
        return 0.0
    determinant = a * d - b * c
    if determinant > 0:
        return max(determinant - counts.n / 2, 0.0) / sqrt(margins)
    return determinant / sqrt(margins)
