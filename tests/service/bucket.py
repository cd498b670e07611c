"""A provider with one bucket of calls for everybody who shares a key, and headers that say so."""

import asyncio
import time
from types import TracebackType
from typing import Self

from ..stub.replies import completion, encode, error


class Bucket:
    """Answers while there are tokens, else 429. `refused` counts by the model asked for."""

    def __init__(self, size: float, refill: float) -> None:
        self._size = size
        self._refill = refill  # tokens a second
        self._tokens = size
        self._filled = time.monotonic()
        self.asked: dict[str, int] = {}
        self.refused: dict[str, int] = {}
        self.url = ""
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        failure: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
                body = await reader.readexactly(length)
                model = "silent" if b'"silent"' in body else "primary"
                writer.write(self._answer(model))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def _answer(self, model: str) -> bytes:
        now = time.monotonic()
        self._tokens = min(self._size, self._tokens + (now - self._filled) * self._refill)
        self._filled = now
        self.asked[model] = self.asked.get(model, 0) + 1
        if self._tokens >= 1:
            self._tokens -= 1
            status = b"200 OK"
            body = encode(
                completion(
                    model,
                    {"role": "assistant", "content": "yes"},
                    prompt="hi",
                    finish_reason="stop",
                )
            )
        else:
            self.refused[model] = self.refused.get(model, 0) + 1
            status = b"429 Too Many Requests"
            body = encode(error("slow down", kind="rate_limit", code=None))
        left = int(self._tokens)
        return (
            b"HTTP/1.1 %b\r\ncontent-type: application/json\r\ncontent-length: %d\r\n"
            b"x-ratelimit-limit-requests: %d\r\nx-ratelimit-remaining-requests: %d\r\n"
            b"x-ratelimit-reset-requests: %dms\r\n\r\n%b"
            % (status, len(body), int(self._size), left, 1000 / self._refill, body)
        )
