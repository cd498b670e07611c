"""Writes how hard to think as each of Anthropic's models is told: by tokens, or by a word. Pure.

A model that thinks up to so many tokens gets those that LiteLLM gives, as far as they leave room
for an answer; one that finds its own measure gets OpenAI's word. A forced tool call and thinking
exclude each other. What a caller writes as `thinking` counts before all this.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import cast

from understudy.server.providers.anthropic_models import ModelFacts, Thinking
from understudy.server.providers.leaving import Losses
from understudy.server.providers.merging import Asked

Body = dict[str, object]

THINKING = "thinking"
LEAST_BUDGET = 1024  # tokens that thinking takes at least
_ON = ("enabled", "adaptive")
# The last two are ours.
_BUDGETS: Mapping[str, int] = MappingProxyType(
    {
        "minimal": 1024,
        "low": 1024,
        "medium": 2048,
        "high": 4096,
        "xhigh": 8192,
        "max": 16_384,
    }
)


def write_thinking(
    asked: Asked,
    params: Mapping[str, object],
    facts: ModelFacts,
    forces_tool: bool,
    losses: Losses,
) -> tuple[Body, Body]:
    """Return how to think, and how hard, as far as the model can be told."""
    word = params.get("reasoning_effort")
    if not isinstance(word, str) or not word:
        return {}, {}
    if THINKING in asked.extra and facts.thinking in (Thinking.NEVER, Thinking.BUDGET):
        return {}, {}
    if word == "none":
        return _write_no_thinking(facts, losses), {}
    if facts.thinking is Thinking.NEVER:
        losses.drop("reasoning_effort", "this model does not think")
        return {}, {}
    if facts.thinking is Thinking.BUDGET:
        limit = params.get("max_tokens", facts.max_output)
        return _write_budget(asked, word, limit, forces_tool, losses), {}
    effort: Body = {"effort": "low" if word == "minimal" else word}
    if facts.thinking is Thinking.ADAPTIVE and not forces_tool:  # it does not think then
        return {THINKING: {"type": "adaptive"}}, effort
    return {}, effort


def thinks(thinking: object) -> bool:
    """Return whether a body with this as its `thinking` has the model think."""
    return isinstance(thinking, Mapping) and cast(Body, thinking).get("type") in _ON


def _write_no_thinking(facts: ModelFacts, losses: Losses) -> Body:
    if facts.thinking is Thinking.ALWAYS:
        losses.drop("reasoning_effort", "this model always thinks")
    return {THINKING: {"type": "disabled"}} if facts.thinking is Thinking.DEFAULT else {}


def _write_budget(
    asked: Asked, word: str, limit: object, forces_tool: bool, losses: Losses
) -> Body:
    budget = _BUDGETS.get(word, 0)
    if isinstance(limit, int):
        budget = min(budget, limit - 1)  # an answer's tokens are counted with those of its thoughts
    why = ""
    if word not in _BUDGETS:
        why = f"it is one of {', '.join(_BUDGETS)} for this model"
    elif budget < LEAST_BUDGET:
        why = f"max_tokens leaves no room: thinking takes {LEAST_BUDGET} tokens at least"
    elif forces_tool:
        why = "a model that must call a tool does not think"
    elif asked.messages[-1].role == "tool":
        why = "the thoughts before these tool calls would have to be sent along"
    if why:
        losses.drop("reasoning_effort", why)
        return {}
    return {THINKING: {"type": "enabled", "budget_tokens": budget}}
