"""A model server that answers each prompt with the whole request, so that callers see what it got.

    python -m tests.proofs.parrot

A process of its own, as it answers thousands of calls beside the service; it prints its origin.
"""

import asyncio
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from ..stub import replies

THINKING = 0.01  # seconds
_ROOT = Path(__file__).parents[2]


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer the requests of one connection."""
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            lines = (line.partition(b":") for line in head.lower().split(b"\r\n"))
            length = next(int(value) for name, _, value in lines if name == b"content-length")
            await asyncio.sleep(THINKING)  # it plays a model, which takes its time
            asked = (await reader.readexactly(length)).decode()
            message = {"role": "assistant", "content": asked}
            body = replies.encode(replies.completion("parrot", message))
            writer.write(
                b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
                b"content-length: %d\r\n\r\n%b" % (len(body), body)
            )
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


@contextmanager
def parrot() -> Generator[str]:
    """Serve until the block ends; yield the origin."""
    command = [sys.executable, "-m", __name__]
    process = subprocess.Popen(command, cwd=_ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        url = process.stdout.readline().strip()
        assert url, "the parrot did not start"
        yield url
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


async def main() -> None:
    """Serve until killed."""
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
