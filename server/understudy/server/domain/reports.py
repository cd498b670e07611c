"""What records and pairs say about models: figures with their uncertainty, section by section.

Values only, which have no opinion on how they are shown. Reports are computed in `reporting`.
Instants are microseconds since 1970 UTC.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, TypeAlias

from msgspec import Struct

from understudy.server.domain.estimates import Estimate

CONFIDENCE: Final = 0.95


class Unit(StrEnum):
    """What a figure is counted in."""

    NONE = "1"
    SECONDS = "s"
    USD = "usd"
    TOKENS = "tokens"
    CHARACTERS = "characters"
    CALLS = "calls"
    PAIRS = "pairs"
    CALLS_PER_HOUR = "calls/h"


class Figure(Struct, frozen=True, kw_only=True):
    """One figure of a section, such as `latency_p95_difference`.

    `found` is an interval or why there is none. A plain count has no uncertainty and is an
    interval of one point.
    """

    metric: str
    unit: Unit
    found: Estimate


class Section(Struct, frozen=True, kw_only=True):
    """A part of a report: a silent model beside its primary, or a variant beside the control.

    `group` is the value of the breakdown, empty without one; `epoch` is 0 where epochs do not
    apply and for what is combined over all of them. `caveats` is what a reader must know before
    believing the figures.
    """

    subject: str
    baseline: str
    group: str = ""
    epoch: int = 0
    figures: tuple[Figure, ...] = ()
    caveats: tuple[str, ...] = ()


class Report(Struct, frozen=True, kw_only=True):
    """A report. `parent` is `experiments/{id}` or `silentModels/{group}`."""

    id: str
    parent: str
    group_by: str
    created: int
    start: int
    end: int
    sections: tuple[Section, ...]
    caveats: tuple[str, ...] = ()


class Breakdown(StrEnum):
    """What a report may be broken down by, besides `metadata.KEY`."""

    NONE = ""
    VARIANT = "variant"
    CALLER = "caller"


class Question(Struct, frozen=True, kw_only=True):
    """What is asked for. `start` and `end` are `None` for all there is."""

    parent: str
    group_by: str = ""
    start: int | None = None
    end: int | None = None


class EpochFacts(Struct, frozen=True, kw_only=True):
    """An epoch of an experiment. `weights` are the variants' in basis points.

    `run` counts the starts of the experiment: with each, sticky keys are assigned anew.
    """

    number: int
    run: int = 1
    weights: Mapping[str, int]


class ExperimentFacts(Struct, frozen=True, kw_only=True):
    """What a report has to know of its experiment. `variants` are ids, in the operator's order."""

    id: str
    control: str
    variants: tuple[str, ...]
    epochs: tuple[EpochFacts, ...] = ()


class Facts(Struct, frozen=True, kw_only=True):
    """What a report has to know besides what is recorded. Holds nothing secret.

    `rents` has the deployments that are paid by the hour, by id, in 10^-9 US dollars an hour;
    `groups` the names of all model groups; `experiment` the one that is asked about, `None` if
    none is, or if there is none of that id.
    """

    rents: Mapping[str, int] = {}
    groups: tuple[str, ...] = ()
    experiment: ExperimentFacts | None = None


class Progress(Struct, frozen=True, tag="progress"):
    """How far a report is, in [0, 1]."""

    share: float


Update: TypeAlias = Progress | Report
