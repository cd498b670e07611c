"""Prompts that keep coming while something goes wrong, and what became of them."""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import grpc

from ..service.asking import prompt
from .hosts import Line

RATE = 50.0  # prompts a second


@dataclass(slots=True)
class Figures:
    """How many prompts were answered, in how many seconds each, and what others were told."""

    seconds: list[float] = field(default_factory=list[float])
    failures: list[str] = field(default_factory=list[str])

    @property
    def slowest(self) -> float:
        """The longest that anybody waited."""
        return max(self.seconds)

    def quantile(self, share: float) -> float:
        """Return how long this share of all waited at most."""
        return sorted(self.seconds)[int(share * (len(self.seconds) - 1))]

    def __str__(self) -> str:
        return (
            f"{len(self.seconds)} completions, {len(self.failures)} failed, "
            f"p50 {self.quantile(0.5) * 1e3:.1f} ms, p99 {self.quantile(0.99) * 1e3:.1f} ms, "
            f"at most {self.slowest * 1e3:.0f} ms"
        )


@asynccontextmanager
async def load(at: Line) -> AsyncGenerator[Figures]:
    """Ask at a steady rate until the block ends, whether answers come or not.

    The model answers at once, so what a prompt takes is what the service's event loop makes it
    wait.
    """
    figures = Figures()
    asked: set[asyncio.Task[None]] = set()

    async def ask() -> None:
        started = time.monotonic()
        try:
            await at.completions.CreateCompletion(prompt(experiment="x"), timeout=20)
        except grpc.aio.AioRpcError as error:
            figures.failures.append(f"{error.code().name}: {error.details()}")
        figures.seconds.append(time.monotonic() - started)

    async def keep_asking() -> None:
        started, count = time.monotonic(), 0
        while True:
            count += 1
            # The rate that is meant, and not a wait for anything.
            await asyncio.sleep(max(0.0, started + count / RATE - time.monotonic()))
            asked.add(asyncio.create_task(ask()))

    asking = asyncio.create_task(keep_asking())
    try:
        yield figures
    finally:
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        await asyncio.gather(*asked)
