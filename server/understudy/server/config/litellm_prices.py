"""Reads a price as LiteLLM writes it: beside a deployment, or as an entry of its map of models.

`usd_per_hour`, for an endpoint that is rented, is a key of ours. A price by the token counts
before one by the second, which is for the whole call and one rate whatever it is called.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from understudy.server.config import rates, units
from understudy.server.config.fields import Fields
from understudy.server.domain.costs import (
    PerHour,
    PerSecond,
    PerToken,
    Price,
    PriceSource,
    Rates,
    Tariff,
    always,
)

INPUT: Final = "input_cost_per_token"
OUTPUT: Final = "output_cost_per_token"
HOURLY: Final = "usd_per_hour"

_KINDS: Final = {
    "cached_input": "cache_read_input_token_cost",
    "cache_creation": "cache_creation_input_token_cost",
    "input_audio": "input_cost_per_audio_token",
    "reasoning": "output_cost_per_reasoning_token",
    "output_audio": "output_cost_per_audio_token",
}
_TOKENS: Final = (INPUT, OUTPUT, *_KINDS.values())
_SECONDS: Final = ("cost_per_second", "input_cost_per_second", "output_cost_per_second")
_SERVICE_TIERS: Final = ("flex", "priority")
_THRESHOLD: Final = re.compile(
    rf"(?:{'|'.join(_TOKENS)})_above_([1-9][0-9]{{0,5}})k_tokens(?:_(?:flex|priority))?"
)


class UnpricedError(Exception):
    """Why what is written makes no price, in words for the operator."""


def read_price(sections: Sequence[Fields], source: PriceSource, version: str) -> Price | None:
    """Return the price that these mappings hold, the first counting most; None if they hold none.

    Raises UnpricedError for half a price.
    """
    written = _Written(sections)
    limit = written.read_limit()
    hourly = written.read(HOURLY, rates.per_hour)
    if hourly is not None:
        if written.has(INPUT) or written.has(OUTPUT):
            raise UnpricedError(f"either {HOURLY} or a cost per token, not both")
        return Price(source, version, always(PerHour(hourly)), max_output=limit)
    if written.has(INPUT) or written.has(OUTPUT):
        for key in (INPUT, OUTPUT):
            if not written.has(key):
                raise UnpricedError(f"{key} is missing")
        tiers: dict[str, Tariff] = {
            tier: _read_tokens(written, f"_{tier}")
            for tier in _SERVICE_TIERS
            if any(written.has(f"{key}_{tier}") for key in _TOKENS)
        }
        return Price(
            source,
            version,
            always(_read_tokens(written, "")),
            {tier: always(tariff) for tier, tariff in tiers.items()},
            limit,
        )
    for key in _SECONDS:
        if (rate := written.read(key, rates.per_second)) is not None:
            return Price(source, version, always(PerSecond(rate)), max_output=limit)
    return None


class _Written:
    """Keys of one or more mappings, the first that has a key counting."""

    def __init__(self, sections: Sequence[Fields]) -> None:
        self._sections = sections

    def has(self, key: str) -> bool:
        return any(one.has(key) for one in self._sections)

    def names(self) -> Iterable[str]:
        return (key for one in self._sections for key in one.values)

    def read(self, key: str, reader: Callable[[object], int]) -> int | None:
        return next((one.read(key, reader) for one in self._sections if one.has(key)), None)

    def read_limit(self) -> int | None:
        """Return how many tokens an answer has at most. Not of litellm_params: those are sent."""
        for key in ("max_output_tokens", "max_tokens"):
            node = self._sections[-1].values.get(key)
            try:
                return units.positive_count(node.value if node else None)
            except units.UnreadableError:
                continue  # it describes the model, and nothing stands or falls with it
        return None


def _read_tokens(written: _Written, tier: str) -> PerToken:
    found = (_THRESHOLD.fullmatch(key) for key in written.names())
    thousands = sorted({int(one[1]) for one in found if one is not None})
    base, *above = (
        _read_rates(written, tier, [one for one in thousands if one <= threshold])
        for threshold in (0, *thousands)
    )
    return PerToken(
        base, tuple((1_000 * one, each) for one, each in zip(thousands, above, strict=True))
    )


def _read_rates(written: _Written, tier: str, reached: Sequence[int]) -> Rates:
    def rate(key: str) -> int | None:
        longer = [f"{key}_above_{one}k_tokens" for one in reversed(reached)]
        for name in (*longer, key):
            for written_name in dict.fromkeys((f"{name}{tier}", name)):
                if written.has(written_name):
                    return written.read(written_name, rates.per_token)
        return None

    return Rates.of(
        rate(INPUT) or 0,
        rate(OUTPUT) or 0,
        cached_input=rate(_KINDS["cached_input"]),
        cache_creation=rate(_KINDS["cache_creation"]),
        input_audio=rate(_KINDS["input_audio"]),
        reasoning=rate(_KINDS["reasoning"]),
        output_audio=rate(_KINDS["output_audio"]),
    )
