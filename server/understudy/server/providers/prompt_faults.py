"""Recognises complaints about the prompt: that it is too long, or against a content policy. Pure.

Both have fallbacks of their own, so it matters to know them in every provider's words.
"""

import re
from collections.abc import Mapping

from understudy.server.providers.faults import Fault

_TOO_LONG = frozenset(
    {
        "context_length_exceeded",
        "context_window_exceeded",
        "exceed_context_size_error",  # llama.cpp
        "model_context_window_exceeded",
    }
)
_REFUSED = frozenset(
    {
        "content_filter",
        "content_policy_violation",
        "data_inspection_failed",  # Qwen
        "invalid_prompt",
        "moderation",
        "moderation_blocked",
        "responsibleaipolicyviolation",
    }
)

_LIMIT, _ASKED, _MORE = (rf"(?P<{name}>\d{{1,9}})" for name in ("limit", "asked", "more"))
_TOO_LONG_TEXTS = [
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        # OpenAI, Azure, DeepSeek, OpenRouter, vLLM
        (
            rf"maximum context (?:length|limit) (?:is|of) {_LIMIT}(?: tokens)?"
            rf"(?:.{{0,200}}?(?:requested|resulted in|request has)(?: about| a total of)? {_ASKED}"
            rf"(?: input tokens plus {_MORE})?)?"
        ),
        # Hugging Face's server, Together
        (
            rf"`?inputs`? tokens \+ `?max_new_tokens`? must be <= {_LIMIT}"
            rf"(?:\. Given: {_ASKED} `?inputs`? tokens and {_MORE})?"
        ),
        rf"`?inputs`? must have less than {_LIMIT} tokens(?:\. Given: {_ASKED})?",
        # vLLM, SGLang, llama.cpp, LM Studio, Ollama
        rf"\(length {_ASKED}\) is longer than the maximum model length of {_LIMIT}",
        rf"(?:\({_ASKED} tokens\) is )?longer than the model's context length (?:of )?\(?{_LIMIT}",
        rf"\({_ASKED} tokens\) exceeds the available context size(?: \({_LIMIT} tokens\))?",
        r"greater than the context length",
        r"prompt too long; exceeded (?:max )?context length",
        # Anthropic
        rf"prompt is too long: {_ASKED} tokens > {_LIMIT}",
        rf"exceed context limit: {_ASKED} \+ {_MORE} > {_LIMIT}",
        # Fireworks
        rf"prompt is too long: {_ASKED}, model maximum context length: {_LIMIT}",
        # Mistral
        rf"prompt contains {_ASKED} tokens.{{0,60}}too large for model with {_LIMIT} maximum context",
        rf"prompt {_ASKED} > {_LIMIT} maximum context length",
        # Gemini
        (
            rf"input token count (?:\({_ASKED}\) )?exceeds the maximum number of tokens allowed"
            rf"(?: \({_LIMIT}\))?"
        ),
        # xAI
        rf"maximum prompt length is {_LIMIT} but the request contains {_ASKED}",
        # Cerebras
        rf"current length is {_ASKED} while limit is {_LIMIT}",
        # Moonshot
        rf"exceeded model token limit: {_LIMIT}(?: \(requested: {_ASKED}\))?",
        # OpenRouter's Poolside, Qwen, MiniMax
        rf"input length {_ASKED} exceeds the maximum allowed input length of {_LIMIT}",
        rf"range of input length should be \[\d+, ?{_LIMIT}\]",
        r"context window exceeds limit",
        # anybody
        (
            rf"exceeds? (?:the |this |your )?(?:model's )?(?:available |maximum )?context"
            rf"(?: window| length| size| limit)(?: of {_LIMIT})?"
        ),
        r"(?:reduce|shorten) (?:the length of )?(?:the |your )?(?:messages|prompt|input)",
        # a text of ten million characters; the same is said of other fields that are too long
        r"'messages\b[^']{0,60}': string too long",
    )
]
_REFUSED_TEXT = re.compile(
    r"content management policy|content policy|content filter|safety system|usage policies"
    r"|violat\w{1,5} (?:our|the) \w{0,20} ?policy|flagged (?:as|for|by)"
    r"|content exists risk|considered high risk|(?:input|output) data may contain inappropriate",
    re.IGNORECASE,
)
# In the words of those who answer 403, which else means that a key may not do something.
_FORBIDDEN_TEXT = re.compile(r"content violates usage guidelines", re.IGNORECASE)


def is_too_long(fault: Fault) -> bool:
    """Return whether the prompt is longer than the model can read."""
    return bool(fault.words & _TOO_LONG) or _find(fault.text) is not None


def is_refused(fault: Fault, *, by_text: bool) -> bool:
    """Return whether a content policy refuses the prompt; not all say so in a code."""
    if fault.words & _REFUSED or _FORBIDDEN_TEXT.search(fault.text):
        return True
    return by_text and bool(_REFUSED_TEXT.search(fault.text))


def read_limits(fault: Fault) -> Mapping[str, str]:
    """Return the tokens that the model takes and those it was given, where the provider says."""
    found = _find(fault.text)
    if found is None:
        return {}
    numbers = found.groupdict()
    limits: dict[str, str] = {}
    if limit := numbers.get("limit"):
        limits["limitTokens"] = limit
    if asked := numbers.get("asked"):
        limits["requestedTokens"] = str(int(asked) + int(numbers.get("more") or 0))
    return limits


def _find(text: str) -> re.Match[str] | None:
    return next((found for one in _TOO_LONG_TEXTS if (found := one.search(text))), None)
