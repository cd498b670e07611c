"""What Anthropic's models take, by their names. Data, and no more than prompts depend on. Pure.

A name holds a version, behind its family (`claude-opus-4-6`, `claude-haiku-4-5-20251001`) or, before
the fourth, in front of it (`claude-3-7-sonnet-20250219`). Of a name without one nothing is known:
what is asked is written as for a new model, and the server judges it.
"""

import re
from dataclasses import dataclass
from enum import Enum, auto


class Thinking(Enum):
    """Whether a model thinks before it answers, and who says how much."""

    NEVER = auto()
    BUDGET = auto()  # if asked to, up to so many tokens
    ADAPTIVE = auto()  # if asked to, as much as it finds fit
    DEFAULT = auto()  # likewise, unless asked not to
    ALWAYS = auto()


class Sampling(Enum):
    """Which of `temperature` and `top_p` a model takes."""

    BOTH = auto()
    EITHER = auto()
    NEITHER = auto()


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What one model takes."""

    max_output: int  # tokens
    thinking: Thinking
    sampling: Sampling
    schemas: bool = True  # answers and tool calls can be held to a JSON schema


# Taken by every model since 3.5, and by servers of others that speak Anthropic's protocol.
_UNKNOWN = ModelFacts(8_192, Thinking.ADAPTIVE, Sampling.BOTH)

# Least version and family, any if empty. The first row that fits counts.
_ROWS: tuple[tuple[tuple[int, int], str, ModelFacts], ...] = (
    ((5, 5), "opus", ModelFacts(128_000, Thinking.ALWAYS, Sampling.NEITHER)),
    ((5, 5), "sonnet", ModelFacts(128_000, Thinking.ALWAYS, Sampling.NEITHER)),
    ((5, 0), "fable", ModelFacts(128_000, Thinking.ALWAYS, Sampling.NEITHER)),
    ((5, 0), "mythos", ModelFacts(128_000, Thinking.ALWAYS, Sampling.NEITHER)),
    ((5, 0), "", ModelFacts(128_000, Thinking.DEFAULT, Sampling.NEITHER)),
    ((4, 7), "", ModelFacts(128_000, Thinking.ADAPTIVE, Sampling.NEITHER)),
    ((4, 6), "", ModelFacts(128_000, Thinking.ADAPTIVE, Sampling.EITHER)),
    ((4, 5), "", ModelFacts(64_000, Thinking.BUDGET, Sampling.EITHER)),
    ((4, 1), "opus", ModelFacts(32_000, Thinking.BUDGET, Sampling.EITHER, schemas=False)),
    ((4, 0), "opus", ModelFacts(32_000, Thinking.BUDGET, Sampling.BOTH, schemas=False)),
    ((3, 7), "", ModelFacts(64_000, Thinking.BUDGET, Sampling.BOTH, schemas=False)),
    ((3, 5), "", ModelFacts(8_192, Thinking.NEVER, Sampling.BOTH, schemas=False)),
    ((0, 0), "", ModelFacts(4_096, Thinking.NEVER, Sampling.BOTH, schemas=False)),
)
_NUMBER = re.compile(r"(?<![A-Za-z0-9])\d{1,2}(?![A-Za-z0-9])")  # a date has more digits


def find_facts(model: str) -> ModelFacts:
    """Return what a model takes."""
    name = model.lower()
    numbers = [int(one) for one in _NUMBER.findall(name)]
    if "claude" not in name or not numbers:
        return _UNKNOWN
    version = (numbers[0], numbers[1] if len(numbers) > 1 else 0)
    return next(facts for least, family, facts in _ROWS if version >= least and family in name)
