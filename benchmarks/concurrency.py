"""`make bench-concurrency`: many calls in flight, on a model that takes a second for each.

So many calls in flight could bring as many answers a second: that is the ideal. The relay over
the same transport shows how much of it the machine, and gRPC, let anybody have.
"""

import argparse
import asyncio
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Final

import grpc
import uvloop
from rich.console import Console

from benchmarks.keeping import Row, keep
from benchmarks.load import PROMPT, asking, memory
from benchmarks.speed import HTTPX, STATES, configure
from benchmarks.subjects import LOAD, SERVER, Subject, describe_machine, keep_to, serving, starting

MODEL_SECONDS: Final = 1.0
CONNECTIONS: Final = 8
RAMP: Final = 2.0  # seconds in which the calls begin, so that they do not come all at once
HEADS = ("in flight", "of the ideal", "of the relay", "p50 s", "p99 s", "kB each", "failed")


@dataclass(slots=True)
class Found:
    """What was found with so many in flight. Latencies are in seconds, sizes in MiB."""

    in_flight: int
    seconds: float
    latencies: list[float] = field(default_factory=list[float])
    failures: int = 0
    idle: float = 0.0
    busy: float = 0.0

    @property
    def share(self) -> float:
        """Of the ideal rate."""
        return len(self.latencies) / self.seconds / (self.in_flight / MODEL_SECONDS)

    @property
    def kilobytes(self) -> float:
        """Of memory for each call in flight."""
        return max(0.0, self.busy - self.idle) * 2**20 / 1000 / self.in_flight

    def quantile(self, share: float) -> float:
        """Seconds within which this share of the answers came."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def main() -> None:
    """Measure, print the table, and keep it if asked to."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--in-flight", type=int, action="append", help="[1000, 2000, 5000]")
    options.add_argument("--seconds", type=float, default=10.0, help="counted for each [10]")
    options.add_argument("--out", help="folder for the table, the plot and the raw samples")
    given = options.parse_args()
    console = Console(width=120)
    rows: list[Row] = []
    for in_flight in given.in_flight or (1000, 2000, 5000):
        relay = 0.0
        for name in (HTTPX, "understudy"):
            with console.status(f"{in_flight:,} in flight: {name}"):
                found = run(name, in_flight, given.seconds)
            relay = relay or found.share
            rows.append(tell(f"{name}, {in_flight:,}", found, relay))
    title = f"calls in flight on {CONNECTIONS} connections, {MODEL_SECONDS:.0f} s each"
    keep(console, "concurrency", title, describe_machine(), HEADS, rows, given.out)


def run(name: str, in_flight: int, seconds: float) -> Found:
    """Start one subject, and keep so many calls in flight."""
    with ExitStack() as stack:
        upstream = stack.enter_context(
            starting(["-m", "benchmarks.upstream", str(MODEL_SECONDS)], LOAD)
        )
        base = f"http://127.0.0.1:{upstream.port}"
        if name == HTTPX:
            arguments = ["-m", "benchmarks.floors", "httpx", base]
            subject = stack.enter_context(starting(arguments, SERVER, name))
        else:
            states = {one.name: one for one in STATES}
            config: Mapping[str, object] = configure(base, states["nothing on"])
            subject = stack.enter_context(serving(name, config))
        keep_to(LOAD)
        return uvloop.run(press(subject, in_flight, seconds))


async def press(subject: Subject, in_flight: int, seconds: float) -> Found:
    """Keep so many calls in flight for so long, once all have begun."""
    found = Found(in_flight, seconds)
    options = [("grpc.use_local_subchannel_pool", 1)]
    target = f"127.0.0.1:{subject.port}"
    channels = [grpc.aio.insecure_channel(target, options=options) for _ in range(CONNECTIONS)]
    asks = [asking(channel, stream=False) for channel in channels]
    await asyncio.gather(*(ask(PROMPT) for ask in asks))
    found.idle = memory(subject.pid)
    start = time.perf_counter()
    begin = start + RAMP + MODEL_SECONDS
    end = begin + seconds

    async def work(at: int) -> None:
        await asyncio.sleep(RAMP * at / in_flight)
        ask = asks[at % CONNECTIONS]
        while (started := time.perf_counter()) < end:
            try:
                await ask(PROMPT)
            except grpc.aio.AioRpcError:
                found.failures += 1
                await asyncio.sleep(0.1)  # or what is refused at once would be asked without end
                continue
            now = time.perf_counter()
            if begin <= now <= end:
                found.latencies.append(now - started)

    async def watch() -> None:
        while time.perf_counter() < end:
            found.busy = max(found.busy, memory(subject.pid))
            await asyncio.sleep(0.2)

    await asyncio.gather(watch(), *(work(at) for at in range(in_flight)))
    for channel in channels:
        await channel.close()
    return found


def tell(name: str, found: Found, relay: float) -> Row:
    """Return a row of the table."""
    figures = (
        f"{found.in_flight:,}",
        f"{found.share:.3f}",
        f"{found.share / relay:.3f}" if relay else "",
        f"{found.quantile(0.5):.2f}",
        f"{found.quantile(0.99):.2f}",
        f"{found.kilobytes:.0f}",
        str(found.failures),
    )
    return Row(name, figures, found.share, found.latencies)


if __name__ == "__main__":
    main()
