"""A caller of models behind a login, for tests."""

import asyncio

import pytest

from understudy.server.domain.deployment import ClientCredentials, Endpoint, Secret, Trust
from understudy.server.errors import Reason, UpstreamError
from understudy.server.ports import HttpRequest
from understudy.server.upstream import HttpUpstream, SignedIn

from ..stub.faultstub import FaultStub
from .asking import prompt
from .desk import Desk

SECRET = "canary~secret/with+signs"


class Clock:
    """The loop's clock, which a test may put forward."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._ahead = 0.0

    def __call__(self) -> float:
        return self._loop.time() + self._ahead

    def skip(self, seconds: float) -> None:
        self._ahead += seconds


class Caller:
    """Asks the stub's models, signed in at the desk."""

    def __init__(self, stub: FaultStub, desk: Desk, http: HttpUpstream, clock: Clock) -> None:
        self.stub, self.desk, self.clock = stub, desk, clock
        self.signed_in = SignedIn(http, clock)
        self.login = ClientCredentials(desk.url, "me", Secret(SECRET, "S"), "scope/.default")
        self.endpoint = self.at(None)

    def at(self, trust: Trust | None) -> Endpoint:
        url = f"{self.stub.url}/v1/chat/completions"
        return Endpoint(url, (("x-team", "a"),), login=self.login, trust=trust)

    async def ask(
        self, model: str = "ok", *, within: float = 5.0, endpoint: Endpoint | None = None
    ) -> int:
        request = HttpRequest(endpoint or self.endpoint, prompt(model))
        async with self.signed_in.exchange(request, self.clock() + within) as exchange:
            async for _ in exchange.chunks():
                pass
            return exchange.status

    async def fail(self, reason: Reason, model: str = "ok", *, within: float = 5.0) -> str:
        with pytest.raises(UpstreamError) as caught:
            await self.ask(model, within=within)
        assert caught.value.reason is reason, caught.value.message
        return caught.value.message

    @property
    def sent(self) -> list[str]:
        """The credentials that the models saw."""
        return [one.headers["authorization"] for one in self.stub.requests]
