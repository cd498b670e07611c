"""Means and their differences: of one sample, of two, and of pairs. Pure.

Costs, tokens and anything else that adds up; durations are better told by `speeds` and
`quantiles`. Units are independent here; where callers stick to a variant, `ratios` has them.
The candidate is always compared with the baseline: what is positive is the candidate's surplus.
"""

from math import ceil, sqrt
from typing import Final

from understudy.server.domain.estimates import (
    CONFIDENCE,
    Estimate,
    Insufficient,
    Interval,
    Lack,
    Method,
)
from understudy.server.evaluation.distributions import t_critical, t_p
from understudy.server.evaluation.moments import Moments

LEAST: Final = 30  # units of an arm, below which a mean of skewed values is not yet normal
APART: Final = 4  # standard errors from zero, less than which nothing is divided by


def mean(values: Moments, confidence: float = CONFIDENCE) -> Estimate:
    """Return the mean with Student's interval, in the values' unit."""
    if values.n < LEAST:
        return Insufficient(values.n, LEAST)
    error = sqrt(values.variance / values.n)
    reach = t_critical(confidence, values.n - 1) * error
    return Interval(values.mean, values.mean - reach, values.mean + reach, values.n, Method.T)


def paired_difference(differences: Moments, confidence: float = CONFIDENCE) -> Estimate:
    """Return the mean of candidate minus baseline over pairs, with the paired t-test's p."""
    if differences.n < LEAST:
        return Insufficient(differences.n, LEAST)
    error = sqrt(differences.variance / differences.n)
    return around(
        differences.mean, error, differences.n - 1, differences.n, Method.PAIRED_T, confidence
    )


def difference(baseline: Moments, candidate: Moments, confidence: float = CONFIDENCE) -> Estimate:
    """Return candidate's mean minus baseline's, by Welch (1947): their variances may differ."""
    few = min(baseline.n, candidate.n)
    if few < LEAST:
        return Insufficient(few, LEAST)
    return around(
        candidate.mean - baseline.mean,
        sqrt(baseline.variance / baseline.n + candidate.variance / candidate.n),
        welch_freedom(baseline.variance, baseline.n, candidate.variance, candidate.n),
        baseline.n + candidate.n,
        Method.WELCH,
        confidence,
    )


def relative_difference(
    baseline: Moments, candidate: Moments, confidence: float = CONFIDENCE
) -> Estimate:
    """Return the difference as a share of baseline's mean: 0.1 is a tenth more.

    By the delta method (Deng, Knoblich & Lu 2018), which fails near a division by zero: where
    baseline's mean is less than four standard errors from zero nothing is said, and the absolute
    difference is what to show.
    """
    few = min(baseline.n, candidate.n)
    if few < LEAST:
        return Insufficient(few, LEAST)
    base = baseline.mean
    spread = baseline.variance / baseline.n
    if abs(base) <= APART * sqrt(spread):
        return near_zero(base, spread, baseline.n)
    lift = candidate.mean / base
    error = sqrt(candidate.variance / candidate.n + lift * lift * spread) / abs(base)
    freedom = welch_freedom(baseline.variance, baseline.n, candidate.variance, candidate.n)
    n = baseline.n + candidate.n
    return around((candidate.mean - base) / base, error, freedom, n, Method.DELTA, confidence)


def around(
    estimate: float,
    error: float,
    freedom: float,
    n: int,
    method: Method,
    confidence: float,
    nothing: float = 0.0,
) -> Interval:
    """Return the t-interval of an estimate with this standard error, and p for `nothing`."""
    if error <= 0:
        return Interval(estimate, estimate, estimate, n, method)
    reach = t_critical(confidence, freedom) * error
    p = t_p((estimate - nothing) / error, freedom)
    return Interval(estimate, estimate - reach, estimate + reach, n, method, p)


def welch_freedom(first: float, n_first: int, second: float, n_second: int) -> float:
    """Return Satterthwaite's degrees of freedom, from two variances of one unit each."""
    most = max(first, second)
    if most <= 0:
        return n_first + n_second - 2
    # Divided by the larger one first, because squares of small variances vanish.
    left, right = first / most / n_first, second / most / n_second
    return (left + right) ** 2 / (left**2 / (n_first - 1) + right**2 / (n_second - 1))


def near_zero(base: float, spread: float, n: int) -> Insufficient:
    """Say how many units would set a base apart from zero, `spread` its squared error at `n`."""
    if not base * base:
        return Insufficient(n, None, Lack.NEAR_ZERO)
    return Insufficient(n, ceil(n * APART**2 * spread / (base * base)) + 1, Lack.NEAR_ZERO)
