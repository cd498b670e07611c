"""How many times slower: ratios of geometric means of durations. Pure.

On the logarithmic scale a slow minute weighs no more than its factor, so that few hung calls do
not decide. Moments are those of `log_duration`; 1.5 means half as long again as the baseline.
"""

from math import exp
from typing import Final

from understudy.server.domain.estimates import CONFIDENCE, Estimate, Insufficient, Interval
from understudy.server.evaluation.keys import Keyed, keyed_difference
from understudy.server.evaluation.means import difference, mean, paired_difference
from understudy.server.evaluation.moments import Moments

_MOST: Final = 700.0  # beyond this, no float is its exponential


def geometric_mean(logs: Moments, confidence: float = CONFIDENCE) -> Estimate:
    """Return the geometric mean, in microseconds."""
    return _exponentiate(mean(logs, confidence))


def paired_speed_ratio(log_ratios: Moments, confidence: float = CONFIDENCE) -> Estimate:
    """Return candidate over baseline on pairs, from the log of each pair's ratio."""
    return _exponentiate(paired_difference(log_ratios, confidence))


def speed_ratio(baseline: Moments, candidate: Moments, confidence: float = CONFIDENCE) -> Estimate:
    """Return candidate over baseline between independent requests, from the log of each."""
    return _exponentiate(difference(baseline, candidate, confidence))


def keyed_speed_ratio(
    baseline: Keyed, candidate: Keyed, confidence: float = CONFIDENCE
) -> Estimate:
    """Return candidate over baseline between requests of sticky keys, from each key's summed logs."""
    return _exponentiate(keyed_difference(baseline, candidate, confidence))


def _exponentiate(found: Estimate) -> Estimate:
    if isinstance(found, Insufficient):
        return found
    estimate, low, high = (exp(min(x, _MOST)) for x in (found.estimate, found.low, found.high))
    return Interval(estimate, low, high, found.n, found.method, found.p)
