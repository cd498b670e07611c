"""How many times the baseline's total the candidate's is, over pairs. Pure.

The ratio of totals is what a bill would change by, where a mean of ratios is not. Ratios over
sticky keys are `keys`'.
"""

from math import sqrt

from understudy.server.domain.estimates import CONFIDENCE, Estimate, Insufficient, Method
from understudy.server.evaluation.means import APART, LEAST, around, near_zero
from understudy.server.evaluation.moments import Comoments

_ROUNDING = 1e-13  # of the squares that cancel, below which a spread is none


def ratio_of_totals(pairs: Comoments, confidence: float = CONFIDENCE) -> Estimate:
    """Return candidate's total over baseline's: 0.4 costs two fifths. p is for "it is 1".

    By the delta method (Deng, Knoblich & Lu 2018), which fails near a division by zero.
    """
    if pairs.n < LEAST:
        return Insufficient(pairs.n, LEAST)
    base, spread = pairs.baseline.mean, pairs.baseline.variance / pairs.n
    if abs(base) <= APART * sqrt(spread):
        return near_zero(base, spread, pairs.n)
    ratio = pairs.candidate.mean / base
    error = sqrt(_spread(pairs, ratio) / pairs.n)
    return around(ratio, error, pairs.n - 1, pairs.n, Method.DELTA, confidence, nothing=1.0)


def _spread(pairs: Comoments, ratio: float) -> float:
    """Return the variance of one pair's part in the ratio.

    Var M / D² + M² Var D / D⁴ - 2 M Cov / D³ for means M over D.
    """
    squares = pairs.candidate.squares + ratio * ratio * pairs.baseline.squares
    left = squares - 2 * ratio * pairs.products
    if left <= _ROUNDING * squares:
        return 0.0
    return left / (pairs.n - 1) / pairs.baseline.mean**2
