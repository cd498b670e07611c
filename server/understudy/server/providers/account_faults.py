"""Recognises complaints about the deployment: its key, its model, its account, its load. Pure.

Providers disagree on their statuses: one answers 400 to a bad key, another 403 to an empty account.
What is wrong with the prompt is recognised in `prompt_faults`.
"""

import re

from understudy.server.providers.faults import Fault

LIMITED_WORDS = frozenset({"rate_limit_exceeded", "rate_limit_error", "rate_limit_reached_error"})
OVERLOADED_WORDS = frozenset(
    {
        "engine_overloaded_error",  # Moonshot
        "overloaded",  # Hugging Face's servers
        "overloaded_error",  # Anthropic
        "slow_down",  # OpenAI
    }
)
SPENT_WORDS = frozenset(
    {
        "billing_error",  # Anthropic
        "billing_hard_limit_reached",  # OpenAI
        "billing_not_active",
        "exceeded_current_quota_error",  # Moonshot
        "insufficient_quota",  # OpenAI, Perplexity
    }
)
NO_MODEL_WORDS = frozenset(
    {
        "invalid_model",  # Mistral, Perplexity
        "model_decommissioned",  # Groq
        "model_not_found",
        "model_not_supported",  # Hugging Face's router
    }
)

_OVERLOADED_TEXT = re.compile(
    r"(?:is|are) (?:currently |temporarily )?overloaded|over capacity|server overloaded"
    r"|at (?:full |maximum )?capacity|service is too busy"
    r"|maximum pending requests exceeded",
    re.IGNORECASE,
)
_SPENT_TEXT = re.compile(
    r"credit balance is too low|insufficient (?:account )?balance|(?:doesn't|does not) have any credits"
    r"|used all available credits|exceeded your monthly (?:included )?credits"
    r"|(?:reached|exceeded) your (?:\w+ ){0,2}(?:usage|spending) limits?"
    r"|insufficient credits",
    re.IGNORECASE,
)
_BAD_KEY_TEXT = re.compile(
    r"(?:incorrect|invalid|unknown) api[ _-]?key|api key (?:not valid|(?:\w+ ){0,3}is invalid)"
    r"|authorization failed",
    re.IGNORECASE,
)
_NO_MODEL_TEXT = re.compile(
    r"is not a valid model|invalid model(?::| ['\"`])|model not exist", re.IGNORECASE
)


def is_spent(fault: Fault) -> bool:
    """Return whether the account has no money or quota left, so that waiting does not help."""
    return bool(fault.words & SPENT_WORDS or _SPENT_TEXT.search(fault.text))


def is_limited(fault: Fault) -> bool:
    """Return whether a rate is exceeded."""
    return bool(fault.words & LIMITED_WORDS)


def is_overloaded(fault: Fault) -> bool:
    """Return whether the provider has too much to do, for others too."""
    return bool(fault.words & OVERLOADED_WORDS or _OVERLOADED_TEXT.search(fault.text))


def is_key_rejected(fault: Fault) -> bool:
    """Return whether the key is refused."""
    return bool("invalid_api_key" in fault.words or _BAD_KEY_TEXT.search(fault.text))


def is_model_missing(fault: Fault) -> bool:
    """Return whether there is no such model."""
    return bool(fault.words & NO_MODEL_WORDS or _NO_MODEL_TEXT.search(fault.text))
