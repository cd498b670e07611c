"""Means and spreads of many values, kept in a few numbers that add up. Pure, standard library only.

What is kept is the mean and the squares around it, not the sum of squares, which cancels for
values that are large against their spread. What the numbers say lives in `means` and `ratios`.
"""

from collections.abc import Iterable
from math import fsum, isfinite, log

from msgspec import Struct


class Moments(Struct, frozen=True, gc=False):
    """The number of some values, their mean, and the sum of their squared distances from it."""

    n: int = 0
    mean: float = 0.0
    squares: float = 0.0

    def __post_init__(self) -> None:
        if self.n < 0 or self.squares < 0 or not (isfinite(self.mean) and isfinite(self.squares)):
            raise ValueError(f"no values have these moments: {self.n}, {self.mean}, {self.squares}")

    @classmethod
    def of(cls, values: Iterable[float]) -> "Moments":
        """Take each value once. Equal values have no spread at all, not a rounding's."""
        held = list(values)
        if not held:
            return cls()
        first = held[0]
        apart = [float(value - first) for value in held]
        mean = fsum(apart) / len(apart)
        return cls(len(held), first + mean, fsum((one - mean) ** 2 for one in apart))

    @classmethod
    def from_sums(cls, n: int, total: float, total_squared: float) -> "Moments":
        """Take what a database sums: exact for integers, for floats as good as its sums."""
        return cls(n, total / n, max(0.0, (n * total_squared - total * total) / n)) if n else cls()

    def __add__(self, other: "Moments") -> "Moments":
        """Return the moments of both together (Chan, Golub & LeVeque 1979)."""
        n = self.n + other.n
        if not self.n or not other.n:
            return other if other.n else self
        apart = other.mean - self.mean
        squares = self.squares + other.squares + apart * apart * (self.n * other.n / n)
        return Moments(n, self.mean + apart * other.n / n, squares)

    @property
    def variance(self) -> float:
        """The sample variance, 0 for fewer than two values."""
        return self.squares / (self.n - 1) if self.n > 1 else 0.0


class Comoments(Struct, frozen=True, gc=False):
    """The moments of both sides of pairs, and the sum of their products around the means."""

    baseline: Moments = Moments()
    candidate: Moments = Moments()
    products: float = 0.0

    def __post_init__(self) -> None:
        if self.baseline.n != self.candidate.n or not isfinite(self.products):
            raise ValueError("both sides are of the same pairs, and finite")

    @classmethod
    def of(cls, pairs: Iterable[tuple[float, float]]) -> "Comoments":
        """Take each pair's baseline and candidate, such as what either cost."""
        held = list(pairs)
        baseline, candidate = (Moments.of(pair[side] for pair in held) for side in (0, 1))
        products = fsum((b - baseline.mean) * (c - candidate.mean) for b, c in held)
        return cls(baseline, candidate, products)

    @classmethod
    def from_sums(
        cls, baseline: Moments, candidate: Moments, total_of_products: float
    ) -> "Comoments":
        """Take the sum of the products of both sides beside the moments of each."""
        return cls(
            baseline, candidate, total_of_products - baseline.n * baseline.mean * candidate.mean
        )

    @property
    def n(self) -> int:
        """The number of pairs."""
        return self.baseline.n


def log_duration(microseconds: float) -> float:
    """Return the logarithm of a duration. Less than a microsecond was not measured: it is one."""
    return log(max(microseconds, 1))
