"""An upstream that reads a request and answers with whatever it is given, byte for byte."""

import asyncio
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress


@contextmanager
def babbling(babble: Callable[[], bytes]) -> Generator[str]:
    """Yield the origin of an upstream in a thread of its own that answers with `babble()`."""
    loop = asyncio.new_event_loop()
    over = asyncio.Event()
    origins: list[str] = []
    ready = threading.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            head = await reader.readuntil(b"\r\n\r\n")
            length = head.lower().partition(b"content-length:")[2].split(b"\r\n")[0]
            await reader.readexactly(int(length or 0))
            writer.write(babble())
            await writer.drain()
        writer.close()

    async def serve() -> None:
        async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
            origins.append(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
            ready.set()
            await over.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),), daemon=True)
    thread.start()
    try:
        assert ready.wait(timeout=5), "the upstream did not start"
        yield origins[0]
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join(timeout=5)
        loop.close()
