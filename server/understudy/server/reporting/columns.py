"""Holds numbers by the million: arrays instead of rows, and what statistics ask of them.

A value that is unknown is NaN here, and nowhere beyond: all that leaves is counted without it.
"""

from collections.abc import Iterable
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from understudy.server.evaluation.moments import Comoments, Moments
from understudy.server.evaluation.ranking import Span

_HEX: Final = 16

Floats: TypeAlias = NDArray[np.float64]
Flags: TypeAlias = NDArray[np.bool_]
Codes: TypeAlias = NDArray[np.int64]
Keys: TypeAlias = NDArray[np.uint64]


class Column:
    """A column that grows by chunks."""

    def __init__(self) -> None:
        self._chunks: list[Floats] = []

    def extend(self, values: Iterable[float | None]) -> None:
        """Add values, `None` for those that are unknown."""
        self._chunks.append(np.array(tuple(values), dtype=np.float64))

    def take(self) -> Floats:
        """Return all values, and let go of them."""
        chunks, self._chunks = self._chunks, []
        return np.concatenate(chunks) if chunks else np.empty(0)


class Ordered:
    """Values in ascending order, as `evaluation.ranking.Ranked` wants them.

    With weights, a rank stands for as large a part of the weight as it is of the ranks.
    """

    def __init__(self, values: Floats, weights: Floats | None = None) -> None:
        order = np.argsort(values, kind="stable")
        self._values = values[order]
        self._until: Floats | None = None
        if weights is not None and len(values):
            until = np.cumsum(weights[order])
            self._until = until / until[-1] * len(values)

    @property
    def n(self) -> int:
        """How many there are."""
        return len(self._values)

    def at(self, rank: int) -> Span:
        """Return the value with this many before it."""
        if self._until is not None:
            place = int(np.searchsorted(self._until, rank + 0.5))
            rank = min(place, len(self._values) - 1)
        value = float(self._values[rank])
        return value, value, value


def moments(values: Floats) -> Moments:
    """Return the moments of values that are all known. Equal ones have no spread at all."""
    if not len(values):
        return Moments()
    apart = values - values[0]
    mean = float(apart.mean())
    squares = float(np.square(apart - mean).sum())
    return Moments(len(values), float(values[0]) + mean, squares)


def comoments(baseline: Floats, candidate: Floats) -> Comoments:
    """Return the moments of both sides of pairs, all of them known."""
    first, second = moments(baseline), moments(candidate)
    products = float(((baseline - first.mean) * (candidate - second.mean)).sum())
    return Comoments(first, second, products)


def read_key(told: str) -> int:
    """Return the hash of a sticky key as the number that its digits are, 0 without a key."""
    return int(told, _HEX) if told else 0


def distinct(codes: Codes) -> list[int]:
    """Return the codes that there are, ascending."""
    return [int(one) for one in np.unique(codes)]


def tally(codes: Codes) -> list[tuple[int, int]]:
    """Return the codes from 0 on that there are, and how often, the most frequent first."""
    counts = [int(one) for one in np.bincount(codes[codes >= 0])]
    found = [(code, count) for code, count in enumerate(counts) if count]
    return sorted(found, key=lambda one: (-one[1], one[0]))


def known(*columns: Floats) -> Flags:
    """Return where all of these are known."""
    found = ~np.isnan(columns[0])
    for one in columns[1:]:
        found &= ~np.isnan(one)
    return found


def logs(durations: Floats) -> Floats:
    """Return logarithms of durations in microseconds, of which none is less than one."""
    found: Floats = np.log(np.maximum(durations, 1.0))
    return found
