"""Whether variants got the shares that they were to get. Pure; `watch` is standard library only.

Where they did not, something drops or adds requests of one of them, and whatever else is measured
cannot be trusted. Units are what is assigned: sticky keys where callers stick, else requests, all
of them, whether they were answered or not.
"""

from collections.abc import Iterable
from math import ceil, exp, fsum, lgamma, log
from typing import Final

from msgspec import Struct

from understudy.server.domain.estimates import Insufficient
from understudy.server.evaluation.distributions import chi_square_p

ALARM: Final = 0.001  # p, below which a mismatch is held for real (Fabijan et al. 2019)
_LEAST: Final = 5  # expected of a variant, below which chi-square is no approximation


class Epoch(Struct, frozen=True):
    """The units of each variant while the weights were these. Weights need not sum to 1."""

    counts: tuple[int, ...]
    weights: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.counts) != len(self.weights) or not sum(self.weights) > 0:
            raise ValueError("each variant has a count and a weight, and one weight is positive")
        if min(self.counts) < 0 or min(self.weights) < 0:
            raise ValueError("no count and no weight is negative")

    @property
    def shares(self) -> tuple[float, ...]:
        """What part of the units each variant is to get."""
        whole = fsum(self.weights)
        return tuple(weight / whole for weight in self.weights)


class SampleRatio(Struct, frozen=True):
    """What was counted and what was to be expected, and how likely such a distance is by chance.

    `statistic` is None if a variant got units that was to get none; `p` is then 0.
    """

    counts: tuple[int, ...]
    expected: tuple[float, ...]
    statistic: float | None
    p: float

    @property
    def mismatched(self) -> bool:
        """Whether chance does not explain it."""
        return self.p < ALARM


class SequentialRatio(Struct, frozen=True):
    """How much likelier other shares are than the weights. `p` may be looked at at any time."""

    log_bayes_factor: float | None  # None if what cannot happen did; p is then 0
    p: float


def check(epochs: Iterable[Epoch]) -> SampleRatio | Insufficient:
    """Test all epochs at once: chi-square of their summed counts against what was expected.

    All epochs name the same variants, with weight 0 where one took no part.
    To be looked at once, when the report is made. Where weights differed between epochs it errs
    towards silence, for sums of unlike epochs vary less than it assumes.
    """
    held = list(epochs)
    counts = tuple(map(sum, zip(*(epoch.counts for epoch in held), strict=True)))
    total = sum(counts)
    expected = tuple(
        fsum(sum(epoch.counts) * epoch.shares[arm] for epoch in held) for arm in range(len(counts))
    )
    awaited = [(count, mean) for count, mean in zip(counts, expected, strict=True) if mean > 0]
    if any(count and not mean for count, mean in zip(counts, expected, strict=True)):
        return SampleRatio(counts, expected, None, 0.0)
    if not total and held:
        rarest = min(share for epoch in held for share in epoch.shares if share)
        return Insufficient(0, ceil(_LEAST / rarest) if rarest < 1 else None)
    if len(awaited) < 2:
        return Insufficient(total, None)
    rarest = min(mean for _, mean in awaited)
    if rarest < _LEAST:
        return Insufficient(total, ceil(_LEAST * total / rarest))
    statistic = fsum((count - mean) ** 2 / mean for count, mean in awaited)
    return SampleRatio(counts, expected, statistic, chi_square_p(statistic, len(awaited) - 1))


def watch(epochs: Iterable[Epoch], concentration: float = 100) -> SequentialRatio:
    """Weigh a Dirichlet-multinomial alternative against the weights, after any number of units.

    log BF = ln B(kw + c) - ln B(kw) - sum of c ln w, with k the concentration (Lindon & Malek
    2022); factors of epochs multiply. Epochs with the same shares are one, so that a change of
    something else than weights changes nothing here.
    """
    summed: dict[tuple[float, ...], list[int]] = {}
    for epoch in epochs:
        sums = summed.setdefault(epoch.shares, [0] * len(epoch.counts))
        for arm, count in enumerate(epoch.counts):
            sums[arm] += count
    factors: list[float] = []
    for shares, counts in summed.items():
        awaited = [(share, count) for share, count in zip(shares, counts, strict=True) if share]
        if sum(count for _, count in awaited) < sum(counts):
            return SequentialRatio(None, 0.0)
        factors.append(_log_bayes_factor(awaited, concentration))
    factor = fsum(factors)
    return SequentialRatio(factor, exp(min(0.0, -factor)))


def _log_bayes_factor(arms: list[tuple[float, int]], concentration: float) -> float:
    total = sum(count for _, count in arms)
    return (
        fsum(
            lgamma(concentration * share + count)
            - lgamma(concentration * share)
            - count * log(share)
            for share, count in arms
        )
        + lgamma(concentration)
        - lgamma(concentration + total)
    )
