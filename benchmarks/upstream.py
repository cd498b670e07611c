"""A model that answers at once, always the same: one packet, no parsing beyond the framing.

Run as `python -m benchmarks.upstream`; it prints its port. It is the floor under everything else.
"""

import asyncio
import json
from typing import cast

REPLY = json.dumps(
    {
        "id": "chatcmpl-benchmark",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": "benchmark-model",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Forty-two, give or take. " * 8},
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 21, "completion_tokens": 56, "total_tokens": 77},
    }
).encode()
PACKET = (
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(REPLY)
) + REPLY


class Answering(asyncio.Protocol):
    """Counts out requests by their content length and answers each."""

    def __init__(self) -> None:
        self._held = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back. asyncio sets TCP_NODELAY by itself."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is no subclass of it

    def data_received(self, data: bytes) -> None:
        """Answer each request that is complete."""
        assert self._transport is not None
        held = self._held + data
        while (head := held.find(b"\r\n\r\n")) >= 0:
            at = held.lower().find(b"content-length:", 0, head)
            length = int(held[at + 15 : held.find(b"\r\n", at)]) if at >= 0 else 0
            end = head + 4 + length
            if len(held) < end:
                break
            held = held[end:]
            self._transport.write(PACKET)
        self._held = held


async def serve() -> None:
    """Answer until killed."""
    server = await asyncio.get_running_loop().create_server(Answering, "127.0.0.1", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    import uvloop

    uvloop.run(serve())
