"""Waiting in tests: until something holds, and no longer than a deadline."""

import asyncio
import time
from collections.abc import Callable

_INTERVAL = 0.002


async def eventually(holds: Callable[[], object], *, within: float = 2.0) -> None:
    """Return once `holds()` is true; fail after `within` seconds."""
    deadline = time.monotonic() + within
    while not holds():
        assert time.monotonic() < deadline, f"not within {within} s"
        await asyncio.sleep(_INTERVAL)


def eventually_sync(holds: Callable[[], object], *, within: float = 2.0) -> None:
    """Return once `holds()` is true; fail after `within` seconds. Blocks the thread."""
    deadline = time.monotonic() + within
    while not holds():
        assert time.monotonic() < deadline, f"not within {within} s"
        time.sleep(_INTERVAL)
