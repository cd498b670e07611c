"""Asks workers for their metrics, and adds them up: what one that died had counted stays.

It asks at each scrape, and between scrapes now and then, so that of a worker that is killed
little is lost.
"""

import asyncio
import time
from collections.abc import Callable, Collection
from typing import Final

from understudy.server.metrics_side import write_reloads
from understudy.server.processes.link import LinkError
from understudy.server.reloading import Reloads
from understudy.server.sinks.metrics import Reading, Summing, families
from understudy.server.sinks.metrics.readings import read, sample
from understudy.server.workers.child import Child, FaultyError
from understudy.server.workers.messages import Count, Counted

EVERY: Final = 1.0  # seconds between questions that no scrape asks
_WITHIN: Final = 1.0  # seconds for an answer; without one, the last counts


class Counting:
    """The metrics of all workers. `serving` returns those that take calls, `wanted` how many."""

    def __init__(self, serving: Callable[[], Collection[Child]], wanted: int) -> None:
        self._serving = serving
        self._summing: Summing[Child | None] = Summing()
        own = (
            sample(families.WORKERS, wanted),
            sample(families.START_TIME, round(time.time() * families.MICRO)),
        )
        self._summing.put(None, read(own))
        self._total = self._summing.total

    async def run(self) -> None:
        """Ask now and then, until cancelled."""
        while True:
            await asyncio.sleep(EVERY)
            await self.ask()

    async def ask(self) -> None:
        """Have the latest figures of those that answer."""
        await asyncio.gather(*(self._ask(one) for one in tuple(self._serving())))

    def retire(self, child: Child) -> None:
        """Keep what a worker that has ended had counted."""
        self._summing.retire(child)

    async def read(self) -> Reading:
        """Return what all have counted together, as of now."""
        await self.ask()
        self._total = self._summing.total
        return self._total

    def read_known(self) -> Reading:
        """Return what was read last. From any thread."""
        return self._total

    async def _ask(self, child: Child) -> None:
        try:
            answer = await child.ask(Count(), _WITHIN)
        except (LinkError, TimeoutError, FaultyError):
            return  # whether it has to go, those find out who must be answered
        # One that has ended since is counted already.
        if isinstance(answer, Counted) and not child.ended.done():
            self._summing.put(child, answer.reading)


class FleetFigures:
    """What a service of several processes answers scrapers from."""

    def __init__(
        self, counting: Counting, find_obstacle: Callable[[], str], reloads: Reloads
    ) -> None:
        self._counting = counting
        self._find_obstacle = find_obstacle
        self._reloads = reloads

    def read_known(self) -> Reading:
        """Return what was read last."""
        return self._counting.read_known()

    async def read(self) -> Reading:
        """Return what all have counted together."""
        return await self._counting.read() + write_reloads(self._reloads)

    async def find_obstacle(self) -> str:
        """Return why no calls are taken, or nothing if they are."""
        return self._find_obstacle()
