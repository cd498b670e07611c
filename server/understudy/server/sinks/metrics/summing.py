"""Adds up what several processes say. What one that has gone had counted stays counted."""

from collections.abc import Hashable, Iterable
from typing import Final, Generic, TypeVar

from understudy.server.sinks.metrics.families import BY_NAME, Family, Kind, Merging
from understudy.server.sinks.metrics.readings import Labels, Reading, Sample, Spread
from understudy.server.sinks.metrics.vocabulary import OTHER

MOST_SETS: Final = 4_000  # sets of labels of one family, over all processes; then `other`

_Source = TypeVar("_Source", bound=Hashable)


class Summing(Generic[_Source]):
    """The last reading of each process. For one thread."""

    def __init__(self) -> None:
        self._known: dict[_Source, Reading] = {}
        self._gone = Reading()
        self._sets: dict[str, set[Labels]] = {}

    def put(self, source: _Source, reading: Reading) -> None:
        """Take what a process says now, in the place of what it said before."""
        self._known[source] = reading

    def retire(self, source: _Source) -> None:
        """Keep what a process that has gone had counted, and forget how it was."""
        last = self._known.pop(source, None)
        if last is not None:
            kept = tuple(one for one in last.samples if BY_NAME[one.family].kind is Kind.COUNTER)
            self._gone = self._add((self._gone, Reading(kept, last.spreads)))

    @property
    def total(self) -> Reading:
        """What all say together."""
        return self._add((self._gone, *self._known.values()))

    def _add(self, readings: Iterable[Reading]) -> Reading:
        samples: dict[tuple[str, Labels], int] = {}
        spreads: dict[tuple[str, Labels], Spread] = {}
        for reading in readings:
            for one in reading.samples:
                key = one.family, self._bound(one.family, one.labels)
                before = samples.get(key)
                value = one.value
                samples[key] = value if before is None else _merge(BY_NAME[key[0]], before, value)
            for spread in reading.spreads:
                key = spread.family, self._bound(spread.family, spread.labels)
                spreads[key] = _join(spreads.get(key), spread, key[1])
        return Reading(
            tuple(Sample(*key, value) for key, value in samples.items()), tuple(spreads.values())
        )

    def _bound(self, family: str, labels: Labels) -> Labels:
        sets = self._sets.setdefault(family, set())
        if labels in sets:
            return labels
        if len(sets) >= MOST_SETS:
            return (OTHER,) * len(labels)
        sets.add(labels)
        return labels


def _merge(family: Family, one: int, other: int) -> int:
    match family.merging:
        case Merging.SUM:
            return one + other
        case Merging.MOST:
            return max(one, other)
        case Merging.LEAST:
            return min(one, other)


def _join(before: Spread | None, more: Spread, labels: Labels) -> Spread:
    if before is None:
        return Spread(more.family, labels, more.counts, more.total)
    counts = tuple(one + other for one, other in zip(before.counts, more.counts, strict=True))
    return Spread(more.family, labels, counts, before.total + more.total)
