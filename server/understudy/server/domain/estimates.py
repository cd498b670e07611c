"""What a report says of one number: an interval, or that there is too little to say one. Pure.

Values only. A number without an interval is never made up: `Insufficient` says what is missing.
"""

from enum import StrEnum
from typing import Final, TypeAlias

from msgspec import Struct

CONFIDENCE: Final = 0.95


class Method(StrEnum):
    """How an interval was found, in the words of the field."""

    WILSON = "Wilson score"
    NEWCOMBE = "Newcombe hybrid score"
    NEWCOMBE_PAIRED = "Newcombe's method 10 for pairs"
    T = "t"
    PAIRED_T = "paired t"
    WELCH = "Welch t"
    DELTA = "delta method"
    JACKKNIFE = "jackknife over keys"
    ORDER_STATISTICS = "binomial order statistics"
    RESAMPLED_INDICES = "binomial indices of both samples"
    SCALED = "of another interval"
    COUNT = "count"
    RENT = "rent spread over the calls of the window"
    CHI_SQUARE = "chi-square test"
    BOUNDS = "bounds, as if all that is missing were lowest, or highest"


class Lack(StrEnum):
    """Why nothing can be said."""

    TOO_FEW = "TOO_FEW"  # observations, pairs, or keys, whichever are the units
    NEAR_ZERO = "NEAR_ZERO"  # what would be divided by is not clearly apart from zero
    UNEVEN = "UNEVEN"  # a few keys have most of the requests, and decide


class Interval(Struct, frozen=True, gc=False, tag="interval"):
    """An estimate between `low` and `high`, which rests on `n` units.

    Units are requests, pairs or sticky keys, those of both arms together where two are compared.
    All are finite. `p` is two-sided, in [0, 1], for "no difference"; None where nothing is
    compared, or where all values are the same, so that there is no spread to judge by.
    """

    estimate: float
    low: float
    high: float
    n: int
    method: Method
    p: float | None = None


class Insufficient(Struct, frozen=True, gc=False, tag="insufficient"):
    """Too little to say: `n` units where `needed` would do, of the arm that has fewer.

    `needed` is None where it cannot be told.
    """

    n: int
    needed: int | None
    why: Lack = Lack.TOO_FEW


Estimate: TypeAlias = Interval | Insufficient
