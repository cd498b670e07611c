"""The stub beside a test: in a thread with a loop of its own, or in a process of its own.

A thread for tests that block; a process for load, so that the stub does not share the interpreter
lock with what it is asked by.
"""

import asyncio
import subprocess
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from .faultstub import FaultStub

_ROOT = Path(__file__).parents[2]


@contextmanager
def stub_thread(stub: FaultStub) -> Generator[FaultStub]:
    """Serve with the given stub in a thread; read what it saw from any other."""
    loop = asyncio.new_event_loop()
    ready = threading.Event()
    over = asyncio.Event()

    async def serve() -> None:
        async with stub:
            ready.set()
            await over.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),), daemon=True)
    thread.start()
    try:
        assert ready.wait(timeout=5), "the stub did not start"
        yield stub
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join(timeout=5)
        loop.close()


@contextmanager
def stub_process(*options: str, port: int = 0) -> Generator[str]:
    """Serve in another process, and yield the origin. `options` are those of `tests.stub`."""
    command = [sys.executable, "-m", "tests.stub", f"--port={port}", *options]
    process = subprocess.Popen(command, cwd=_ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        url = process.stdout.readline().strip()
        assert url, "the stub did not start"
        yield url
    finally:
        process.terminate()
        process.wait(timeout=5)
        process.stdout.close()
