"""A model on loopback whose answers follow from the prompt, and whose delays follow a law."""

import asyncio
import json
import random
from hashlib import sha256
from types import TracebackType
from typing import Self

from ..stub.replies import completion, encode

_WORDS = ["the", "quick", "brown", "fox", "jumps", "over", "a", "lazy", "dog", "at", "noon"]


class LawfulModel:
    """Answers after lognormal delays, of which `delays` has those that came to pass, in seconds.

    `variety` is how many different words its answer to a prompt begins with.
    """

    def __init__(self, name: str, median: float, spread: float, variety: int, seed: int) -> None:
        self._name = name
        self._median, self._spread = median, spread
        self._variety = variety
        self._draw = random.Random(seed)
        self._server: asyncio.Server | None = None
        self.delays: list[float] = []
        self.url = ""

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=512)
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
        now = asyncio.get_running_loop().time
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                begun = now()
                length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
                prompt = json.loads(await reader.readexactly(length))["messages"][-1]["content"]
                await asyncio.sleep(self._median * self._draw.lognormvariate(0, self._spread))
                body = self._answer(prompt)
                writer.write(
                    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
                    b"content-length: %d\r\n\r\n%b" % (len(body), body)
                )
                self.delays.append(now() - begun)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def _answer(self, prompt: str) -> bytes:
        drawn = sha256(prompt.encode()).digest()
        words = _WORDS[drawn[0] % self._variety : drawn[1] % 5 + 5]
        message = {"role": "assistant", "content": " ".join(words)}
        return encode(completion(self._name, message, prompt=prompt))
