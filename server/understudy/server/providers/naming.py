"""Says whose model a model string means: `azure/chatgpt-v-2`, `gpt-4`, `huggingface/https://…`.

The rules are LiteLLM's: the part before the first slash, unless `custom_llm_provider` says it, and
a few bare names that everybody knows.
"""

import re
from difflib import get_close_matches

from understudy.server.providers.families import (
    BARE_NAMES,
    NOT_CHAT,
    NOT_HERE,
    SPOKEN,
)

_LONGEST_QUOTE = 80


class UnusableError(Exception):
    """Why a deployment cannot be asked, in words for its operator."""


def split_name(model: str, provider: str = "") -> tuple[str, str]:
    """Return the provider and what it calls the model. Raises UnusableError if nothing says whose.

    `provider` is `custom_llm_provider`, which counts before the name.
    """
    prefix, _, rest = model.partition("/")
    if provider:
        return provider, rest if prefix == provider and rest else model
    return (prefix, rest) if rest else (_owner(model), model)


def check_spoken(provider: str, model: str) -> None:
    """Raise UnusableError for a provider or model that cannot be asked from here."""
    _check_provider(provider)
    if "*" in model:
        raise UnusableError("wildcards are not served; name each model")
    if provider == "openai" and re.match(NOT_CHAT, model):
        raise UnusableError(f"{_quote(model)} does not chat, and only chat is served here")


def name_for_router(model: str) -> str:
    """Return what Hugging Face's router calls a model: `ORG/NAME`, or `ORG/NAME:PROVIDER`.

    LiteLLM's users write the inference provider, which need not be said, before the model.
    """
    provider, _, rest = model.partition("/")
    return f"{rest}:{provider}" if "/" in rest else model


def name_for_fireworks(model: str) -> str:
    """Return what Fireworks calls a model, of which LiteLLM's users write the last part."""
    if model.startswith("accounts/") or "#" in model:  # `#` names a deployment of one's own
        return model
    kind = "" if model.startswith(("models/", "routers/")) else "models/"
    return f"accounts/fireworks/{kind}{model}"


def _owner(model: str) -> str:
    for pattern, provider in BARE_NAMES:
        if re.match(pattern, model):
            return provider
    raise UnusableError(
        f"{_quote(model)} does not say whose model it is; write openai/NAME, huggingface/NAME, …"
    )


def _check_provider(provider: str) -> None:
    if provider in SPOKEN:
        return
    if provider in NOT_HERE:
        raise UnusableError(
            f"provider {provider!r} is not spoken here; keep it behind litellm_proxy/"
        )
    near = get_close_matches(provider, SPOKEN, n=1, cutoff=0.75)
    hint = f"did you mean {near[0]!r}?" if near else "openai/ with api_base fits most servers"
    raise UnusableError(f"no provider is named {_quote(provider)}; {hint}")


def _quote(name: str) -> str:
    return repr(name if len(name) <= _LONGEST_QUOTE else name[:_LONGEST_QUOTE] + "…")
