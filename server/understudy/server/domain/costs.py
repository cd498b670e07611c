"""What asking a model costs: prices as they are agreed, and costs as they come to be.

Values only; how one leads to the other is `pricing`, where prices are found is `config`. A rate is
a whole number of 10^-18 US dollars, so that no sum of them is ever rounded; a cost is a whole
number of 10^-9, rounded half to even, once for each call. Instants are microseconds since 1970
UTC, durations microseconds. `None` is unknown, which is not zero.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from msgspec import Struct

ATTO: Final = 10**18  # in a dollar: what rates are counted in
NANO: Final = 10**9  # in a dollar: what costs are counted in
DEAREST: Final = ATTO  # a dollar for a token, so that no call's cost outgrows 64 bits


class CostStatus(StrEnum):
    """Whether an amount can be relied on."""

    EXACT = "EXACT"  # from the provider's own count or word
    ESTIMATED = "ESTIMATED"  # from what we counted or measured ourselves
    UNKNOWN = "UNKNOWN"


class CostReason(StrEnum):
    """Why a cost is estimated or unknown."""

    NO_PRICE = "NO_PRICE"
    NOT_YET_PRICED = "NOT_YET_PRICED"  # the price begins later than the call
    NO_USAGE = "NO_USAGE"  # the provider did not say how many tokens there were
    BAD_USAGE = "BAD_USAGE"  # what it said cannot be
    TIMED = "TIMED"  # paid by the second, and the seconds are ours
    HOURLY = "HOURLY"  # rented: what a call costs shows only over a window
    NOT_CHARGED = "NOT_CHARGED"  # the provider refused, or was never reached


class Cost(Struct, frozen=True, gc=False):
    """What one call cost, and by which price list."""

    nano_usd: int | None
    status: CostStatus
    reason: CostReason | None = None
    price_version: str = ""

    def __post_init__(self) -> None:
        if (self.nano_usd is None) != (self.status is CostStatus.UNKNOWN):
            raise ValueError("an amount, or nothing known")


UNPRICED: Final = Cost(None, CostStatus.UNKNOWN, CostReason.NO_PRICE)
NOT_CHARGED: Final = Cost(0, CostStatus.EXACT, CostReason.NOT_CHARGED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """What tokens cost, each kind of its own, and the call as such."""

    input: int
    output: int
    cached_input: int
    cache_creation: int
    input_audio: int
    reasoning: int
    output_audio: int
    call: int = 0

    @classmethod
    def of(
        cls,
        input: int,
        output: int,
        *,
        cached_input: int | None = None,
        cache_creation: int | None = None,
        input_audio: int | None = None,
        reasoning: int | None = None,
        output_audio: int | None = None,
        call: int = 0,
    ) -> "Rates":
        """Return rates where a kind without one of its own costs what its side does."""
        return cls(
            input=input,
            output=output,
            cached_input=input if cached_input is None else cached_input,
            cache_creation=input if cache_creation is None else cache_creation,
            input_audio=input if input_audio is None else input_audio,
            reasoning=output if reasoning is None else reasoning,
            output_audio=output if output_audio is None else output_audio,
            call=call,
        )

    @property
    def dearest_input(self) -> int:
        """The most that a token of a prompt can cost."""
        return max(self.input, self.cached_input, self.cache_creation, self.input_audio)

    @property
    def dearest_output(self) -> int:
        """The most that a token of an answer can cost."""
        return max(self.output, self.reasoning, self.output_audio)


@dataclass(frozen=True, slots=True)
class PerToken:
    """Rates for tokens. With a prompt longer than a threshold, others hold for all of the call."""

    base: Rates
    above: tuple[tuple[int, Rates], ...] = ()  # prompt tokens, ascending

    def __post_init__(self) -> None:
        thresholds = [threshold for threshold, _ in self.above]
        if sorted(set(thresholds)) != thresholds:
            raise ValueError("thresholds ascend")


@dataclass(frozen=True, slots=True)
class PerSecond:
    """A rate for the time that a call takes."""

    rate: int


@dataclass(frozen=True, slots=True)
class PerHour:
    """A rent, which is paid whether the endpoint is asked or not."""

    rate: int

    @property
    def nano_usd(self) -> int:
        """The rent of an hour, as reports take it."""
        return to_nano(self.rate)


Tariff = PerToken | PerSecond | PerHour


@dataclass(frozen=True, slots=True)
class Period:
    """What holds from an instant on, by the time of day: seconds after midnight UTC, ascending."""

    since: int
    day: tuple[tuple[int, Tariff], ...]

    def __post_init__(self) -> None:
        if not self.day or self.day[0][0] != 0:
            raise ValueError("a day begins at midnight")


class PriceSource(StrEnum):
    """Who says what a deployment costs."""

    PRICE_FILE = "PRICE_FILE"  # the operator's own list
    DEPLOYMENT = "DEPLOYMENT"  # the operator, beside the deployment
    CATALOGUE = "CATALOGUE"  # a published list
    SIMULATED = "SIMULATED"  # nobody is paid


OPERATORS: Final = frozenset({PriceSource.PRICE_FILE, PriceSource.DEPLOYMENT})


@dataclass(frozen=True, slots=True)
class Price:
    """What a deployment costs, now and before. `version` names the list that says so.

    `periods` ascend; `service_tiers` holds those of a tier that the provider names in its answer.
    `max_output` is how many tokens an answer has at most, as far as that is known.
    """

    source: PriceSource
    version: str
    periods: tuple[Period, ...]
    service_tiers: Mapping[str, tuple[Period, ...]] = field(
        default_factory=dict[str, tuple[Period, ...]]
    )
    max_output: int | None = None

    def __post_init__(self) -> None:
        for periods in (self.periods, *self.service_tiers.values()):
            since = [one.since for one in periods]
            if not since or sorted(set(since)) != since:
                raise ValueError("periods ascend, and there is one")


def always(tariff: Tariff) -> tuple[Period, ...]:
    """Return the one period of a tariff that always held."""
    return (Period(0, ((0, tariff),)),)


def to_nano(atto: int, parts: int = 1) -> int:
    """Return one of so many parts of 10^-18 dollars in whole 10^-9, half to even."""
    unit = NANO * parts
    whole, rest = divmod(atto, unit)
    return whole + (2 * rest > unit or (2 * rest == unit and whole % 2 == 1))
