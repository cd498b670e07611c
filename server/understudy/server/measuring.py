"""Reads how this process is, for metrics: its calls, mirror, seats, records, sinks and its loop.

The figures are those that GetStatus has, taken at the moment of the question. What they are
called is `sinks.metrics`; who asks is `metrics_side`, or the process that controls this one.
"""

import platform
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import version

from understudy.server.domain.deployment import Deployment, Snapshot
from understudy.server.engine import Engine
from understudy.server.gate import Standing
from understudy.server.metrics_side import write_reloads
from understudy.server.mirror.state import MirrorState, SilentState
from understudy.server.records import RecorderFigures
from understudy.server.reloading import Reloads
from understudy.server.routing.breaker import Circuit
from understudy.server.servicers.overload import Overload
from understudy.server.sinks.figures import SinkFigures
from understudy.server.sinks.metrics import CallMetrics, Heartbeat, Reading, families
from understudy.server.sinks.metrics.readings import Sample, read, sample
from understudy.server.sinks.metrics.vocabulary import MOST, OTHER, clean

_STATES = ("UNUSABLE", *Circuit)


@dataclass(frozen=True, slots=True)
class Measured:
    """An engine, and what counts beside it. `started` is in seconds since 1970."""

    engine: Engine
    calls: CallMetrics
    heartbeat: Heartbeat
    in_flight: Callable[[], int]
    overload: Overload
    max_queue: int
    started: float

    def read_known(self) -> Reading:
        """Return what can be read without the serving loop. From any thread."""
        samples = [
            sample(families.PROCESSES, 1),
            sample(families.START_TIME, round(self.started * families.MICRO)),
            sample(families.BUILD, 1, version("understudy"), platform.python_version()),
            sample(families.REFUSED, self.overload.refused),
            *_write_sinks(self.engine.sinks.figures),
        ]
        if (records := self.engine.records) is not None:
            samples += _write_recorder(records.recorder.figures)
        return self.calls.reading + self.heartbeat.reading + read(samples)

    def read(self) -> Reading:
        """Return all there is. On the serving loop."""
        engine = self.engine
        snapshot = engine.live.current
        samples = [
            sample(families.IN_FLIGHT, self.in_flight()),
            sample(families.WAIT, round(self.overload.wait * families.MICRO)),
            sample(families.MIRROR_SHARE, round(engine.yielding.share * families.MICRO)),
            sample(families.REVISION, snapshot.revision),
            sample(families.MIRROR_QUEUE_LIMIT, self.max_queue),
            *_write_deployments(snapshot, engine.gate.standing),
            *_write_mirror(engine.mirror.state),
        ]
        return self.read_known() + read(_add_up(samples))


class OwnFigures:
    """What a service that is one process answers scrapers from."""

    def __init__(
        self, measured: Measured, find_obstacle: Callable[[], str], reloads: Reloads
    ) -> None:
        self._measured = measured
        self._find_obstacle = find_obstacle
        self._reloads = reloads

    def read_known(self) -> Reading:
        """Return what can be read without the loop."""
        return self._measured.read_known()

    async def read(self) -> Reading:
        """Return all there is."""
        return self._measured.read() + write_reloads(self._reloads)

    async def find_obstacle(self) -> str:
        """Return why no requests are taken, or nothing if they are."""
        return self._find_obstacle()


def _write_deployments(snapshot: Snapshot, standing: Callable[[str], Standing]) -> Iterator[Sample]:
    deployments = [one for group in snapshot.groups.values() for one in group.deployments]
    for at, one in enumerate(deployments):
        names = (clean(one.group), clean(one.id)) if at < MOST else (OTHER, OTHER)
        yield from _write_deployment(one, standing(one.id), names)


def _write_deployment(
    one: Deployment, standing: Standing, names: tuple[str, str]
) -> Iterator[Sample]:
    yield sample(families.SEATS_TAKEN, standing.in_flight, *names)
    if one.max_parallel_requests is not None:
        yield sample(families.SEATS, one.max_parallel_requests, *names)
    now = "UNUSABLE" if one.unusable else standing.circuit
    for state in _STATES:
        yield sample(families.CIRCUITS, state == now, *names, state)


def _write_mirror(state: MirrorState) -> Iterator[Sample]:
    yield sample(families.MIRROR_QUEUED, state.queued)
    yield sample(families.MIRROR_QUEUED_BYTES, state.queued_bytes)
    yield sample(families.MIRROR_UNSETTLED, state.unsettled)
    for at, one in enumerate(state.silent_models):
        yield from _write_silent(one, clean(one.silent_model) if at < MOST else OTHER)


def _write_silent(one: SilentState, name: str) -> Iterator[Sample]:
    figures = one.figures
    yield sample(families.MIRROR_OFFERED, figures.offered, name)
    for family, counts in (
        (families.MIRROR_OUTCOMES, figures.outcomes),
        (families.MIRROR_SHED, figures.shed),
        (families.NOT_MIRRORED, figures.not_mirrored),
    ):
        for label, count in counts.items():
            yield sample(family, count, name, clean(label))
    yield sample(families.MIRROR_IN_FLIGHT, one.in_flight, name)
    yield sample(families.MIRROR_PAUSED, one.paused, name)
    for circuit in Circuit:
        yield sample(families.MIRROR_CIRCUITS, one.circuit is circuit, name, circuit)
    yield sample(families.MIRROR_SPENT, one.spent, name)
    yield sample(families.MIRROR_CAP, one.cap, name)


def _write_recorder(figures: RecorderFigures) -> list[Sample]:
    return [
        sample(families.RECORDER_WAITING, figures.waiting),
        sample(families.RECORDER_WRITTEN, figures.written),
        sample(families.RECORDER_DROPPED, figures.dropped),
        sample(families.RECORDER_AWAY, bool(figures.away)),
    ]


def _write_sinks(sinks: Iterable[SinkFigures]) -> Iterator[Sample]:
    for one in sinks:
        yield sample(families.SINK_WAITING, one.waiting, one.name)
        yield sample(families.SINK_SENT, one.sent, one.name)
        yield sample(families.SINK_DROPPED, one.dropped, one.name)
        yield sample(families.SINK_LAG, round(one.lag * families.MICRO), one.name)
        yield sample(families.SINK_AWAY, bool(one.away), one.name)


def _add_up(samples: Iterable[Sample]) -> Iterator[Sample]:
    """Yield one sample for each set of labels: names may have become the same."""
    sums: dict[tuple[str, tuple[str, ...]], int] = {}
    for one in samples:
        key = one.family, one.labels
        sums[key] = sums.get(key, 0) + one.value
    for (family, labels), value in sums.items():
        yield Sample(family, labels, value)
