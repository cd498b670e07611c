"""A loopback server that behaves as one provider documents: what all such servers share.

Each provider's server subclasses `Faithful`, checks a request as strictly as the provider does
(its path, its credential, the names and types of every field) and tells `told` in the provider's
own words, whole or streamed. What is asked and what must come of it stands in `test_contract`.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from aiohttp import web


@dataclass(frozen=True, slots=True)
class Called:
    """A tool call; `arguments` is JSON text."""

    name: str
    arguments: str
    id: str = "call_1"


@dataclass(frozen=True, slots=True)
class Told:
    """What the model answers. A server leaves out what its provider has no words for.

    `finish` is one of OpenAI's words: stop, length, tool_calls, content_filter.
    """

    text: str = "Hello there."
    calls: tuple[Called, ...] = ()
    reasoning: str = ""
    refusal: str = ""
    finish: str = "stop"
    prompt_tokens: int = 11
    completion_tokens: int = 7
    cached_tokens: int = 0
    reasoning_tokens: int = 0
    logprobs: bool = False
    choices: int = 1  # n


@dataclass(frozen=True, slots=True)
class Failing:
    """A failure in the provider's own shape.

    `kind` is one of: credentials, forbidden, model, rate, quota, context, policy, invalid,
    overloaded, internal. With `after` a stream breaks off so many pieces into `Told()`.
    """

    kind: str
    after: int | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as it came."""

    method: str
    path: str  # with its query
    headers: dict[str, str] = field(repr=False)  # lower-case names
    body: bytes = b""


class Faithful(ABC):
    """A provider on loopback, at `base` while entered."""

    def __init__(self, told: Told | Failing | None = None, key: str = "sk-contract") -> None:
        self.told: Told | Failing = told or Told()
        self.key = key
        self.asked: list[Asked] = []
        self.base = ""

    @abstractmethod
    async def answer(self, request: web.Request, asked: Asked) -> web.StreamResponse:
        """Answer a request as the provider would."""

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=64 << 20)
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.base = f"http://{host}:{port}"
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._runner.cleanup()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        asked = Asked(request.method, request.path_qs, headers, await request.read())
        self.asked.append(asked)
        return await self.answer(request, asked)
