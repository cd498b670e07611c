"""What figures are called, how they are written, and which way is better. Pure.

A figure's name is that of what is measured, its stem, and says whose: nothing for the subject,
`_baseline` for what it is compared with, `_difference` for by how much it is more.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum, StrEnum, auto
from types import MappingProxyType
from typing import Final

BASELINE: Final = "_baseline"
DIFFERENCE: Final = "_difference"
BOUNDS: Final = "_bounds"

_EVEN: Final = 0.5  # a share of wins that says nothing


class Form(Enum):
    """How a figure is written, besides by its unit."""

    COUNT = auto()
    AMOUNT = auto()
    SHARE = auto()
    POINTS = auto()  # by how much one share is more than another
    RATIO = auto()
    SCORE = auto()


class Topic(StrEnum):
    """What figures are about, in the order in which they are read."""

    TRAFFIC = "How many"
    SPEED = "Speed"
    COST = "Cost"
    TOKENS = "Tokens and length"
    ERRORS = "Errors"
    ANSWERS = "Answers"
    OPINIONS = "Opinions"
    OTHER = "Besides"


class Better(Enum):
    """Which way is better."""

    LESS = auto()
    MORE = auto()


@dataclass(frozen=True, slots=True)
class Wording:
    """What is measured. `null` is what "no difference" would be, where the figure compares."""

    title: str
    topic: Topic
    form: Form = Form.AMOUNT
    better: Better | None = None
    null: float | None = None


def find_wording(stem: str) -> Wording:
    """Return the words for what is measured; of what is not known here, those of its name."""
    if (found := _WORDINGS.get(stem)) is not None:
        return found
    for beginning, topic, form in _BEGINNINGS:
        if stem.startswith(beginning):
            rest = stem.removeprefix(beginning).replace("_", " ")
            return Wording(f"{beginning.replace('_', ' ').strip()}: {rest}", topic, form)
    return Wording(stem.replace("_", " "), Topic.OTHER)


_T, _F = Topic, Form
_BEGINNINGS: Final = (
    ("not_mirrored_", _T.TRAFFIC, _F.COUNT),
    ("timed_out_", _T.TRAFFIC, _F.COUNT),
    ("cancelled_", _T.TRAFFIC, _F.COUNT),
    ("failed_", _T.TRAFFIC, _F.COUNT),
    ("shed_", _T.TRAFFIC, _F.COUNT),
    ("lost_", _T.TRAFFIC, _F.COUNT),
    ("feedback_", _T.OPINIONS, _F.SCORE),
)


def _ratio(title: str, topic: Topic) -> Wording:
    return Wording(title, topic, Form.RATIO, Better.LESS, 1.0)


def _counts(*names: str) -> Iterator[tuple[str, Wording]]:
    for name in names:
        yield name, Wording(name.replace("_", " "), Topic.TRAFFIC, Form.COUNT)


def _words() -> Iterator[tuple[str, Wording]]:
    yield from _counts("offered", "under_way", "paired", "unpaired", "failed", "timed_out", "shed")
    yield from _counts("cancelled", "lost", "not_mirrored", "requests", "answered", "gave_up")
    yield from _counts("took_too_long", "retried", "keys")
    yield "primary_retried", Wording("primary retried", _T.TRAFFIC, _F.COUNT)
    yield "completeness", Wording("completeness", _T.TRAFFIC, _F.SHARE)
    yield "traffic_share", Wording("share of traffic", _T.TRAFFIC, _F.SHARE)
    yield "traffic_share_expected", Wording("share by the weights", _T.TRAFFIC, _F.SHARE)
    yield "sample_ratio_p", Wording("shares by chance (p)", _T.TRAFFIC, _F.SCORE)
    yield "calls_per_hour", Wording("requests an hour", _T.TRAFFIC)
    yield "latency_ratio", _ratio("time to the whole answer", _T.SPEED)
    yield "first_token_ratio", _ratio("time to the first token", _T.SPEED)
    yield "cost_ratio", _ratio("cost", _T.COST)
    for name, title in (("latency", "latency"), ("first_token", "first token")):
        for at in ("p50", "p95"):
            wording = Wording(f"{title} {at}", _T.SPEED, better=Better.LESS)
            yield f"{name}_{at}", wording
    for name, title in (("mean", "an answer"), ("per_1000", "per 1,000"), ("per_month", "a month")):
        yield f"cost_{name}", Wording(f"cost {title}", _T.COST, better=Better.LESS)
    yield "break_even_calls_per_hour", Wording("rent pays from, an hour", _T.COST)
    yield "prompt_tokens_mean", Wording("prompt tokens", _T.TOKENS)
    yield "completion_tokens_mean", Wording("completion tokens", _T.TOKENS)
    yield "length_mean", Wording("characters", _T.TOKENS)
    yield "error_rate", Wording("errors", _T.ERRORS, _F.SHARE, Better.LESS)
    yield "timeout_rate", Wording("timeouts", _T.ERRORS, _F.SHARE, Better.LESS)
    yield "schema_valid_rate", Wording("fit the schema", _T.ANSWERS, _F.SHARE, Better.MORE)
    yield "equal_rate", Wording("equal", _T.ANSWERS, _F.SHARE)
    yield "normalized_equal_rate", Wording("equal but for case and signs", _T.ANSWERS, _F.SHARE)
    yield "both_json_rate", Wording("both JSON", _T.ANSWERS, _F.SHARE)
    yield "same_tool_calls_rate", Wording("same tool calls", _T.ANSWERS, _F.SHARE)
    yield "similarity_mean", Wording("similarity", _T.ANSWERS, _F.SCORE)
    yield "rated", Wording("pairs rated", _T.OPINIONS, _F.COUNT)
    for name, title in (("win_rate", "wins, ties as half"), ("decisive_win_rate", "wins, no ties")):
        yield name, Wording(title, _T.OPINIONS, _F.SHARE, Better.MORE, _EVEN)
    yield "first_side_rate", Wording("for what came first", _T.OPINIONS, _F.SHARE)
    yield "pairs_to_go", Wording("pairs still to rate", _T.OPINIONS, _F.COUNT)


_WORDINGS: Final[Mapping[str, Wording]] = MappingProxyType(dict(_words()))
