"""What can be asked of records and pairs: conditions, an order, a place to go on from.

Values only. How a person writes them is `questions.record_filter`; how a store answers them is
`records.conditions`. The two tables of fields are the vocabulary that both share.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, StrEnum, auto
from types import MappingProxyType
from typing import Generic, TypeVar

from msgspec import Struct

from understudy.server.domain.costs import CostStatus
from understudy.server.domain.mirroring import Outcome
from understudy.server.domain.records import Role

T = TypeVar("T")


class Kind(Enum):
    """What a field holds. Instants and durations are microseconds."""

    TEXT = auto()
    ROLE = auto()
    OUTCOME = auto()
    COST_STATUS = auto()
    INSTANT = auto()
    DURATION = auto()
    INTEGER = auto()
    REAL = auto()
    FLAG = auto()


WORDS: Mapping[Kind, frozenset[str]] = MappingProxyType(
    {
        Kind.ROLE: frozenset(Role),
        Kind.OUTCOME: frozenset(Outcome),
        Kind.COST_STATUS: frozenset(CostStatus),
    }
)

METADATA = "metadata."  # a label of the caller's, named by what follows

RECORD_FIELDS: Mapping[str, Kind] = MappingProxyType(
    {
        "pair_id": Kind.TEXT,
        "role": Kind.ROLE,
        "request_id": Kind.TEXT,
        "caller": Kind.TEXT,
        "experiment": Kind.TEXT,
        "variant": Kind.TEXT,
        "model_group": Kind.TEXT,
        "deployment": Kind.TEXT,
        "provider": Kind.TEXT,
        "model": Kind.TEXT,
        "served_model": Kind.TEXT,
        "attempt": Kind.INTEGER,
        "reason": Kind.TEXT,
        "failed": Kind.FLAG,
        "upstream_status": Kind.INTEGER,
        "start_time": Kind.INSTANT,
        "first_token_latency": Kind.DURATION,
        "latency": Kind.DURATION,
        "prompt_tokens": Kind.INTEGER,
        "completion_tokens": Kind.INTEGER,
        "total_tokens": Kind.INTEGER,
        "cost_nano_usd": Kind.INTEGER,
        "cost_status": Kind.COST_STATUS,
        "cost_reason": Kind.TEXT,
        "price_version": Kind.TEXT,
        "finish_reason": Kind.TEXT,
        "request_bytes": Kind.INTEGER,
        "response_bytes": Kind.INTEGER,
        "streamed": Kind.FLAG,
        "is_silent_experiment": Kind.FLAG,
        "config_revision": Kind.INTEGER,
        "overridden": Kind.FLAG,
        "assignment": Kind.TEXT,
        "epoch": Kind.INTEGER,
        "key_hash": Kind.TEXT,
        "has_feedback": Kind.FLAG,
    }
)

PAIR_FIELDS: Mapping[str, Kind] = MappingProxyType(
    {
        "pair_id": Kind.TEXT,
        "silent_model": Kind.TEXT,
        "outcome": Kind.OUTCOME,
        "reason": Kind.TEXT,
        "start_time": Kind.INSTANT,
        "caller": Kind.TEXT,
        "experiment": Kind.TEXT,
        "variant": Kind.TEXT,
        "model_group": Kind.TEXT,
        "equal": Kind.FLAG,
        "normalized_equal": Kind.FLAG,
        "both_json": Kind.FLAG,
        "same_tool_calls": Kind.FLAG,
        "primary_length": Kind.INTEGER,
        "silent_length": Kind.INTEGER,
        "similarity": Kind.REAL,
        "latency_difference": Kind.DURATION,
        "cost_difference": Kind.INTEGER,
        "length_difference": Kind.INTEGER,
        "rated": Kind.FLAG,
        "has_feedback": Kind.FLAG,
    }
)

RECORD_ORDERS = ("start_time", "latency", "cost")
PAIR_ORDERS = (
    "start_time",
    "latency_difference",
    "cost_difference",
    "length_difference",
    "similarity",
)


class Operator(StrEnum):
    """How a field is compared."""

    EQUAL = "="
    UNEQUAL = "!="
    BELOW = "<"
    AT_MOST = "<="
    ABOVE = ">"
    AT_LEAST = ">="


class Term(Struct, frozen=True):
    """A field compared with a value. A `*` in a text that is compared for equality is any text."""

    field: str
    operator: Operator
    value: str | int | float | bool


class Not(Struct, frozen=True):
    """The opposite of a condition."""

    part: "Condition"


class AllOf(Struct, frozen=True):
    """Every one of these; none at all is true."""

    parts: tuple["Condition", ...]


class AnyOf(Struct, frozen=True):
    """At least one of these."""

    parts: tuple["Condition", ...]


Condition = Term | Not | AllOf | AnyOf
EVERYTHING = AllOf(())


class Place(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Where a page ended: the value of the order's field, and what tells equal ones apart."""

    value: int | float
    id: str
    silent_model: str = ""


class Query(Struct, frozen=True):
    """Which, in which order, after what, and how many.

    Ordered by a figure, those of which it is unknown are left out: they have no place. `words`
    are looked for in the prompts and answers that are kept. `looked_at` bounds how many rows are
    looked at for this page, so that a condition that few meet is answered soon, if only in part;
    without it, all are, or some thousands if there are `words`.
    """

    condition: Condition = EVERYTHING
    order: str = "start_time"
    descending: bool = True
    after: Place | None = None
    limit: int = 100
    words: str = ""
    looked_at: int | None = None


@dataclass(frozen=True, slots=True)
class Found(Generic[T]):
    """A page: what was found, each with its place, and whether there is more.

    `reached` is there where the rows to look at ended before the page was full: there may be more
    after it.
    """

    items: tuple[tuple[T, Place], ...]
    has_more: bool
    reached: Place | None = None
