"""One service, with and without a burden, in turn: the load that both get, and the verdict.

Open loop: calls are sent at fixed instants and timed from them, so that a stall is not hidden by
waiting for it. What the burden is, whoever measures decides.
"""

import asyncio
import itertools
import math
import random
import time
from bisect import bisect
from dataclasses import dataclass, field

import grpc

from benchmarks.load import METHOD

MOST_P99 = 2.0  # ms that the 99th percentile may grow by, or
MOST_P99_SHARE = 0.10  # this share of it, if that is more
MOST_P50 = 0.5  # ms that the median may grow by
CONFIDENCE = 0.95
_DRAWS = 20_000


@dataclass(slots=True)
class Side:
    """Latencies in seconds, without the `floor` that the model itself takes, and failures.

    `late` is how long after its instant each call was sent: the load's own fault.
    """

    floor: float = 0.0
    latencies: list[float] = field(default_factory=list[float])
    late: list[float] = field(default_factory=list[float])
    failures: int = 0

    def quantile(self, share: float) -> float:
        """Milliseconds."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1e3


@dataclass(frozen=True, slots=True)
class Difference:
    """How much more a quantile is with the burden, in milliseconds, and its bounds."""

    value: float
    low: float
    high: float

    def __neg__(self) -> "Difference":
        return Difference(-self.value, -self.high, -self.low)

    def __str__(self) -> str:
        return f"{self.value:+.2f} ({self.low:+.2f} … {self.high:+.2f})"


async def press(
    channel: grpc.aio.Channel, side: Side, seconds: float, rate: float, prompt: bytes
) -> None:
    """Send calls at fixed instants, however the ones before fare."""
    call: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(METHOD)
    begin = time.perf_counter()

    async def send(scheduled: float) -> None:
        await asyncio.sleep(max(0.0, scheduled - time.perf_counter()))
        side.late.append(max(0.0, time.perf_counter() - scheduled))
        try:
            await call(prompt, timeout=10)
            side.latencies.append(time.perf_counter() - scheduled - side.floor)
        except grpc.aio.AioRpcError:
            side.failures += 1

    await asyncio.gather(*(send(begin + at / rate) for at in range(int(seconds * rate))))


def compare(off: Side, on: Side, share: float, chance: random.Random) -> Difference:
    """Return how much a quantile differs.

    Which observation stands for a quantile is binomial: drawing its place on each side is the
    bootstrap of their difference, without resampling (Schultzberg & Ankargren, 2022).
    """
    fewer, more = _draw(off.latencies, share, chance), _draw(on.latencies, share, chance)
    drawn = sorted(one - other for one, other in zip(more, fewer, strict=True))
    tail = (1 - CONFIDENCE) / 2
    low, high = (drawn[int(at * (_DRAWS - 1))] for at in (tail, 1 - tail))
    return Difference(on.quantile(share) - off.quantile(share), low * 1e3, high * 1e3)


def judge(off: Side, on: Side, p50: Difference, p99: Difference) -> str:
    """Return `passes`, or why the burden is felt."""
    # A share of what the caller waits for, which the model's own time is part of.
    allowed = max(MOST_P99, MOST_P99_SHARE * (off.quantile(0.99) + off.floor * 1e3))
    faults: list[str] = []
    if p99.high > allowed:
        faults.append(f"p99 may be {p99.high:.2f} ms more, {allowed:.2f} are allowed")
    if p50.value > MOST_P50:
        faults.append(f"p50 is {p50.value:.2f} ms more, {MOST_P50} are allowed")
    if off.failures or on.failures:
        faults.append("calls failed")
    return "; ".join(faults) or "passes"


def _draw(latencies: list[float], share: float, chance: random.Random) -> list[float]:
    ordered, count = sorted(latencies), len(latencies)
    sums = list(itertools.accumulate(_binomial(count + 1, share)))
    places = (bisect(sums, chance.random() * sums[-1]) for _ in range(_DRAWS))
    return [ordered[min(max(place - 1, 0), count - 1)] for place in places]


def _binomial(count: int, share: float) -> list[float]:
    whole, odds = math.lgamma(count + 1), math.log(share) - math.log1p(-share)
    return [
        math.exp(
            whole
            - math.lgamma(at + 1)
            - math.lgamma(count - at + 1)
            + at * odds
            + count * math.log1p(-share)
        )
        for at in range(count + 1)
    ]
