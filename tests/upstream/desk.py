"""An authority on loopback that hands out tokens over TLS, or does not."""

import asyncio
import ssl
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from aiohttp import web


class Desk:
    """Hands out `token-1`, `token-2` … while entered, each for `lasts` seconds.

    `refusal` is a status and a body to answer with instead; `open` is cleared to keep all waiting.
    """

    def __init__(self, tls: ssl.SSLContext, *, lasts: object = 3600) -> None:
        self.lasts = lasts
        self.refusal: tuple[int, bytes] | None = None
        self.open = asyncio.Event()
        self.open.set()
        self.forms: list[Mapping[str, str]] = []
        self.headers: list[Mapping[str, str]] = []
        self.url = ""
        self._tls = tls

    @property
    def count(self) -> int:
        """How many asked."""
        return len(self.forms)

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_post("/tenant/oauth2/v2.0/token", self._answer)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=self._tls).start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"https://{host}:{port}/tenant/oauth2/v2.0/token"
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.open.set()
        await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.Response:
        form = await request.post()
        self.forms.append({name: str(value) for name, value in form.items()})
        self.headers.append({name.lower(): value for name, value in request.headers.items()})
        number = self.count
        await self.open.wait()
        if self.refusal is not None:
            status, body = self.refusal
            return web.Response(status=status, body=body)
        granted = {"token_type": "Bearer", "access_token": f"token-{number}"}
        return web.json_response({**granted, "expires_in": self.lasts})
