"""Finds the tariff that holds at an instant: by date, by time of day, by service tier. Pure."""

from collections.abc import Iterator, Sequence
from typing import Final

from understudy.server.domain.costs import Period, Price, Tariff

_SECOND: Final = 1_000_000
_DAY: Final = 86_400


def find_tariff(price: Price, at: int, service_tier: str = "") -> Tariff | None:
    """Return what holds at an instant, None before the first period.

    A tier that the price does not know costs what is usual.
    """
    tiers = price.service_tiers
    return _find(tiers.get(service_tier, price.periods) if tiers else price.periods, at)


def find_all(price: Price, at: int) -> Iterator[Tariff]:
    """Yield what holds at an instant in any service tier, the usual one first."""
    for periods in (price.periods, *price.service_tiers.values()):
        if (found := _find(periods, at)) is not None:
            yield found


def _find(periods: Sequence[Period], at: int) -> Tariff | None:
    for period in reversed(periods):
        if period.since <= at:
            second = at // _SECOND % _DAY
            for start, tariff in reversed(period.day):
                if start <= second:
                    return tariff
    return None
