"""The sink: what is told of calls and requests becomes counts and times, by bounded labels.

No text of a call comes here, and neither do the names of callers, users or keys.
"""

from collections.abc import Callable, Iterator, Sequence
from threading import Lock
from typing import Final, TypeVar

from understudy.server.domain.deployment import Snapshot
from understudy.server.domain.feedback import Feedback
from understudy.server.domain.records import Record
from understudy.server.domain.tellings import Answered, CopyEnded, Generation, Telling
from understudy.server.sinks.metrics import families
from understudy.server.sinks.metrics.readings import Labels, Reading, Sample, Spread, sample
from understudy.server.sinks.metrics.tallies import Histogram
from understudy.server.sinks.metrics.vocabulary import OTHER, Vocabulary, clean

MOST_SETS: Final = 500  # sets of labels of requests, and of calls; then `other`
_LARGEST: Final = 2**53  # of one call's tokens: what a provider says is not to be believed blindly

_Cell = TypeVar("_Cell")


class _Requests:
    """What requests with the same labels come to."""

    __slots__ = ("errors", "first", "latency")

    def __init__(self) -> None:
        self.errors: dict[str, int] = {}
        self.latency = Histogram(families.REQUEST_DURATION)
        self.first: Histogram | None = None

    def add(self, answered: Answered) -> None:
        self.latency.observe(answered.ended - answered.started)
        if answered.first_token is not None:
            if self.first is None:
                self.first = Histogram(families.REQUEST_FIRST_TOKEN)
            self.first.observe(answered.first_token)
        if answered.reason:
            self.errors[answered.reason] = self.errors.get(answered.reason, 0) + 1

    def samples(self, labels: Labels) -> Iterator[Sample]:
        yield sample(families.REQUESTS, self.latency.count, *labels)
        for reason, count in self.errors.items():
            yield sample(families.REQUEST_ERRORS, count, *labels, clean(reason))

    def spreads(self, labels: Labels) -> Iterator[Spread]:
        yield self.latency.spread(labels)
        if self.first is not None:
            yield self.first.spread(labels)


class _Calls:
    """What upstream calls with the same labels come to. Costs are in 10^-9 US dollars."""

    __slots__ = (
        "cached", "cost", "errors", "first", "input", "latency", "output", "reasoning",
        "unmetered", "unpriced",
    )  # fmt: skip

    def __init__(self) -> None:
        self.errors: dict[str, int] = {}
        self.latency = Histogram(families.CALL_DURATION)
        self.first: Histogram | None = None
        self.input = self.output = self.cached = self.reasoning = 0
        self.unmetered = self.cost = self.unpriced = 0

    def add(self, record: Record) -> None:
        self.latency.observe(record.latency)
        if record.first_token is not None:
            if self.first is None:
                self.first = Histogram(families.CALL_FIRST_TOKEN)
            self.first.observe(record.first_token)
        if record.reason:
            self.errors[record.reason] = self.errors.get(record.reason, 0) + 1
        usage = record.usage
        if usage is None:
            self.unmetered += 1
        else:
            self.input += _bounded(usage.prompt_tokens)
            self.output += _bounded(usage.completion_tokens)
            if usage.prompt_tokens_details is not None:
                self.cached += _bounded(usage.prompt_tokens_details.cached_tokens)
            if usage.completion_tokens_details is not None:
                self.reasoning += _bounded(usage.completion_tokens_details.reasoning_tokens)
        if record.cost is None:
            self.unpriced += 1
        else:
            self.cost += max(record.cost, 0)

    def samples(self, labels: Labels) -> Iterator[Sample]:
        yield sample(families.CALLS, self.latency.count, *labels)
        for reason, count in self.errors.items():
            yield sample(families.CALL_ERRORS, count, *labels, clean(reason))
        yield sample(families.TOKENS, self.input, *labels, "input")
        yield sample(families.TOKENS, self.output, *labels, "output")
        yield sample(families.CACHED_TOKENS, self.cached, *labels)
        yield sample(families.REASONING_TOKENS, self.reasoning, *labels)
        yield sample(families.UNMETERED, self.unmetered, *labels)
        yield sample(families.COST, self.cost, *labels)
        yield sample(families.UNPRICED, self.unpriced, *labels)

    def spreads(self, labels: Labels) -> Iterator[Spread]:
        yield self.latency.spread(labels)
        if self.first is not None:
            yield self.first.spread(labels)


class CallMetrics:
    """A sink that counts. Told in one thread, read in any.

    `snapshot` returns the configuration in use, whose names alone become label values.
    """

    def __init__(self, snapshot: Callable[[], Snapshot]) -> None:
        self._vocabulary = Vocabulary(snapshot)
        self._lock = Lock()
        self._requests: dict[Labels, _Requests] = {}
        self._calls: dict[Labels, _Calls] = {}
        self._feedback = 0

    def follow(self, snapshot: Callable[[], Snapshot]) -> None:
        """Take names from this configuration from now on."""
        self._vocabulary.snapshot = snapshot

    def tell(self, tellings: Sequence[Telling]) -> None:
        """Count what has happened. A scrape sees all of it, or nothing."""
        with self._lock:
            for one in tellings:
                match one:
                    case Generation():
                        self._find_calls(one.record).add(one.record)
                    case Answered():
                        self._find_requests(one).add(one)
                    case Feedback():
                        self._feedback += 1
                    case CopyEnded():
                        pass  # the mirror's own ledger tells of these, also of what found no room

    def close(self, timeout: float) -> None:
        """Nothing is left to hand on: who wants the figures comes for them."""

    @property
    def reading(self) -> Reading:
        """What was counted so far."""
        with self._lock:
            cells: list[tuple[Labels, _Requests | _Calls]] = [
                *self._requests.items(),
                *self._calls.items(),
            ]
            samples = [one for labels, cell in cells for one in cell.samples(labels)]
            spreads = [one for labels, cell in cells for one in cell.spreads(labels)]
            samples.append(sample(families.FEEDBACK, self._feedback))
        return Reading(tuple(samples), tuple(spreads))

    def _find_requests(self, answered: Answered) -> _Requests:
        known = self._vocabulary
        labels = (
            known.group(answered.group),
            known.experiment(answered.experiment),
            known.variant(answered.experiment, answered.variant),
        )
        return _find(self._requests, labels, _Requests)

    def _find_calls(self, record: Record) -> _Calls:
        known = self._vocabulary
        labels = (
            known.group(record.group),
            known.deployment(record.group, record.deployment),
            known.experiment(record.experiment),
            known.variant(record.experiment, record.variant),
            record.role.value,
        )
        return _find(self._calls, labels, _Calls)


def _find(cells: dict[Labels, _Cell], labels: Labels, make: Callable[[], _Cell]) -> _Cell:
    found = cells.get(labels)
    if found is None:
        if len(cells) >= MOST_SETS:
            labels = (OTHER,) * len(labels)
        found = cells.setdefault(labels, make())
    return found


def _bounded(count: int) -> int:
    return min(max(count, 0), _LARGEST)
