"""Recognises complaints about the prompt: that it is too long, or against a content policy. Pure.

Both have fallbacks of their own, so it matters to know them in every provider's words.
"""

import re
from collections.abc import Mapping

from understudy.server.providers.faults import Fault

_TOO_LONG = frozenset({"context_length_exceeded", "exceed_context_size_error"})
_REFUSED = frozenset(
    {
        "content_filter",
        "content_policy_violation",
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
        # OpenAI, Azure, OpenRouter, vLLM
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
        # vLLM, SGLang, llama.cpp
        rf"\(length {_ASKED}\) is longer than the maximum model length of {_LIMIT}",
        rf"(?:\({_ASKED} tokens\) is )?longer than the model's context length (?:of )?\(?{_LIMIT}",
        rf"\({_ASKED} tokens\) exceeds the available context size(?: \({_LIMIT} tokens\))?",
        # Anthropic, by way of others
        rf"prompt is too long: {_ASKED} tokens > {_LIMIT}",
        # anybody
        (
            rf"exceeds? (?:the |this |your )?(?:model's )?(?:available |maximum )?context"
            rf"(?: window| length| size| limit)(?: of {_LIMIT})?"
        ),
        r"(?:reduce|shorten) (?:the length of )?(?:the |your )?(?:messages|prompt|input)",
        r"string too long\. Expected a string with maximum length",
    )
]
_REFUSED_TEXT = re.compile(
    r"content management policy|content policy|content filter|safety system|usage policies"
    r"|violat\w{1,5} (?:our|the) \w{0,20} ?policy|flagged (?:as|for|by)",
    re.IGNORECASE,
)


def is_too_long(fault: Fault) -> bool:
    """Return whether the prompt is longer than the model can read."""
    return bool(fault.words & _TOO_LONG) or _find(fault.text) is not None


def is_refused(fault: Fault, *, by_text: bool) -> bool:
    """Return whether a content policy refuses the prompt; not all say so in a code."""
    return bool(fault.words & _REFUSED) or (by_text and bool(_REFUSED_TEXT.search(fault.text)))


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
