"""Answers questions about calls in the mass, from rollups. Blocks: ask in a thread."""

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeVar

from sqlalchemy import ColumnElement, Double, Engine, Select, case, cast, func, select, text

from understudy.server.database.asking import asking
from understudy.server.domain.figures import (
    OTHER,
    Dimension,
    Line,
    Measures,
    Scope,
    Series,
    Step,
    Total,
    Totals,
)
from understudy.server.domain.records import Role
from understudy.server.records.rollups import MINUTES_KEPT
from understudy.server.records.schema import rollups
from understudy.server.records.tallies import MAPS, SUMS, Tally, read_tally

MOST_LINES: Final = 20
MOST_POINTS: Final = 1500
LONGEST_BY_MINUTES: Final = 6 * Step.HOUR.value  # of a window that is added up
_READ_AT_ONCE: Final = 16  # points, after which the serving thread has its turn
_ALL_TIME: Final = 2**62  # microseconds
_AWAY: Final = "the figures cannot be read"

T = TypeVar("T")
Tallies = dict[int, Tally]  # by the instant that their span begins at


class Figures:
    """Adds up what was counted. Each method raises RefusedError if the store is away."""

    def __init__(self, engine: Engine, epoch: Callable[[], int]) -> None:
        self._engine = engine
        self._epoch = epoch

    def series(self, scope: Scope, step: Step, by: Dimension = Dimension.VARIANT) -> Series:
        """Return lines over time, one for each value of `by`; all beyond the busiest are one."""
        step = self._choose(scope, step)
        end = scope.end
        start = max(_floor(scope.start, step), _floor(end, step) - (MOST_POINTS - 1) * step.value)
        instants = tuple(range(start, end, step.value))
        lines: defaultdict[str, Tallies] = defaultdict(dict)
        requests: Counter[int] = Counter()
        source = _source(step)
        for instant, name, tally in self._read(scope, start, source, step.value, by):
            lines[name][instant] = tally
            requests[instant] += tally.requests
        shown = _keep_busiest(lines, _count_calls, _merge)
        return Series(
            step,
            instants,
            tuple(_draw(name, points, instants, requests) for name, points in shown),
        )

    def totals(self, scope: Scope, by: Dimension = Dimension.VARIANT) -> Totals:
        """Return what a window adds up to: all of it, and each value of `by`."""
        parts = self._total(scope, by)
        whole = Tally()
        for tally in parts.values():
            whole.add(tally)
        shown = _keep_busiest(parts, lambda tally: tally.calls, Tally.add)
        return Totals(
            whole.measure(whole.requests),
            tuple(Total(name, one.measure(whole.requests)) for name, one in shown),
        )

    def overview(self, start: int, end: int) -> Mapping[str, Measures]:
        """Return, by experiment, what a window adds up to; of those that were asked in it."""
        found = self._total(Scope(start=start, end=end), Dimension.EXPERIMENT)
        return {name: tally.measure() for name, tally in found.items() if name}

    def _total(self, scope: Scope, by: Dimension) -> dict[str, Tally]:
        is_short = scope.end - scope.start <= LONGEST_BY_MINUTES
        source = _source(self._choose(scope, Step.MINUTE if is_short else Step.HOUR))
        start = _floor(scope.start, source)
        return {name: one for _, name, one in self._read(scope, start, source, _ALL_TIME, by)}

    def _choose(self, scope: Scope, step: Step) -> Step:
        """Return the shortest step, not below the one wanted, that is kept and not too many."""
        kept_since = self._epoch() - MINUTES_KEPT
        for one in Step:
            if one.value < step.value or (one is not Step.DAY and _count(scope, one) > MOST_POINTS):
                continue
            if one.value >= Step.HOUR.value or _floor(scope.start, one) >= kept_since:
                return one
        return Step.DAY

    def _read(
        self, scope: Scope, start: int, source: Step, slot: int, by: Dimension
    ) -> Iterator[tuple[int, str, Tally]]:
        """Yield what calls add up to in spans of a length, which are `slot` microseconds.

        The database adds up and puts the histograms in a row: it does so beside the serving
        thread, and not in its place.
        """
        place = rollups.c.start_time - rollups.c.start_time % slot
        is_first = rollups.c.role == Role.PRIMARY.value
        statement: Select[*tuple[Any, ...]] = (
            select(
                place,
                rollups.c[by.value],
                _sum(case((is_first, rollups.c.calls), else_=0)),
                *(_sum(rollups.c[name]) for name in SUMS),
                *(func.aggregate_strings(rollups.c[name], ",") for name in MAPS),
            )
            .where(
                rollups.c.span == source.value,
                rollups.c.start_time >= start,
                rollups.c.start_time < scope.end,
                *_conditions(scope),
            )
            .group_by(text("1"), text("2"))
        )
        with asking(self._engine, _AWAY) as connection:
            for count, row in enumerate(connection.execute(statement), 1):
                yield row[0], str(row[1]), read_tally(row[2], row[3:])
                if count % _READ_AT_ONCE == 0:
                    time.sleep(0)


def _sum(column: ColumnElement[int]) -> ColumnElement[float]:
    # Of numbers that cannot run over, and are exact as far as anybody counts.
    return func.sum(cast(column, Double))


def _conditions(scope: Scope) -> Iterator[ColumnElement[bool]]:
    for value, column in (
        (scope.experiment, rollups.c.experiment),
        (scope.variant, rollups.c.variant),
        (scope.epoch, rollups.c.epoch),
        (scope.group, rollups.c.model_group),
        (scope.deployment, rollups.c.deployment),
    ):
        if value is not None:
            yield column == value
    yield rollups.c.role.in_(sorted(scope.roles))


def _keep_busiest(
    all_of_them: Mapping[str, T], calls: Callable[[T], int], merge: Callable[[T, T], None]
) -> list[tuple[str, T]]:
    """Return the busiest, and what all others add up to after them."""
    ordered = sorted(all_of_them.items(), key=lambda one: (-calls(one[1]), one[0]))
    shown, rest = ordered[:MOST_LINES], [one for _, one in ordered[MOST_LINES:]]
    if not rest:
        return shown
    others = dict(shown).get(OTHER)
    if others is None:
        others = rest.pop()
        shown.append((OTHER, others))
    for one in rest:
        merge(others, one)
    return shown


def _draw(name: str, points: Tallies, instants: Sequence[int], requests: Counter[int]) -> Line:
    measures = (
        points[one].measure(requests[one]) if one in points else None  # a gap is no zero
        for one in instants
    )
    return Line(name, tuple(measures))


def _merge(into: Tallies, points: Tallies) -> None:
    for instant, tally in points.items():
        total = into.setdefault(instant, tally)
        if total is not tally:
            total.add(tally)


def _count_calls(points: Tallies) -> int:
    return sum(one.calls for one in points.values())


def _source(step: Step) -> Step:
    """Return the rows that a step is made of."""
    return Step.MINUTE if step.value < Step.HOUR.value else Step.HOUR


def _floor(instant: int, step: Step) -> int:
    return instant - instant % step.value


def _count(scope: Scope, step: Step) -> int:
    return (scope.end - _floor(scope.start, step)) // step.value
