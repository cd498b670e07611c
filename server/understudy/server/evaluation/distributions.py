"""The distributions that intervals and tests are read from. Pure.

The normal one is the standard library's, the others are scipy's, imported when first asked for:
42 MB and a sixth of a second that a process that reports nothing never pays.
"""

from functools import lru_cache
from math import exp, floor, lgamma, log, log1p, sqrt
from statistics import NormalDist
from typing import Final

_NORMAL: Final = NormalDist()


def normal_critical(confidence: float) -> float:
    """Return the two-sided critical value z, such as 1.96 for 0.95."""
    return _NORMAL.inv_cdf((1 + confidence) / 2)


def normal_p(z: float) -> float:
    """Return the two-sided p of a standard normal statistic."""
    return 2 * _NORMAL.cdf(-abs(z))


@lru_cache(maxsize=1024)
def t_critical(confidence: float, freedom: float) -> float:
    """Return the two-sided critical value of Student's t with this many degrees of freedom."""
    from scipy.special import stdtrit

    return float(stdtrit(freedom, (1 + confidence) / 2))


def t_p(t: float, freedom: float) -> float:
    """Return the two-sided p of Student's t."""
    from scipy.special import stdtr

    return 2 * float(stdtr(freedom, -abs(t)))


def chi_square_p(statistic: float, freedom: int) -> float:
    """Return the chance of a chi-square at least this large."""
    from scipy.special import gammaincc

    return float(gammaincc(freedom / 2, statistic / 2))


def binomial_cdf(hits: int, count: int, share: float) -> float:
    """Return P(X <= hits) for X ~ Binomial(count, share), by the incomplete beta function."""
    if hits < 0:
        return 0.0
    if hits >= count:
        return 1.0
    from scipy.special import betainc

    return float(betainc(count - hits, hits + 1, 1 - share))


def binomial_mass(hits: int, count: int, share: float) -> float:
    """Return P(X = hits) for X ~ Binomial(count, share), share in (0, 1)."""
    ways = lgamma(count + 1) - lgamma(hits + 1) - lgamma(count - hits + 1)
    return exp(ways + hits * log(share) + (count - hits) * log1p(-share))


def binomial_quantile(probability: float, count: int, share: float) -> int:
    """Return the least k with P(X <= k) >= probability.

    Found by halving around the normal approximation: scipy's inverse of `bdtr` is not whole.
    """
    spread = sqrt(count * share * (1 - share))
    guess = count * share + spread * _NORMAL.inv_cdf(probability)
    step = max(1, int(spread / 8))
    high = min(count, max(0, floor(guess)))
    while high < count and binomial_cdf(high, count, share) < probability:
        high, step = min(count, high + step), 2 * step
    low, step = high, max(1, int(spread / 8))
    while low >= 0 and binomial_cdf(low, count, share) >= probability:
        low, step = low - step, 2 * step
    low = max(low, -1)  # the chance of -1 or less is 0
    while high - low > 1:
        middle = (low + high) // 2
        if binomial_cdf(middle, count, share) >= probability:
            high = middle
        else:
            low = middle
    return high
