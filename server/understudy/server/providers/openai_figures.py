"""What OpenAI and those who follow it say of an answer in numbers: tokens, odds, time. Pure.

A number that cannot be is as good as none: an answer is not refused over its figures.
"""

import re
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Annotated

from msgspec import Meta, Raw, Struct
from msgspec.json import Decoder

from understudy.server.domain.completion import (
    CompletionTokensDetails,
    Logprobs,
    PromptTokensDetails,
    TokenLogprob,
    TopLogprob,
    Usage,
)
from understudy.server.errors import UpstreamError
from understudy.server.providers.decoding import decode, said

INT32_MAX = 2**31 - 1
_INT64_MAX = 2**63 - 1
# No exponent that would make arithmetic slow.
_AMOUNT = re.compile(rb"[0-9]{1,12}(?:\.[0-9]{1,60})?(?:[eE][+-]?[0-9]{1,2})?")

Number = int | float | None


class _WireDetails(Struct, gc=False):
    cached_tokens: Number = None
    audio_tokens: Number = None
    cache_creation_tokens: Number = None
    reasoning_tokens: Number = None
    accepted_prediction_tokens: Number = None
    rejected_prediction_tokens: Number = None


class _WireUsage(Struct, gc=False):
    prompt_tokens: Number = None
    completion_tokens: Number = None
    total_tokens: Number = None
    prompt_tokens_details: _WireDetails | None = None
    completion_tokens_details: _WireDetails | None = None
    prompt_cache_hit_tokens: Number = None  # DeepSeek
    cached_tokens: Number = None  # Moonshot
    reasoning_tokens: Number = None  # Perplexity


class _WirePrice(Struct, gc=False):
    cost: Raw = Raw()


class _WireCosts(Struct, gc=False):
    total_cost: Raw = Raw()


_Byte = Annotated[int, Meta(ge=0, le=255)]


class _WireTop(Struct, gc=False):
    token: str
    logprob: float
    bytes: list[_Byte] | None = None


class _WireToken(Struct, gc=False):
    token: str
    logprob: float
    bytes: list[_Byte] | None = None
    top_logprobs: list[_WireTop] | None = None


class _WireLogprobs(Struct, gc=False):
    content: list[_WireToken] | None = None
    refusal: list[_WireToken] | None = None


_USAGES = Decoder(_WireUsage)
_PRICES = Decoder(_WirePrice)
_COSTS = Decoder(_WireCosts)
_LOGPROBS = Decoder(_WireLogprobs)


def read_created(wire: float | str | None) -> int:
    """Return the provider's time in seconds, 0 if it says none that can be."""
    if isinstance(wire, str) or wire is None:
        return 0
    return int(wire) if 0 <= wire < 2**53 else 0


def read_usage(raw: Raw) -> Usage | None:
    """Return the tokens as counted by the provider, None unless it is clear what it counted."""
    if not said(raw):
        return None
    try:
        wire, _ = decode(_USAGES, raw)
    except UpstreamError:
        return None
    prompt, answer, total = wire.prompt_tokens, wire.completion_tokens, wire.total_tokens
    if any(one is not None and not 0 <= one <= INT32_MAX for one in (prompt, answer, total)):
        return None
    if total is None and prompt is not None and answer is not None:
        total = prompt + answer
    elif total is not None and prompt is None and answer is not None:
        prompt = total - answer
    elif total is not None and prompt is not None and answer is None:
        answer = total - prompt
    counts = _counts(prompt, answer, total)
    if counts is None:
        return None
    return Usage(
        counts[0],
        counts[1],
        counts[2],
        _read_prompt_details(wire),
        _read_completion_details(wire),
    )


def read_cost(raw: Raw) -> int | None:
    """Return what the provider takes for the answer, in 10^-9 US dollars, None if it is unsaid.

    OpenRouter says it in credits, of which one is a dollar; Perplexity in parts, beside their sum.
    """
    if not said(raw):
        return None
    try:
        cost = decode(_PRICES, raw)[0].cost
        if bytes(cost).startswith(b"{"):
            cost = decode(_COSTS, cost)[0].total_cost
    except UpstreamError:
        return None
    text = bytes(cost)
    if not _AMOUNT.fullmatch(text):
        return None
    nano = (Decimal(text.decode()) * 10**9).to_integral_value(ROUND_HALF_EVEN)
    return int(nano) if nano <= _INT64_MAX else None


def _read_prompt_details(usage: _WireUsage) -> PromptTokensDetails | None:
    wire = usage.prompt_tokens_details or _WireDetails()
    cached = _first(wire.cached_tokens, usage.prompt_cache_hit_tokens, usage.cached_tokens)
    if usage.prompt_tokens_details is None and cached is None:
        return None
    counts = _counts(cached or 0, wire.audio_tokens or 0, wire.cache_creation_tokens or 0)
    return None if counts is None else PromptTokensDetails(*counts)


def _read_completion_details(usage: _WireUsage) -> CompletionTokensDetails | None:
    wire = usage.completion_tokens_details or _WireDetails()
    reasoning = _first(wire.reasoning_tokens, usage.reasoning_tokens)
    if usage.completion_tokens_details is None and reasoning is None:
        return None
    counts = _counts(
        reasoning or 0,
        wire.audio_tokens or 0,
        wire.accepted_prediction_tokens or 0,
        wire.rejected_prediction_tokens or 0,
    )
    return None if counts is None else CompletionTokensDetails(*counts)


def _first(*numbers: Number) -> Number:
    return next((one for one in numbers if one is not None), None)


def _counts(*numbers: Number) -> list[int] | None:
    """Return the numbers if each can be a count of tokens, else None: unknown is not zero."""
    counts = [int(one) for one in numbers if one is not None and 0 <= one <= INT32_MAX]
    return counts if len(counts) == len(numbers) else None


def read_logprobs(raw: Raw) -> Logprobs | None:
    """Return the probabilities, None if they have another shape than OpenAI's."""
    if not said(raw):
        return None
    try:
        wire, _ = decode(_LOGPROBS, raw)
    except UpstreamError:
        return None
    content, refusal = _read_tokens(wire.content), _read_tokens(wire.refusal)
    return Logprobs(content, refusal) if content or refusal else None


def _read_tokens(wire: list[_WireToken] | None) -> tuple[TokenLogprob, ...]:
    return tuple(
        TokenLogprob(
            one.token,
            one.logprob,
            tuple(one.bytes or ()),
            tuple(
                TopLogprob(top.token, top.logprob, tuple(top.bytes or ()))
                for top in one.top_logprobs or ()
            ),
        )
        for one in wire or ()
    )
