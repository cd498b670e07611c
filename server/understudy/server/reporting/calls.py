"""Gathers all calls of an experiment, as columns: one row for each call, whatever its attempts."""

from collections import OrderedDict
from collections.abc import Generator, Iterable, Mapping
from typing import Final

import numpy as np
from msgspec import Struct
from sqlalchemy import Engine

from understudy.server.records.observations import Window
from understudy.server.records.observed_calls import Attempts, read_attempts
from understudy.server.reporting.columns import (
    Codes,
    Column,
    Flags,
    Floats,
    Keys,
    distinct,
    read_key,
)
from understudy.server.reporting.endings import End, end_of
from understudy.server.reporting.labels import Labels, keep_largest
from understudy.server.reporting.rents import Rents

MOST_OPEN: Final = 100_000  # calls whose first attempt failed, that may have another one

_NUMBERS: Final = ("latency", "first_token", "cost", "prompt_tokens", "completion_tokens")
_FIRST: Final = 1


class Calls(Struct, frozen=True):
    """Calls as columns, in the order in which they began.

    Durations, in microseconds, are from the first attempt on; costs, in nano-USD, are those of
    all attempts. `key` is 0 for a call that was drawn without a key; `renter` holds places in
    `rented`, below 0 where a call was paid otherwise; `variant` and `label` hold places in
    `variants` and `labels`.
    """

    variant: Codes
    variants: tuple[str, ...]
    label: Codes
    labels: tuple[str, ...]
    epoch: Codes
    key: Keys
    overridden: Flags
    end: Codes
    attempts: Codes
    numbers: Mapping[str, Floats]
    renter: Codes
    rented: tuple[str, ...]

    @property
    def used_rents(self) -> tuple[str, ...]:
        """The rented endpoints that were asked."""
        return tuple(self.rented[place] for place in distinct(self.renter) if place >= 0)

    def pay(self, rents: Rents) -> None:
        """Fill in what calls of rented endpoints cost."""
        costs = self.numbers["cost"]
        for place, name in enumerate(self.rented):
            if (each := rents.per_call(name)) is not None:
                costs[(self.renter == place) & np.isnan(costs)] = each


class _Later(Struct):
    """An attempt after the first."""

    place: int
    number: int
    end: End
    numbers: Mapping[str, float]
    renter: int


class _Gathering:
    """The columns while they grow."""

    def __init__(self, rented: Iterable[str]) -> None:
        self._rented = {name: place for place, name in enumerate(rented)}
        self._variant, self._label = Labels(), Labels()
        self._numbers = {name: Column() for name in _NUMBERS}
        self._epoch, self._overridden, self._end, self._renter = (Column() for _ in range(4))
        self._keys: list[Keys] = []
        self._begun = 0
        self._open: OrderedDict[str, tuple[int, int]] = OrderedDict()
        self._later: list[_Later] = []

    def take(self, chunk: Attempts) -> None:
        attempts = np.array(chunk.attempt)
        if (attempts == _FIRST).all():
            self._begin(chunk)
            return
        # Attempts are in the order of their begin, so a call is begun before it goes on.
        firsts = [row for row in zip(*chunk, strict=True) if row[4] == _FIRST]
        if firsts:
            self._begin(Attempts(*zip(*firsts, strict=True)))
        for place in np.flatnonzero(attempts != _FIRST).tolist():
            self._go_on(chunk, place)

    def _begin(self, chunk: Attempts) -> None:
        columns = chunk._asdict()
        for name, column in self._numbers.items():
            column.extend(columns[name])
        self._variant.extend(chunk.variant)
        self._label.extend(chunk.label)
        self._epoch.extend(chunk.epoch)
        self._overridden.extend(chunk.overridden)
        ends = tuple(map(end_of, chunk.reason))
        self._end.extend(ends)
        self._renter.extend(self._rented.get(one, -1) for one in chunk.deployment)
        self._keys.append(np.array([read_key(one) for one in chunk.key_hash], dtype=np.uint64))
        for place, end in enumerate(ends):
            if end is not End.ANSWERED:
                began = self._begun + place, chunk.start[place]
                self._open[chunk.pair_id[place]] = began
        while len(self._open) > MOST_OPEN:
            self._open.popitem(last=False)
        self._begun += len(ends)

    def _go_on(self, chunk: Attempts, row: int) -> None:
        began = self._open.get(chunk.pair_id[row])
        if began is None:
            return  # its call began before the window
        place, start = began
        waited = chunk.start[row] - start
        numbers = {name: _number(getattr(chunk, name)[row]) for name in _NUMBERS}
        numbers["latency"] += waited
        numbers["first_token"] += waited
        self._later.append(
            _Later(
                place,
                chunk.attempt[row],
                end_of(chunk.reason[row]),
                numbers,
                self._rented.get(chunk.deployment[row], -1),
            )
        )

    def finish(self) -> Calls:
        variant, label = self._variant.take(), self._label.take()
        variants = keep_largest(variant, self._variant.names)
        labels = keep_largest(label, self._label.names)
        numbers = {name: column.take() for name, column in self._numbers.items()}
        end, renter = (one.take().astype(np.int64) for one in (self._end, self._renter))
        attempts = np.ones(self._begun, dtype=np.int64)
        for later in self._later:
            place = later.place
            cost = numbers["cost"][place] + later.numbers["cost"]
            for name, value in later.numbers.items():
                numbers[name][place] = value
            numbers["cost"][place] = cost
            end[place], renter[place] = later.end, later.renter
            attempts[place] = max(attempts[place], later.number)
        return Calls(
            variant=variant,
            variants=tuple(variants),
            label=label,
            labels=tuple(labels),
            epoch=self._epoch.take().astype(np.int64),
            key=np.concatenate(self._keys) if self._keys else np.empty(0, dtype=np.uint64),
            overridden=self._overridden.take() > 0,
            end=end,
            attempts=attempts,
            numbers=numbers,
            renter=renter,
            rented=tuple(self._rented),
        )


def gather_calls(
    engine: Engine, experiment: str, window: Window, group_by: str, rented: Iterable[str]
) -> Generator[float, None, Calls]:
    """Return all calls that began within a window; yield how much of it is read, in [0, 1]."""
    gathering = _Gathering(rented)
    span = max(window.end - window.start, 1)
    for attempts in read_attempts(engine, experiment, window, group_by):
        gathering.take(attempts)
        yield (attempts.start[-1] - window.start) / span
    return gathering.finish()


def _number(value: float | None) -> float:
    return float("nan") if value is None else float(value)
