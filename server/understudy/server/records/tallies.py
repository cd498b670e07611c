"""What some calls add up to, and how that is written down. Pure."""

from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any, Final, TypeVar

import msgspec
from msgspec import Struct, field

from understudy.server.domain.figures import Measures
from understudy.server.domain.histograms import bucket, quantile
from understudy.server.domain.records import Record

# A provider may claim anything of a call, but it must not make sums that no column holds.
MOST_OF_ONE: Final = 10**12
MOST_OF_ALL: Final = 2**53

_BUCKETS: Final = msgspec.json.Decoder(list[dict[int, int]])
_REASONS: Final = msgspec.json.Decoder(list[dict[str, int]])

K = TypeVar("K")

SUMS: Final = (
    "calls",
    "prompt_tokens",
    "completion_tokens",
    "cached_tokens",
    "unmetered",
    "cost_nano_usd",
    "priced",
    "unpriced",
)
MAPS: Final = ("reasons", "latencies", "first_tokens")


class Tally(Struct):
    """What calls of one kind add up to."""

    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    unmetered: int = 0
    cost_nano_usd: int = 0
    priced: int = 0
    unpriced: int = 0
    reasons: dict[str, int] = field(default_factory=dict[str, int])
    latencies: dict[int, int] = field(default_factory=dict[int, int])
    first_tokens: dict[int, int] = field(default_factory=dict[int, int])
    requests: int = 0  # is not written down: it is the calls of one role

    def count(self, record: Record) -> None:
        """Count a call."""
        self.calls += 1
        if (usage := record.usage) is not None:
            self.prompt_tokens += _bounded(usage.prompt_tokens)
            self.completion_tokens += _bounded(usage.completion_tokens)
            if (details := usage.prompt_tokens_details) is not None:
                self.cached_tokens += _bounded(details.cached_tokens)
        if record.cost is not None:
            self.cost_nano_usd += _bounded(record.cost)
            self.priced += 1
        if record.reason:
            _one_more(self.reasons, record.reason)
            return
        self.unmetered += usage is None
        self.unpriced += record.cost is None
        _one_more(self.latencies, bucket(record.latency))
        if record.first_token is not None:
            _one_more(self.first_tokens, bucket(record.first_token))

    def add(self, other: "Tally") -> None:
        """Add what other calls add up to."""
        for name in SUMS:
            total: int = getattr(self, name) + getattr(other, name)
            setattr(self, name, min(total, MOST_OF_ALL))
        self.requests += other.requests
        _add(self.reasons, other.reasons)
        _add(self.latencies, other.latencies)
        _add(self.first_tokens, other.first_tokens)

    def measure(self, all_requests: int | None = None) -> Measures:
        """Return the figures, as a share of so many requests."""
        return Measures(
            calls=self.calls,
            requests=self.requests,
            reasons=self.reasons,
            prompt_tokens=self.prompt_tokens,
            completion_tokens=self.completion_tokens,
            cached_tokens=self.cached_tokens,
            unmetered=self.unmetered,
            cost=self.cost_nano_usd if self.priced else None,
            unpriced=self.unpriced,
            share=self.requests / all_requests if all_requests else None,
            timed=sum(self.latencies.values()),
            latency_p50=quantile(self.latencies, 0.5),
            latency_p95=quantile(self.latencies, 0.95),
            first_timed=sum(self.first_tokens.values()),
            first_token_p50=quantile(self.first_tokens, 0.5),
            first_token_p95=quantile(self.first_tokens, 0.95),
        )


def write_tally(tally: Tally) -> dict[str, object]:
    """Return a tally as columns."""
    row: dict[str, object] = {name: getattr(tally, name) for name in SUMS}
    row |= {name: msgspec.json.encode(getattr(tally, name)).decode() for name in MAPS}
    return row


def read_tally(requests: float, columns: Sequence[Any]) -> Tally:
    """Return a tally from its columns, `SUMS` and then `MAPS`.

    These may be of several rows: sums added up, and maps in a row, with commas between them.
    """
    sums, maps = columns[: len(SUMS)], columns[len(SUMS) :]
    reasons, latencies, first_tokens = (f"[{one}]" for one in maps)
    tally = Tally(
        reasons=_merge(_REASONS.decode(reasons)),
        latencies=_merge(_BUCKETS.decode(latencies)),
        first_tokens=_merge(_BUCKETS.decode(first_tokens)),
        requests=int(requests),
    )
    for name, value in zip(SUMS, sums, strict=True):
        setattr(tally, name, int(value))
    return tally


def _merge(parts: Sequence[dict[K, int]]) -> dict[K, int]:
    first, *others = parts
    for one in others:
        _add(first, one)
    return first


def _add(into: MutableMapping[K, int], counts: Mapping[K, int]) -> None:
    for key, count in counts.items():
        into[key] = into.get(key, 0) + count


def _bounded(value: int) -> int:
    return max(0, min(value, MOST_OF_ONE))


def _one_more(counts: MutableMapping[K, int], key: K) -> None:
    counts[key] = counts.get(key, 0) + 1
