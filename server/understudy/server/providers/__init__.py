"""Dialects: how each provider wants to be asked, and what its answers mean. No I/O.

A dialect turns a prompt into the bytes of a request and the bytes of a reply into an answer or a
classified failure. Where a provider is and whose key it takes is `catalog`; carrying the bytes is
`upstream`'s work, choosing whom to ask `routing`'s.
"""

from collections.abc import Mapping

from understudy.server.ports import Dialect
from understudy.server.providers.anthropic import AnthropicDialect
from understudy.server.providers.families import SPOKEN, DialectName
from understudy.server.providers.ollama import OllamaChatDialect, OllamaGenerateDialect
from understudy.server.providers.openai import OpenAiDialect
from understudy.server.providers.petals import PetalsDialect
from understudy.server.providers.simulated import SimulatedDialect

_DIALECTS: Mapping[DialectName, Dialect] = {
    "anthropic": AnthropicDialect(),
    "ollama": OllamaGenerateDialect(),
    "ollama_chat": OllamaChatDialect(),
    "openai": OpenAiDialect(),
    "petals": PetalsDialect(),
    "simulated": SimulatedDialect(),
}


def dialect(provider: str) -> Dialect:
    """Return what a provider speaks. Raises KeyError for one that is not spoken to."""
    return _DIALECTS[SPOKEN[provider].dialect]
