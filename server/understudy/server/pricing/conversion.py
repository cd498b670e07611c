"""Turns an entry of genai-prices into a price of ours: rates, thresholds, dates, times of day. Pure.

The library decides which of its prices holds when; here it is asked once for every moment at which
that may change. What an answer does not count (searches, pages, pixels) is not charged.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Final, TypeGuard

from understudy.server.domain.costs import ATTO, Period, PerToken, Price, PriceSource, Rates

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo, ModelPrice, TieredPrices

# As the provider says it in an answer; what it does not say there we cannot charge by.
_SERVICE_TIERS: Final = ("flex", "priority")

_TOKENS: Final = 1_000_000
_CALLS: Final = 1_000
_DISTANT: Final = datetime(2000, 1, 1, tzinfo=UTC)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def convert(model: "ModelInfo", version: str) -> Price | None:
    """Return what an entry says, None if the model is not paid by its tokens."""
    usual = _periods(model, None)
    if usual is None:
        return None
    tiers: dict[str, tuple[Period, ...]] = {}
    for name in _SERVICE_TIERS:
        periods = _periods(model, {"service_tier": name})
        if periods is not None and periods != usual:
            tiers[name] = periods
    return Price(PriceSource.CATALOGUE, version, usual, tiers)


def _periods(model: "ModelInfo", context: Mapping[str, str] | None) -> tuple[Period, ...] | None:
    """Return what the library says at every moment after which it may say something else."""
    dates, times = _turns(model)
    periods: list[Period] = []
    for date in dates:
        day: list[tuple[int, PerToken]] = []
        for second in times:
            tariff = _tariff(model.get_prices(date + timedelta(seconds=second), context))
            if tariff is None:
                return None
            if not day or day[-1][1] != tariff:
                day.append((second, tariff))
        if not periods or periods[-1].day != tuple(day):
            since = 0 if date is _DISTANT else (date - _EPOCH) // timedelta(microseconds=1)
            periods.append(Period(since, tuple(day)))
    return tuple(periods)


def _turns(model: "ModelInfo") -> tuple[list[datetime], list[int]]:
    from genai_prices import types

    dates, times = {_DISTANT}, {0}
    conditions = model.prices if isinstance(model.prices, list) else []
    for one in (*conditions, *(model.price_variants or ())):
        if isinstance(one.constraint, types.StartDateConstraint):
            dates.add(datetime.combine(one.constraint.start_date, time(), UTC))
        elif isinstance(one.constraint, types.TimeOfDateConstraint):
            times |= {_second(one.constraint.start_time), _second(one.constraint.end_time)}
    return sorted(dates), sorted(times)


def _second(moment: time) -> int:
    offset = moment.utcoffset() or timedelta()
    since = timedelta(hours=moment.hour, minutes=moment.minute, seconds=moment.second) - offset
    return int(since.total_seconds()) % 86_400


def _tariff(price: "ModelPrice") -> PerToken | None:
    """Return the rates for tokens, None if the model is not paid by them."""
    if price.input_mtok is None or price.output_mtok is None:
        return None
    thresholds = sorted(
        {tier.start for one in vars(price).values() if _is_tiered(one) for tier in one.tiers}
    )
    return PerToken(
        _rates(price, 0), tuple((start, _rates(price, start + 1)) for start in thresholds)
    )


def _is_tiered(amount: object) -> "TypeGuard[TieredPrices]":
    from genai_prices.types import TieredPrices

    return isinstance(amount, TieredPrices)


def _rates(price: "ModelPrice", prompt_tokens: int) -> Rates:
    def rate(amount: "Decimal | TieredPrices | None", units: int = _TOKENS) -> int | None:
        if amount is None:
            return None
        if _is_tiered(amount):
            reached = [tier.price for tier in amount.tiers if prompt_tokens > tier.start]
            amount = reached[-1] if reached else amount.base
        assert isinstance(amount, Decimal)
        return round(Fraction(amount) * ATTO / units)

    return Rates.of(
        rate(price.input_mtok) or 0,
        rate(price.output_mtok) or 0,
        cached_input=rate(price.cache_read_mtok),
        cache_creation=rate(price.cache_write_mtok),
        input_audio=rate(price.input_audio_mtok),
        reasoning=rate(price.output_reasoning_mtok),
        output_audio=rate(price.output_audio_mtok),
        call=rate(price.requests_kcount, _CALLS) or 0,
    )
