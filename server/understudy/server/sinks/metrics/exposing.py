"""Writes readings in the formats that Prometheus reads: its own text, and OpenMetrics."""

from collections.abc import Callable, Iterator
from itertools import accumulate
from typing import Final, cast

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector, CollectorRegistry

from understudy.server.sinks.metrics.families import FAMILIES, Family, Kind
from understudy.server.sinks.metrics.readings import Reading, Sample, Spread

_OPENMETRICS: Final = "application/openmetrics-text"
_WRITE_OPENMETRICS: Final = cast(  # which has no annotations
    "Callable[[CollectorRegistry], bytes]",
    openmetrics.generate_latest,  # pyright: ignore[reportUnknownMemberType]
)


def expose(reading: Reading, accept: str = "") -> tuple[str, bytes]:
    """Return a content type and the text, of the format that an `Accept` header asks for."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Once(reading))
    if _OPENMETRICS in accept:
        return openmetrics.CONTENT_TYPE_LATEST, _WRITE_OPENMETRICS(registry)
    return CONTENT_TYPE_PLAIN_0_0_4, generate_latest(registry)


class _Once(Collector):
    def __init__(self, reading: Reading) -> None:
        self._samples: dict[str, list[Sample]] = {}
        self._spreads: dict[str, list[Spread]] = {}
        for one in reading.samples:
            self._samples.setdefault(one.family, []).append(one)
        for spread in reading.spreads:
            self._spreads.setdefault(spread.family, []).append(spread)

    def describe(self) -> list[Metric]:
        """Return nothing: what there is, is said by `collect`."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield each metric of which there is something to say."""
        for family in FAMILIES:
            samples = self._samples.get(family.name)
            spreads = self._spreads.get(family.name)
            if spreads is not None:
                yield _write_spreads(family, spreads)
            elif samples is not None:
                yield _write_samples(family, samples)


def _write_samples(family: Family, samples: list[Sample]) -> Metric:
    kind = CounterMetricFamily if family.kind is Kind.COUNTER else GaugeMetricFamily
    metric = kind(family.name, family.help, labels=family.labels, unit=family.unit)
    for one in samples:
        metric.add_metric(one.labels, one.value / family.parts)
    return metric


def _write_spreads(family: Family, spreads: list[Spread]) -> Metric:
    metric = HistogramMetricFamily(family.name, family.help, labels=family.labels, unit=family.unit)
    bounds = [*map(str, family.bounds), "+Inf"]
    for one in spreads:
        counts = zip(bounds, map(float, accumulate(one.counts)), strict=True)
        metric.add_metric(one.labels, list(counts), one.total / family.parts)
    return metric
