"""A stand-in for whatever hears of calls: takes every request and answers 200, or makes it wait.

Run as `python -m benchmarks.receiver [SECONDS]`; it prints its port. What is sent is read and
thrown away: what receivers do with it is their own affair.
"""

import asyncio
import sys

ANSWER = (
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
    b'etag: "00000000000000000000000000000000"\r\ncontent-length: 2\r\n\r\n{}'
)


async def answer(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seconds: float
) -> None:
    """Answer each request of a connection."""
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            at = head.find(b"content-length:")
            if at >= 0:
                await reader.readexactly(int(head[at + 15 : head.index(b"\r\n", at)]))
            await asyncio.sleep(seconds)
            writer.write(ANSWER)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def serve(seconds: float) -> None:
    """Answer until killed."""
    server = await asyncio.start_server(
        lambda reader, writer: answer(reader, writer, seconds), "127.0.0.1", 0, limit=1 << 20
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(float(sys.argv[1]) if len(sys.argv) > 1 else 0.0))
