"""Makes event loops: the quickest that there is. Who runs one where is not said here."""

import asyncio
import sys


def new_loop() -> asyncio.AbstractEventLoop:
    """Return uvloop's event loop, where there is one."""
    if sys.platform == "win32":
        return asyncio.new_event_loop()
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()
