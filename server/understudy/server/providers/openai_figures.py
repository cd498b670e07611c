"""What OpenAI and those who follow it say of an answer in numbers: tokens, odds, time. Pure.

A number that cannot be is as good as none: an answer is not refused over its figures.
"""

from math import isfinite
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
_LOGPROBS = Decoder(_WireLogprobs)


def read_created(wire: float | str | None) -> int:
    """Return the provider's time in seconds, 0 if it says none that can be."""
    if isinstance(wire, str) or wire is None or not isfinite(wire):
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
        _read_prompt_details(wire.prompt_tokens_details),
        _read_completion_details(wire.completion_tokens_details),
    )


def _read_prompt_details(wire: _WireDetails | None) -> PromptTokensDetails | None:
    if wire is None:
        return None
    counts = _counts(
        wire.cached_tokens or 0, wire.audio_tokens or 0, wire.cache_creation_tokens or 0
    )
    return None if counts is None else PromptTokensDetails(*counts)


def _read_completion_details(wire: _WireDetails | None) -> CompletionTokensDetails | None:
    if wire is None:
        return None
    counts = _counts(
        wire.reasoning_tokens or 0,
        wire.audio_tokens or 0,
        wire.accepted_prediction_tokens or 0,
        wire.rejected_prediction_tokens or 0,
    )
    return None if counts is None else CompletionTokensDetails(*counts)


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
