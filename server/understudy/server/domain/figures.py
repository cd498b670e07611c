"""What can be asked of calls in the mass, and what is answered: counts, sums and quantiles.

Values only; where they are added up is `records`. Instants are microseconds since 1970 UTC and
spans are of their own length from there on, so that no figure depends on a time zone. Durations
are microseconds, money 10^-9 US dollars; `None` is unknown, which is not zero.
"""

from collections.abc import Mapping
from enum import Enum, StrEnum
from typing import Final

from msgspec import Struct

from understudy.server.domain.records import Role

OTHER: Final = "other"
"""What stands for the many that have no room of their own."""

ANSWERING: Final = frozenset({Role.PRIMARY, Role.RETRY, Role.FALLBACK})
"""The calls that callers waited for; what is left are the silent ones."""

# Given up: no fault of the model that was asked.
CANCELLED: Final = frozenset({"CANCELLED", "DRAINING"})
TIMED_OUT: Final = frozenset(
    {
        "DEADLINE_EXCEEDED",
        "UPSTREAM_TIMEOUT",
        "UPSTREAM_READ_TIMEOUT",
        "UPSTREAM_CONNECT_TIMEOUT",
        "UPSTREAM_GATEWAY_TIMEOUT",
    }
)


class Step(Enum):
    """How long a span one point stands for, in microseconds."""

    MINUTE = 60_000_000
    FIVE_MINUTES = 300_000_000
    HOUR = 3_600_000_000
    DAY = 86_400_000_000


class Dimension(StrEnum):
    """What figures are told apart by."""

    EXPERIMENT = "experiment"
    VARIANT = "variant"
    EPOCH = "epoch"
    GROUP = "model_group"
    DEPLOYMENT = "deployment"
    ROLE = "role"


class Scope(Struct, frozen=True, kw_only=True):
    """Which calls: those that began from `start` up to, not including, `end`.

    `None` is any; an empty experiment is none at all. Both instants are widened to whole spans of
    what is kept: a minute, or an hour where minutes are no longer kept.
    """

    start: int
    end: int
    experiment: str | None = None
    variant: str | None = None
    epoch: int | None = None
    group: str | None = None
    deployment: str | None = None
    roles: frozenset[Role] = ANSWERING


class Measures(Struct, frozen=True, kw_only=True):
    """What is known of some upstream calls.

    `requests` are those that were the first of theirs: as many as callers asked. Quantiles are of
    calls that were answered, `timed` in number, and of their first pieces, `first_timed`; they
    are off by no more than 2 %, and `None` where a single call would decide them: p50 needs 2
    calls, p95 needs 20. `share` is of the requests of all that it stands beside, at that time.
    """

    calls: int = 0
    requests: int = 0
    reasons: Mapping[str, int] = {}  # why calls were not answered
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0  # of the prompt's
    unmetered: int = 0  # answered calls whose tokens are unknown
    cost: int | None = None  # of those of which it is known, `None` if of none
    unpriced: int = 0  # answered calls whose cost is unknown
    share: float | None = None
    timed: int = 0
    latency_p50: int | None = None
    latency_p95: int | None = None
    first_timed: int = 0
    first_token_p50: int | None = None
    first_token_p95: int | None = None

    @property
    def cancelled(self) -> int:
        """Calls that were given up: by their caller, or because the service ended."""
        return sum(count for reason, count in self.reasons.items() if reason in CANCELLED)

    @property
    def timed_out(self) -> int:
        """Calls that took too long. They are among the failed."""
        return sum(count for reason, count in self.reasons.items() if reason in TIMED_OUT)

    @property
    def failed(self) -> int:
        """Calls that failed, for whatever reason but that they were given up."""
        return sum(self.reasons.values()) - self.cancelled

    @property
    def error_rate(self) -> float | None:
        """The share of the failed in those not given up; `None` where there are none."""
        heard = self.calls - self.cancelled
        return self.failed / heard if heard else None


NOTHING: Final = Measures()


class Line(Struct, frozen=True):
    """One line of a chart. `points` has one entry for each instant, `None` where no call began."""

    name: str
    points: tuple[Measures | None, ...]


class Series(Struct, frozen=True):
    """Lines over time, the busiest first. `instants` are where each span begins, without gaps.

    `step` is the one asked for, or a longer one where what is asked for is no longer kept or
    would be more points than anybody draws.
    """

    step: Step
    instants: tuple[int, ...]
    lines: tuple[Line, ...]


class Total(Struct, frozen=True):
    """One of those that figures are told apart by, and its figures."""

    name: str
    measures: Measures


class Totals(Struct, frozen=True):
    """Figures of a window: of all, and of each, the busiest first."""

    whole: Measures
    parts: tuple[Total, ...]
