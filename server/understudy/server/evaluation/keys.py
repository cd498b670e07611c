"""What requests of sticky keys say, where a key's resemble each other and only keys differ. Pure.

A mean per request is total over count, its error found by leaving out one key after the other.
For shares and quantiles the same error says how many independent requests those of the keys are
worth, so that what holds for independent ones holds for them too.
"""

from collections.abc import Iterable, Sequence
from math import ceil, fsum, sqrt
from typing import Final

import msgspec
from msgspec import Struct

from understudy.server.domain.estimates import (
    CONFIDENCE,
    Estimate,
    Insufficient,
    Interval,
    Lack,
    Method,
)
from understudy.server.evaluation.distributions import normal_critical, t_critical
from understudy.server.evaluation.means import APART, LEAST, around, near_zero
from understudy.server.evaluation.proportions import LEAST_EVEN, Share

_ROUNDING: Final = 1e-26  # of the squares that cancel, below which a spread is none


class Keyed(Struct, frozen=True, gc=False):
    """One arm's mean per request and its squared error, over `keys` that sent `requests`.

    `even_keys`, in [1, keys], is how many keys with the same number of requests each would say as
    much (Kish 1965): the fewer, the more a few of them decide.
    """

    keys: int = 0
    requests: float = 0
    mean: float = 0.0
    squared_error: float = 0.0
    even_keys: float = 0.0

    @classmethod
    def of(cls, keys: Iterable[tuple[float, float]]) -> "Keyed":
        """Take each key's number of requests and their total, such as what they cost.

        Requests that stand for more, or fewer, than themselves are counted with that weight.

        The error is that of the jackknife, which leaves out one key after the other, because the
        delta method's is too small where some keys have many more requests than others.
        """
        held = [key for key in keys if key[0] > 0]
        n, requests = len(held), sum(count for count, _ in held)
        if not n:
            return cls()
        mean = fsum(total for _, total in held) / requests
        even = _even([count for count, _ in held])
        if n < 2:
            return cls(n, requests, mean, 0.0, even)
        left_out = [(total - mean * count) / (requests - count) for count, total in held]
        squared_error = fsum(one * one for one in left_out)
        most = fsum((total / (requests - count)) ** 2 for count, total in held)
        if squared_error <= _ROUNDING * most:
            squared_error = 0.0
        return cls(n, requests, mean, squared_error, even)

    @property
    def freedom(self) -> float:
        """The degrees of freedom of the error."""
        return self.even_keys - 1


def keyed_mean(arm: Keyed, confidence: float = CONFIDENCE) -> Estimate:
    """Return the mean per request, in the values' unit."""
    lacking = _lack(arm)
    if lacking is not None:
        return lacking
    error = sqrt(arm.squared_error)
    found = around(arm.mean, error, arm.freedom, arm.keys, Method.JACKKNIFE, confidence)
    return Interval(arm.mean, found.low, found.high, arm.keys, Method.JACKKNIFE)


def keyed_difference(baseline: Keyed, candidate: Keyed, confidence: float = CONFIDENCE) -> Estimate:
    """Return candidate's mean per request minus baseline's, with p."""
    lacking = _lack(baseline, candidate)
    if lacking is not None:
        return lacking
    return around(
        candidate.mean - baseline.mean,
        sqrt(baseline.squared_error + candidate.squared_error),
        _freedom(baseline, candidate),
        baseline.keys + candidate.keys,
        Method.JACKKNIFE,
        confidence,
    )


def keyed_relative_difference(
    baseline: Keyed, candidate: Keyed, confidence: float = CONFIDENCE
) -> Estimate:
    """Return the difference as a share of baseline's mean, by the delta method, as in `means`."""
    lacking = _lack(baseline, candidate)
    if lacking is not None:
        return lacking
    base, spread = baseline.mean, baseline.squared_error
    if abs(base) <= APART * sqrt(spread):
        return near_zero(base, spread, baseline.keys)
    lift = candidate.mean / base
    return around(
        lift - 1,
        sqrt(candidate.squared_error + lift * lift * spread) / abs(base),
        _freedom(baseline, candidate),
        baseline.keys + candidate.keys,
        Method.JACKKNIFE,
        confidence,
    )


def keyed_share(keys: Iterable[tuple[float, float]], confidence: float = CONFIDENCE) -> Share:
    """Return the share of hits, from each key's number of requests and hits among them.

    Weighted ones are rounded to whole requests in the share, so let the weights be 1 on average.

    Their worth is the count over the design effect (Kish 1965), less what so few keys leave
    uncertain of it (Korn & Graubard 1998): few, too, are the keys that have the rarer outcome. The
    jackknife's own interval would shrink to nothing near 0 and 1.
    """
    held = [key for key in keys if key[0] > 0]
    arm, hits = Keyed.of(held), sum(key[1] for key in held)
    share = Share(round(hits), round(arm.requests), 0.0, arm.keys, arm.even_keys)
    if arm.even_keys < LEAST_EVEN:
        return share
    # What they are worth at the least: one for each key, as if all its requests came out alike.
    alike = arm.even_keys * _certainty(arm.freedom, confidence)
    if arm.squared_error <= 0:
        return msgspec.structs.replace(share, worth=alike)
    part = hits / arm.requests
    worth = min(float(arm.requests), part * (1 - part) / arm.squared_error)
    rarer = [key[1] if 2 * hits <= arm.requests else key[0] - key[1] for key in held]
    freedom = min(arm.freedom, _even(rarer) - 1)
    return msgspec.structs.replace(
        share,
        worth=max(
            worth * _certainty(freedom, confidence),
            min(worth * _certainty(arm.freedom, confidence), alike),
        ),
    )


def worth_at(keys: Iterable[Sequence[float]], value: float) -> float:
    """Return how many independent requests a quantile near `value` rests on.

    By the share that is at most `value` (Woodruff 1952; Deng, Knoblich & Lu 2018).
    """
    return keyed_share((len(key), sum(one <= value for one in key)) for key in keys).independent


def _even(counts: Sequence[float]) -> float:
    """Return how many equal counts would say as much, at least 1."""
    return sum(counts) ** 2 / sum(count * count for count in counts)


def _certainty(freedom: float, confidence: float) -> float:
    """Return the part of its worth that an error with so many degrees of freedom has."""
    if freedom <= 0:
        return 0.0
    return (normal_critical(confidence) / t_critical(confidence, freedom)) ** 2


def _freedom(baseline: Keyed, candidate: Keyed) -> float:
    """Return Satterthwaite's degrees of freedom of the sum of both squared errors."""
    most = max(baseline.squared_error, candidate.squared_error)
    if most <= 0:
        return baseline.freedom + candidate.freedom
    left, right = baseline.squared_error / most, candidate.squared_error / most
    return (left + right) ** 2 / (left**2 / baseline.freedom + right**2 / candidate.freedom)


def _lack(*arms: Keyed) -> Insufficient | None:
    """Return what keeps the keys of an arm from standing for all that may come."""
    fewest = min(arms, key=lambda arm: arm.keys)
    if fewest.keys < LEAST:
        return Insufficient(fewest.keys, LEAST)
    unevenest = min(arms, key=lambda arm: arm.even_keys)
    if unevenest.even_keys < LEAST_EVEN:
        needed = ceil(unevenest.keys * LEAST_EVEN / unevenest.even_keys)
        return Insufficient(unevenest.keys, needed, Lack.UNEVEN)
    return None
