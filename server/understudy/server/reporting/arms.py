"""The observations of one arm, and what can be said of two: by requests, or by sticky keys.

Where keys repeat, or requests are weighted, keys are what is independent (`evaluation.keys`);
where each request is drawn for itself, the formulas for independent values hold, which are
sharper. Both arms are always looked at in the same way.
"""

from functools import cached_property
from typing import Final

import numpy as np

from understudy.server.domain.estimates import Estimate
from understudy.server.evaluation import keys, means, proportions, quantiles, speeds
from understudy.server.reporting.columns import Codes, Floats, Keys, Ordered, known, logs, moments

_ROUNDING: Final = 1e-26  # of the squares that cancel, below which a spread is none


class Arm:
    """Values of one arm. `key` and `weights` are of the same requests.

    `key` is `None` where each request is drawn for itself, and 0 for single ones that are;
    `weights` are `None` where all weigh the same.
    """

    def __init__(self, values: Floats, key: Keys | None, weights: Floats | None) -> None:
        held = known(values)
        self.values: Floats = values[held]
        self._key = None if key is None else key[held]
        self._weights = None if weights is None else weights[held]
        if self._weights is not None and len(self._weights):
            self._weights = self._weights / self._weights.mean()

    @property
    def n(self) -> int:
        """How many requests there are."""
        return len(self.values)

    @property
    def is_plain(self) -> bool:
        """Whether each request is independent of the others, and weighs as much."""
        return self._key is None and self._weights is None

    def logarithms(self) -> "Arm":
        """Return the same with the logarithm of each value."""
        return Arm(logs(self.values), self._key, self._weights)

    def share(self) -> proportions.Share:
        """Return the share of those whose value is 1; all are 0 or 1."""
        if self.is_plain:
            return proportions.Share(int(self.values.sum()), self.n)
        return keys.keyed_share(self._by_key(self.values))

    def keyed(self) -> keys.Keyed:
        """Return the mean per request and its error over keys: as `Keyed.of`, but of arrays."""
        n, requests = len(self._counts), float(self._counts.sum())
        if not n:
            return keys.Keyed()
        totals = self._sum(self.values)
        mean = float(totals.sum()) / requests
        even = requests**2 / float(np.square(self._counts).sum())
        if n < 2:
            return keys.Keyed(n, requests, mean, 0.0, even)
        rest = requests - self._counts
        squared_error = float(np.square((totals - mean * self._counts) / rest).sum())
        if squared_error <= _ROUNDING * float(np.square(totals / rest).sum()):
            squared_error = 0.0
        return keys.Keyed(n, requests, mean, squared_error, even)

    @cached_property
    def ordered(self) -> Ordered:
        """The values in their order."""
        return Ordered(self.values, self._weights)

    def worth(self, share: float) -> float | None:
        """Return how many independent requests a quantile rests on, `None` if on all."""
        if self.is_plain or not self.n:
            return None
        value = self.ordered.at(quantiles.rank_of(self.n, share))[1]
        hits = (self.values <= value).astype(np.float64)
        return keys.keyed_share(self._by_key(hits)).independent

    @cached_property
    def _codes(self) -> Codes:
        """The place of each request's key among those of the arm."""
        if self._key is None:
            return np.arange(self.n)
        _, codes = np.unique(self._key, return_inverse=True)
        single = self._key == 0
        codes[single] = len(self._key) + np.arange(int(single.sum()))
        _, codes = np.unique(codes, return_inverse=True)
        return codes.astype(np.int64)

    @cached_property
    def _counts(self) -> Floats:
        return self._sum(np.ones(self.n))

    def _sum(self, values: Floats) -> Floats:
        weighted = values if self._weights is None else values * self._weights
        return np.bincount(self._codes, weights=weighted).astype(np.float64)

    def _by_key(self, hits: Floats) -> list[tuple[float, float]]:
        counts, summed = self._counts.tolist(), self._sum(hits).tolist()
        return list(zip(counts, summed, strict=True))


def compare_means(baseline: Arm, candidate: Arm) -> tuple[Estimate, Estimate, Estimate]:
    """Return the mean of either arm, and by how much the candidate's is more."""
    if baseline.is_plain and candidate.is_plain:
        first, second = moments(baseline.values), moments(candidate.values)
        return means.mean(first), means.mean(second), means.difference(first, second)
    before, after = baseline.keyed(), candidate.keyed()
    return (
        keys.keyed_mean(before),
        keys.keyed_mean(after),
        keys.keyed_difference(before, after),
    )


def compare_totals(baseline: Arm, candidate: Arm) -> Estimate:
    """Return by what share of the baseline's mean the candidate's is more."""
    if baseline.is_plain and candidate.is_plain:
        return means.relative_difference(moments(baseline.values), moments(candidate.values))
    return keys.keyed_relative_difference(baseline.keyed(), candidate.keyed())


def compare_shares(baseline: Arm, candidate: Arm) -> tuple[Estimate, Estimate, Estimate]:
    """Return the share of either arm, and by how much the candidate's is more."""
    before, after = baseline.share(), candidate.share()
    return (
        proportions.proportion(before),
        proportions.proportion(after),
        proportions.difference_of_proportions(before, after),
    )


def compare_quantiles(
    baseline: Arm, candidate: Arm, share: float
) -> tuple[Estimate, Estimate, Estimate]:
    """Return the quantile of either arm, and by how much the candidate's is more."""
    worths = baseline.worth(share), candidate.worth(share)
    return (
        quantiles.quantile(baseline.ordered, share, worths[0]),
        quantiles.quantile(candidate.ordered, share, worths[1]),
        quantiles.difference_of_quantiles(baseline.ordered, candidate.ordered, share, worths),
    )


def compare_speeds(baseline: Arm, candidate: Arm) -> Estimate:
    """Return how many times as long the candidate takes, by geometric means."""
    before, after = baseline.logarithms(), candidate.logarithms()
    if before.is_plain and after.is_plain:
        return speeds.speed_ratio(moments(before.values), moments(after.values))
    return speeds.keyed_speed_ratio(before.keyed(), after.keyed())
