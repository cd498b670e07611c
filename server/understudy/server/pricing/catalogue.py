"""The published prices of models, behind a port: which entry of genai-prices is meant by a name.

The library is imported when a price is first asked for, and never told to fetch newer prices:
those come with a newer version of it. What its entries say is turned into our values by
`conversion`, once, so that a call is charged without it.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Protocol

from understudy.server.domain.costs import Price
from understudy.server.pricing.conversion import convert

if TYPE_CHECKING:
    from genai_prices.types import MatchLogic

# By our name for a provider, that of the catalogue.
_PROVIDERS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "anthropic": "anthropic",
        "azure": "azure",
        "baseten": "baseten",
        "cerebras": "cerebras",
        "codestral": "mistral",
        "cohere": "cohere",
        "cohere_chat": "cohere",
        "databricks": "databricks",
        "deepseek": "deepseek",
        "fireworks_ai": "fireworks",
        "gemini": "google",
        "groq": "groq",
        "meta_llama": "meta",
        "minimax": "minimax",
        "mistral": "mistral",
        "moonshot": "moonshotai",
        "novita": "novita",
        "openai": "openai",
        "openrouter": "openrouter",
        "ovhcloud": "ovhcloud",
        "perplexity": "perplexity",
        "together_ai": "together",
        "xai": "x-ai",
        "zai": "zai",
    }
)
# Hugging Face's router passes prompts on, and the model's name says to whom.
_ROUTER: Final = "huggingface"

# What may follow the beginning of a name without making another model of it.
_VERSION: Final = re.compile(
    r"(?:[-@:](?:latest|preview|v[0-9]|0|[0-9]{3,8}|[0-9]{4}-[0-9]{2}-[0-9]{2}))*"
)
_TUNED: Final = "ft:"  # OpenAI prices these by what they are tuned from


class Catalogue(Protocol):
    """A list of what providers take."""

    def find(self, provider: str, model: str) -> Price | None:
        """Return the price of a model, None if the list has none for exactly this one."""
        ...


class GenaiPrices:
    """The list that comes with genai-prices."""

    @lru_cache(maxsize=4096)  # noqa: B019 - there is one for the life of the process
    def find(self, provider: str, model: str) -> Price | None:
        """Return the price of a model, None if the list has none for exactly this one."""
        name, model = _name_there(provider, model)
        if not name or not model or model != model.strip():
            return None
        from genai_prices import __version__, data_snapshot

        try:
            _, found = data_snapshot.get_snapshot().find_provider_model(model, None, name, None)
        except LookupError:
            return None
        if not _is_meant(found.match, model.lower()):
            return None
        return convert(found, f"genai-prices {__version__}")


PUBLISHED: Final = GenaiPrices()


def _name_there(provider: str, model: str) -> tuple[str, str]:
    if provider != _ROUTER:
        return _PROVIDERS.get(provider, ""), model
    name, _, through = model.rpartition(":")
    return (f"{_ROUTER}_{through}", name) if name else ("", model)


def _is_meant(match: "MatchLogic", model: str) -> bool:
    """Whether a name is a rule's own, but for a version: what merely looks like it is another."""
    from genai_prices import types

    if isinstance(match, types.ClauseOr):
        return any(_is_meant(one, model) for one in match.or_)
    if isinstance(match, types.ClauseAnd):
        return match.is_match(model) and any(_is_meant(one, model) for one in match.and_)
    if isinstance(match, types.ClauseStartsWith):
        start = match.starts_with.lower()
        if not model.startswith(start):
            return False
        return start.startswith(_TUNED) or bool(_VERSION.fullmatch(model[len(start) :]))
    if isinstance(match, types.ClauseEquals | types.ClauseRegex):
        return match.is_match(model)
    return False
