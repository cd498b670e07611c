"""Looks at how late the event loop that answers callers is, so that the mirror yields to them."""

import asyncio
import time
from collections.abc import Callable
from typing import Final

from understudy.server.routing.yielding import Yielding

EVERY: Final = 0.02  # seconds


async def beat(yielding: Yielding, clock: Callable[[], float] = time.monotonic) -> None:
    """Look until cancelled. A loop's own time stands still while it is busy: hence `clock`."""
    while True:
        due = clock() + EVERY
        await asyncio.sleep(EVERY)
        now = clock()
        yielding.note(now, now - due)
