"""Looks four times a second at how late an event loop is, and when it last was there at all."""

import asyncio
import time
from collections.abc import Callable
from typing import Final

from understudy.server.sinks.metrics.families import LOOP_DELAY
from understudy.server.sinks.metrics.readings import Reading
from understudy.server.sinks.metrics.tallies import Histogram

EVERY: Final = 0.25  # seconds


class Heartbeat:
    """The heartbeat of one loop; its thread writes, any other may read."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._delays = Histogram(LOOP_DELAY)
        self._last = clock()

    async def run(self) -> None:
        """Beat until cancelled."""
        while True:
            due = self._clock() + EVERY
            await asyncio.sleep(EVERY)
            self.beat(due)

    def beat(self, due: float) -> None:
        """Note that the loop is here, and that it should have been at `due`."""
        self._last = now = self._clock()
        self._delays.observe(round((now - due) * LOOP_DELAY.parts))

    @property
    def silence(self) -> float:
        """For how many seconds the loop has been overdue; 0 while it is not."""
        return max(0.0, self._clock() - self._last - EVERY)

    @property
    def reading(self) -> Reading:
        """What was seen so far."""
        return Reading(spreads=(self._delays.spread(()),))
