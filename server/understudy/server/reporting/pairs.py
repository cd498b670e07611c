"""Gathers all that is recorded of a silent model beside its primaries, as columns."""

from collections.abc import Generator, Iterable, Mapping
from typing import Final

import numpy as np
from msgspec import Struct
from sqlalchemy import Engine

from understudy.server.domain.ratings import Side, Verdict
from understudy.server.records.observations import Window
from understudy.server.records.observed_offers import Offers, read_offers, read_refusals
from understudy.server.records.observed_verdicts import read_verdicts
from understudy.server.reporting.columns import Codes, Column, Flags, Floats, distinct
from understudy.server.reporting.endings import end_of, place_of
from understudy.server.reporting.labels import Labels, keep_largest
from understudy.server.reporting.rents import Rents

# Columns of offers that are taken as they are.
_NUMBERS: Final = (
    "primary_latency",
    "primary_first_token",
    "primary_cost",
    "primary_prompt_tokens",
    "primary_completion_tokens",
    "latency",
    "first_token",
    "cost",
    "prompt_tokens",
    "completion_tokens",
    "cached_tokens",
    "equal",
    "normalized_equal",
    "both_json",
    "primary_schema_valid",
    "schema_valid",
    "same_tool_calls",
    "similarity",
    "primary_length",
    "length",
)
_RENTED: Final = {"primary_deployment": "primary_cost", "deployment": "cost"}


class Spoken(Struct, frozen=True):
    """What one reviewer said of one pair."""

    pair_id: str
    verdict: Verdict
    first_side: Side


class Pairs(Struct, frozen=True):
    """Offers as columns, then refusals, then what reviewers said.

    `baseline` and `label` are of all three, one after the other, and hold places in
    `baselines` and `labels`. `renters` holds places in `rented`, of either side, below 0 where a
    call was paid otherwise.
    """

    numbers: Mapping[str, Floats]
    outcome: Codes
    reason: Codes
    reasons: tuple[str, ...]
    primary_end: Codes
    renters: Mapping[str, Codes]
    rented: tuple[str, ...]
    refusal: Codes
    refusals: tuple[str, ...]
    spoken: tuple[Spoken, ...]
    baseline: Codes
    baselines: tuple[str, ...]
    label: Codes
    labels: tuple[str, ...]

    @property
    def used_rents(self) -> tuple[str, ...]:
        """The rented endpoints that were asked, on either side."""
        places = {one for codes in self.renters.values() for one in distinct(codes)}
        return tuple(self.rented[place] for place in sorted(places) if place >= 0)

    def split(self, held: Flags) -> tuple[Flags, Flags, Flags]:
        """Return what holds of offers, refusals and verdicts, from what holds of all of them."""
        first, second = len(self.outcome), len(self.outcome) + len(self.refusal)
        return held[:first], held[first:second], held[second:]

    def pay(self, rents: Rents) -> None:
        """Fill in what calls of rented endpoints cost."""
        for deployment, cost in _RENTED.items():
            codes, costs = self.renters[deployment], self.numbers[cost]
            for place, name in enumerate(self.rented):
                if (each := rents.per_call(name)) is not None:
                    costs[(codes == place) & np.isnan(costs)] = each


class _Gathering:
    """The columns while they grow."""

    def __init__(self, rented: Iterable[str]) -> None:
        self._numbers = {name: Column() for name in _NUMBERS}
        self._outcome, self._primary_end = Column(), Column()
        self._reason, self._refusal = Labels(), Labels()
        self._baseline, self._label = Labels(), Labels()
        self._rented = {name: place for place, name in enumerate(rented)}
        self._renters = {name: Column() for name in _RENTED}
        self._spoken: list[Spoken] = []

    def offer(self, chunk: Offers) -> None:
        columns = chunk._asdict()
        for name, column in self._numbers.items():
            column.extend(columns[name])
        self._outcome.extend(map(place_of, chunk.outcome))
        self._primary_end.extend(map(end_of, chunk.primary_reason))
        self._reason.extend(chunk.reason)
        for name, column in self._renters.items():
            column.extend(self._rented.get(one, -1) for one in columns[name])
        self.tell(chunk.baseline, chunk.label)

    def refuse(self, reasons: tuple[str, ...]) -> None:
        self._refusal.extend(reasons)

    def speak(self, spoken: Iterable[Spoken]) -> None:
        self._spoken.extend(spoken)

    def tell(self, baseline: Iterable[str | None], label: Iterable[str | None]) -> None:
        self._baseline.extend(baseline)
        self._label.extend(label)

    def finish(self) -> Pairs:
        baseline, label = self._baseline.take(), self._label.take()
        # An offer whose primary left no record can only be of the one that there is.
        unknown = self._baseline.find("")
        if unknown is not None and len(self._baseline.names) == 2:
            baseline[baseline == unknown] = 1 - unknown
        baselines = keep_largest(baseline, self._baseline.names)
        labels = keep_largest(label, self._label.names)
        return Pairs(
            numbers={name: column.take() for name, column in self._numbers.items()},
            outcome=self._outcome.take().astype(np.int64),
            reason=self._reason.take(),
            reasons=self._reason.names,
            primary_end=self._primary_end.take().astype(np.int64),
            renters={name: one.take().astype(np.int64) for name, one in self._renters.items()},
            rented=tuple(self._rented),
            refusal=self._refusal.take(),
            refusals=self._refusal.names,
            spoken=tuple(self._spoken),
            baseline=baseline,
            baselines=tuple(baselines),
            label=label,
            labels=tuple(labels),
        )


def gather_pairs(
    engine: Engine, silent_model: str, window: Window, group_by: str, rented: Iterable[str]
) -> Generator[float, None, Pairs]:
    """Return all that there is within a window; yield how much of it is read, in [0, 1]."""
    gathering = _Gathering(rented)
    span = max(window.end - window.start, 1)
    for offers in read_offers(engine, silent_model, window, group_by):
        gathering.offer(offers)
        yield 0.7 * (offers.start[-1] - window.start) / span
    for refusals in read_refusals(engine, silent_model, window, group_by):
        gathering.refuse(refusals.reason)
        gathering.tell(refusals.baseline, refusals.label)
        yield 0.7 + 0.3 * (refusals.start[-1] - window.start) / span
    for verdicts in read_verdicts(engine, silent_model, window, group_by):
        gathering.speak(
            Spoken(pair_id, Verdict(verdict), Side(first))
            for pair_id, verdict, first in zip(
                verdicts.pair_id, verdicts.verdict, verdicts.first_side, strict=True
            )
        )
        gathering.tell(verdicts.baseline, verdicts.label)
    return gathering.finish()
