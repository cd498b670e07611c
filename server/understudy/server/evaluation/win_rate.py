"""What ratings of pairs say: how often the candidate's answer is the better one. Pure.

One verdict for each pair: where several people rated one, their verdicts are not independent, and
whoever counts them decides which one stands.
"""

from functools import lru_cache
from math import ceil, sqrt
from typing import Final

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
    binomial_quantile,
    normal_critical,
    t_critical,
)
from understudy.server.evaluation.proportions import LEAST, Share, proportion, score_bounds

POWER: Final = 0.8
_VARIED: Final = 5  # verdicts that are not the commonest one, fewer than which show no spread
_RUN: Final = 10
_CLOSEST: Final = 0.51  # to one half, beyond which pairs are counted by the ten thousand


class Verdicts(Struct, frozen=True, gc=False):
    """On how many pairs the candidate's answer was better, neither was, or the baseline's was."""

    wins: int = 0
    ties: int = 0
    losses: int = 0

    def __post_init__(self) -> None:
        if min(self.wins, self.ties, self.losses) < 0:
            raise ValueError("no count is negative")

    @property
    def n(self) -> int:
        """The number of pairs."""
        return self.wins + self.ties + self.losses


def win_rate(verdicts: Verdicts, confidence: float = CONFIDENCE) -> Estimate:
    """Return wins per pair, ties counted as half a win, in [0, 1], with the sign test's p.

    Student's interval of the scores 0, ½ and 1; Wilson's, which is then wider than need be, where
    nearly all verdicts are the same, so that their spread is not known.
    """
    n = verdicts.n
    if n < LEAST:
        return Insufficient(n, LEAST)
    rate = (verdicts.wins + verdicts.ties / 2) / n
    p = sign_test_p(verdicts.wins, verdicts.losses)
    if n - max(verdicts.wins, verdicts.ties, verdicts.losses) < _VARIED:
        low, high = score_bounds(rate, n, normal_critical(confidence))
        return Interval(rate, low, high, n, Method.WILSON, p)
    squares = (
        verdicts.wins * (1 - rate) ** 2
        + verdicts.ties * (0.5 - rate) ** 2
        + verdicts.losses * rate**2
    )
    reach = t_critical(confidence, n - 1) * sqrt(squares / (n - 1) / n)
    return Interval(rate, max(0.0, rate - reach), min(1.0, rate + reach), n, Method.T, p)


def decisive_win_rate(verdicts: Verdicts, confidence: float = CONFIDENCE) -> Estimate:
    """Return wins per pair that was no tie, in [0, 1], with Wilson's interval and the same p."""
    found = proportion(Share(verdicts.wins, verdicts.wins + verdicts.losses), confidence)
    if isinstance(found, Insufficient):
        return found
    p = sign_test_p(verdicts.wins, verdicts.losses)
    return Interval(found.estimate, found.low, found.high, found.n, found.method, p)


def sign_test_p(wins: int, losses: int) -> float:
    """Return the exact two-sided p of a fair coin, 1 if it was never thrown."""
    return min(1.0, 2 * binomial_cdf(min(wins, losses), wins + losses, 0.5))


def pairs_to_go(verdicts: Verdicts, share: float = 0.6) -> int | None:
    """Return how many more pairs it takes to see `share` of the decisive ones won.

    At the rate of ties so far; None if all so far are ties.
    """
    if verdicts.n and verdicts.n == verdicts.ties:
        return None
    decisive = verdicts.n - verdicts.ties
    needed = decisive_pairs_needed(share)
    in_all = -(-needed * verdicts.n // decisive) if decisive else needed
    return max(0, in_all - verdicts.n)


@lru_cache(maxsize=64)
def decisive_pairs_needed(
    share: float, confidence: float = CONFIDENCE, power: float = POWER
) -> int:
    """Return how many decisive pairs tell this share of wins, in [0.51, 1), from one half.

    By the power of the exact two-sided sign test. It falls a little at each step of the test, so
    the number is the first of ten in a row that have it.
    """
    if not _CLOSEST <= share < 1:
        raise ValueError(f"a share of wins in [{_CLOSEST}, 1), not {share}")
    # Where the normal approximation has half of what it takes, the exact test has not yet enough.
    z = normal_critical(confidence)
    n = max(1, ceil((z / (2 * share - 1)) ** 2 / 2))
    run = 0
    while run < _RUN:
        run = run + 1 if _power(n, share, (1 - confidence) / 2) >= power else 0
        n += 1
    return n - _RUN


def _power(n: int, share: float, tail: float) -> float:
    """Return the chance that the test of n throws finds this share, in either direction."""
    least = binomial_quantile(tail, n, 0.5)
    if binomial_cdf(least, n, 0.5) > tail:
        least -= 1
    return binomial_cdf(least, n, share) + binomial_cdf(least, n, 1 - share)
