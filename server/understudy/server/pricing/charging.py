"""What a call cost, from the tokens that were counted and the price that held. Pure.

The whole sum is made in 10^-18 dollars and rounded once, half to even. An amount that nobody can
know is None with a reason, never 0.
"""

from typing import Final

from understudy.server.domain.completion import Usage
from understudy.server.domain.costs import (
    OPERATORS,
    Cost,
    CostReason,
    CostStatus,
    PerHour,
    PerSecond,
    PerToken,
    Price,
    Rates,
    to_nano,
)
from understudy.server.pricing.tariffs import find_tariff

PROVIDER: Final = "provider"  # the price list of a provider that says itself what it takes

_LARGEST: Final = 2**63 - 1
_SECOND: Final = 1_000_000


def cost_of(
    usage: Usage | None,
    price: Price | None,
    at: int,
    latency: int | None = None,
    *,
    service_tier: str = "",
    provider_cost: int | None = None,
    estimate: Usage | None = None,
) -> Cost:
    """Return what a call that began at an instant cost.

    What the operator says of the price counts before what the provider says that it takes
    (`provider_cost`, 10^-9 dollars), and that before a published list. `estimate` stands in for
    usage that the provider did not say; `latency` is from the first byte sent to the last received.
    """
    if provider_cost is not None and (price is None or price.source not in OPERATORS):
        return _bounded(provider_cost, CostStatus.EXACT, None, PROVIDER)
    if price is None:
        return _unknown(CostReason.NO_PRICE)
    tariff = find_tariff(price, at, service_tier)
    if tariff is None:
        return _unknown(CostReason.NOT_YET_PRICED, price)
    if isinstance(tariff, PerHour):
        return _unknown(CostReason.HOURLY, price)
    if isinstance(tariff, PerSecond):
        if latency is None:
            return _unknown(CostReason.TIMED, price)
        amount = to_nano(max(latency, 0) * tariff.rate, _SECOND)
        return _bounded(amount, CostStatus.ESTIMATED, CostReason.TIMED, price.version)
    return _charge_tokens(usage, estimate, tariff, price)


def pick_rates(tariff: PerToken, prompt_tokens: int) -> Rates:
    """Return the rates for a prompt of this length."""
    for threshold, rates in reversed(tariff.above):
        if prompt_tokens > threshold:
            return rates
    return tariff.base


def _charge_tokens(
    usage: Usage | None, estimate: Usage | None, tariff: PerToken, price: Price
) -> Cost:
    counted = estimate if usage is None else usage
    if counted is None:
        return _unknown(CostReason.NO_USAGE, price)
    atto = _sum(counted, pick_rates(tariff, counted.prompt_tokens))
    if atto is None:
        return _unknown(CostReason.BAD_USAGE, price)
    if usage is None:
        reason, status = CostReason.NO_USAGE, CostStatus.ESTIMATED
    else:
        reason, status = None, CostStatus.EXACT
    return _bounded(to_nano(atto), status, reason, price.version)


def _sum(usage: Usage, rates: Rates) -> int | None:
    """Return the cost of the tokens, None if they cannot be what was counted."""
    prompt, answer = usage.prompt_tokens, usage.completion_tokens
    if prompt < 0 or answer < 0:
        return None
    # Some count what a model thought beside what it said: in the total only.
    beside = max(usage.total_tokens - prompt - answer, 0)
    total = rates.call
    if (details := usage.prompt_tokens_details) is not None:
        cached, created = details.cached_tokens, details.cache_creation_tokens
        audio = details.audio_tokens
        prompt -= cached + created + audio
        if prompt < 0 or cached < 0 or created < 0 or audio < 0:
            return None
        total += cached * rates.cached_input + created * rates.cache_creation
        total += audio * rates.input_audio
    if (parts := usage.completion_tokens_details) is not None:
        reasoning, audio = parts.reasoning_tokens, parts.audio_tokens
        answer -= max(reasoning - beside, 0) + audio
        beside = max(beside - reasoning, 0)
        if answer < 0 or reasoning < 0 or audio < 0:
            return None
        total += reasoning * rates.reasoning + audio * rates.output_audio
    return total + prompt * rates.input + answer * rates.output + beside * rates.reasoning


def _unknown(reason: CostReason, price: Price | None = None) -> Cost:
    return Cost(None, CostStatus.UNKNOWN, reason, "" if price is None else price.version)


def _bounded(nano: int, status: CostStatus, reason: CostReason | None, version: str) -> Cost:
    if not 0 <= nano <= _LARGEST:
        return Cost(None, CostStatus.UNKNOWN, CostReason.BAD_USAGE, version)
    return Cost(nano, status, reason, version)
