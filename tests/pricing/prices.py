"""Shorthands for the tests of prices: instants, usage, and prices of a given tariff."""

from datetime import UTC, datetime

from understudy.server.domain.completion import (
    CompletionTokensDetails,
    PromptTokensDetails,
    Usage,
)
from understudy.server.domain.costs import Price, PriceSource, Rates, Tariff, always

USD_PER_MILLION = 10**12  # as a rate for one token
NOW = 1_790_000_000_000_000


def instant(text: str) -> int:
    """Return microseconds since 1970 of a moment in UTC."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000_000


def usage(
    prompt: int,
    answer: int,
    *,
    cached: int = 0,
    created: int = 0,
    audio: int = 0,
    reasoning: int = 0,
    said: int = 0,
    total: int | None = None,
) -> Usage:
    """Return usage; `said` are the answer's tokens of audio."""
    return Usage(
        prompt,
        answer,
        prompt + answer if total is None else total,
        PromptTokensDetails(cached, audio, created),
        CompletionTokensDetails(reasoning, said),
    )


def priced(tariff: Tariff, source: PriceSource = PriceSource.PRICE_FILE) -> Price:
    """Return a price that always held."""
    return Price(source, "test", always(tariff))


def rates(input: float, output: float, call: int = 0) -> Rates:
    """Return rates from dollars for a million tokens."""
    return Rates.of(round(input * USD_PER_MILLION), round(output * USD_PER_MILLION), call=call)
