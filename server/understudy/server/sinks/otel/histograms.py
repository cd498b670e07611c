"""The GenAI metrics: how many tokens, how long, how soon, added up since the start and bounded.

Cumulative, so that a delivery that gets lost takes nothing with it.
"""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field
from struct import Struct, pack
from threading import Lock
from typing import Final, TypeAlias

from understudy.server.domain.records import Record
from understudy.server.sinks.otel import names
from understudy.server.sinks.sending.protobuf import (
    attributes,
    double,
    fixed64,
    known_text,
    message,
    number,
    truth,
    utf8,
)

MOST_SERIES: Final = 2_000  # of each metric; what comes later is one series, named as such
_MICRO: Final = 1_000_000
_CUMULATIVE: Final = 2
_WORD: Final = Struct("<Q")

# Bounds as the conventions advise them.
_TOKENS: Final = tuple(float(4**power) for power in range(14))
_SECONDS: Final = tuple(0.01 * 2**power for power in range(14))
_SOON: Final = (
    0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
)  # fmt: skip

_Series: TypeAlias = tuple[tuple[str, str], ...]  # names and values of its attributes
_OVERFLOW: Final[_Series] = ()


@dataclass(slots=True)
class _Points:
    bounds: tuple[float, ...]
    counts: list[int] = field(init=False)
    total: float = 0.0
    least: float = float("inf")
    most: float = float("-inf")

    def __post_init__(self) -> None:
        self.counts = [0] * (len(self.bounds) + 1)

    def add(self, value: float) -> None:
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value
        self.least = min(self.least, value)
        self.most = max(self.most, value)


class Histogram:
    """One metric: a count of values for each series, by size."""

    def __init__(self, name: str, unit: str, bounds: tuple[float, ...]) -> None:
        self._head = message(1, utf8(name)) + message(3, utf8(unit))
        self._bounds = bounds
        self._series: dict[_Series, _Points] = {}

    def __bool__(self) -> bool:
        """Whether anything has been counted."""
        return bool(self._series)

    def add(self, series: _Series, value: float) -> None:
        """Count a value."""
        points = self._series.get(series)
        if points is None:
            if len(self._series) >= MOST_SERIES:
                series = _OVERFLOW
            points = self._series.setdefault(series, _Points(self._bounds))
        points.add(value)

    def write(self, started: int, now: int) -> bytes:
        """Return the metric as OTLP has it. Instants in nanoseconds since 1970."""
        points = [self._write_points(*one, started, now) for one in self._series.items()]
        return self._head + message(9, *points, number(2, _CUMULATIVE))

    def _write_points(self, series: _Series, points: _Points, started: int, now: int) -> bytes:
        pairs = [known_text(*one) for one in series] or [truth("otel.metric.overflow", True)]
        return message(
            1,
            fixed64(2, started),
            fixed64(3, now),
            fixed64(4, sum(points.counts)),
            double(5, points.total),
            message(6, b"".join(map(_WORD.pack, points.counts))),
            message(7, pack(f"<{len(points.bounds)}d", *points.bounds)),
            attributes(9, pairs),
            double(11, points.least),
            double(12, points.most),
        )


class Histograms:
    """All three metrics. Any thread may count, and any may write."""

    def __init__(self, started: int) -> None:
        """`started` is the instant since when they count, in nanoseconds since 1970."""
        self._started = started
        self._counting = Lock()
        self._tokens = Histogram("gen_ai.client.token.usage", "{token}", _TOKENS)
        self._durations = Histogram("gen_ai.client.operation.duration", "s", _SECONDS)
        self._first = Histogram("gen_ai.client.operation.time_to_first_chunk", "s", _SOON)

    def count(self, record: Record) -> None:
        """Count an upstream call, whether its span is sampled or not."""
        series = tuple(_series(record))
        with self._counting:
            self._durations.add(series, record.latency / _MICRO)
            if record.first_token is not None:
                self._first.add(series, record.first_token / _MICRO)
            if record.usage is not None:
                kinds = (*series, (names.TOKEN_TYPE, "input"))
                self._tokens.add(kinds, record.usage.prompt_tokens)
                kinds = (*series, (names.TOKEN_TYPE, "output"))
                self._tokens.add(kinds, record.usage.completion_tokens)

    def write(self, now: int) -> tuple[bytes, ...]:
        """Return the metrics as they stand, none as long as there is nothing to say."""
        with self._counting:
            kept = (self._tokens, self._durations, self._first)
            return tuple(one.write(self._started, now) for one in kept if one)


def _series(record: Record) -> Iterator[tuple[str, str]]:
    yield names.OPERATION, "chat"
    yield names.PROVIDER, names.name_provider(record.provider)
    yield names.REQUEST_MODEL, record.model
    if record.served_model:
        yield names.RESPONSE_MODEL, record.served_model
    if record.reason:
        yield names.ERROR_TYPE, record.reason
    yield "understudy.role", record.role
    yield "understudy.group", record.group
    if record.experiment:
        yield "understudy.experiment", record.experiment
        yield "understudy.variant", record.variant
