"""From what calls cost to what they would: per thousand, per month, and for a rented endpoint.

Pure, standard library only. Money is whole nano-USD (10^-9 US dollars), rounded half to even once
and at the end; spans are microseconds. Rates of interval ends are floats, for they are estimates.
"""

from fractions import Fraction
from typing import Final

from understudy.server.domain.estimates import Estimate, Insufficient, Interval, Lack, Method

HOUR: Final = 3_600_000_000
MONTH: Final = 730 * HOUR  # a twelfth of 8,760 hours, as those who rent machines out count


def per_thousand(total: int, calls: int) -> int | None:
    """Return what a thousand calls cost, None without calls."""
    return round(Fraction(1_000 * total, calls)) if calls else None


def per_month(total: int, span: int) -> int | None:
    """Return what a month costs at the traffic of `span`, None if it is no time at all."""
    return round(Fraction(total * MONTH, span)) if span > 0 else None


def calls_per_month(calls: int, span: int) -> int | None:
    """Return how many calls a month has at the traffic of `span`."""
    return round(Fraction(calls * MONTH, span)) if span > 0 else None


def rent(per_hour: int, span: int) -> int:
    """Return what an endpoint costs over a span, used or not."""
    return round(Fraction(per_hour * span, HOUR))


def rent_per_call(per_hour: int, span: int, calls: int) -> int | None:
    """Return each call's part of the rent, None without calls."""
    return round(Fraction(per_hour * span, HOUR * calls)) if calls else None


def break_even(per_hour: int, cost_per_call: Estimate) -> Estimate:
    """Return from how many calls an hour on the rent is less than paying `cost_per_call`.

    `cost_per_call`, in nano-USD, is the mean of the model that is paid by use.
    """
    if isinstance(cost_per_call, Insufficient):
        return cost_per_call
    if cost_per_call.low <= 0:  # it may well cost nothing, which no rent is less than
        return Insufficient(cost_per_call.n, None, Lack.NEAR_ZERO)
    return Interval(
        per_hour / cost_per_call.estimate,
        per_hour / cost_per_call.high,
        per_hour / cost_per_call.low,
        cost_per_call.n,
        Method.SCALED,
    )


def scale(found: Estimate, factor: float) -> Estimate:
    """Return an estimate per call as one for `factor` calls, such as those of a month."""
    if isinstance(found, Insufficient):
        return found
    low, high = found.low * factor, found.high * factor
    return Interval(found.estimate * factor, low, high, found.n, found.method, found.p)
