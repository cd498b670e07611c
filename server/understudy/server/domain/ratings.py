"""What people say of pairs: which of two answers is better. Values only.

A rating is of one silent model's answer beside the primary's, by one reviewer; who answered what
is not told before.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from msgspec import Struct


class Verdict(StrEnum):
    """Which answer is better."""

    PRIMARY = "PRIMARY"
    SILENT = "SILENT"
    TIE = "TIE"


class Side(StrEnum):
    """One of the two answers of a rating."""

    PRIMARY = "PRIMARY"
    SILENT = "SILENT"


class Rating(Struct, frozen=True):
    """One reviewer's verdict. `first_side` is the answer that was shown first.

    `created` is in microseconds since 1970.
    """

    pair_id: str
    silent_model: str
    reviewer: str
    verdict: Verdict
    first_side: Side
    created: int = 0


class Tally(Struct, frozen=True):
    """Verdicts on a silent model beside one variant, which is empty where there is none.

    `by_first_side` counts the same verdicts by the answer that was shown first, so that a liking
    for whatever comes first can be seen.
    """

    silent_model: str
    experiment: str
    variant: str
    primary: int = 0
    silent: int = 0
    ties: int = 0
    pairs: int = 0  # that were rated, by however many
    by_first_side: Mapping[Side, Mapping[Verdict, int]] = MappingProxyType({})


class Unrated(Struct, frozen=True):
    """An answer beside the primary's that waits for a reviewer."""

    pair_id: str
    silent_model: str
