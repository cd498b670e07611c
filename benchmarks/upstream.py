"""A model that answers at once, or after a while, always the same, and does no more than it must.

A whole answer is one packet, and so are the events of a streamed one: what it costs to take them
apart is the server's. Run as `python -m benchmarks.upstream [SECONDS [REPEATS]]`, REPEATS being
how long the answer is; it prints its port. It is the floor under everything else.
"""

import asyncio
import json
import sys
from typing import Final, cast

PIECES: Final = 32  # of a streamed answer


def write_reply(repeats: int) -> bytes:
    """Return a whole answer of so many times the same five words, with its head."""
    reply = json.dumps(
        {
            "id": "chatcmpl-benchmark",
            "object": "chat.completion",
            "created": 1_700_000_000,
            "model": "benchmark-model",
            "choices": [
                {
                    "index": 0,
                    "message": {
                        "role": "assistant",
                        "content": "Forty-two, give or take. " * repeats,
                    },
                    "finish_reason": "stop",
                }
            ],
            "usage": {"prompt_tokens": 21, "completion_tokens": 56, "total_tokens": 77},
        }
    ).encode()
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
    return head % len(reply) + reply


def write_events() -> bytes:
    """Return a streamed answer."""
    events = b""
    for at in range(PIECES):
        last = at == PIECES - 1
        chunk = {
            "id": "chatcmpl-benchmark",
            "object": "chat.completion.chunk",
            "created": 1_700_000_000,
            "model": "benchmark-model",
            "choices": [
                {
                    "index": 0,
                    "delta": {"content": "Forty-two, "} if at else {"role": "assistant"},
                    "finish_reason": "stop" if last else None,
                }
            ],
        }
        events += b"data: " + json.dumps(chunk).encode() + b"\n\n"
    return events + b"data: [DONE]\n\n"


EVENTS = write_events()
STREAM = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: %d\r\n\r\n"
    % len(EVENTS)
) + EVENTS


class Answering(asyncio.Protocol):
    """Counts out requests by their content length and answers each, `seconds` later."""

    def __init__(self, seconds: float, packet: bytes) -> None:
        self._seconds = seconds
        self._packet = packet
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
            packet = STREAM if b'"stream":true' in held[head:end] else self._packet
            held = held[end:]
            if self._seconds:
                asyncio.get_running_loop().call_later(self._seconds, self._transport.write, packet)
            else:
                self._transport.write(packet)
        self._held = held


async def serve(seconds: float = 0.0, repeats: int = 8) -> None:
    """Answer until killed."""
    packet = write_reply(repeats)
    server = await asyncio.get_running_loop().create_server(
        lambda: Answering(seconds, packet), "127.0.0.1", 0, backlog=8192
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    import uvloop

    given = [float(one) for one in sys.argv[1:]]
    uvloop.run(serve(given[0] if given else 0.0, int(given[1]) if given[1:] else 8))
