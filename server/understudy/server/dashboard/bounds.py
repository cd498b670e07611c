"""Bounds what a request may take: bytes of its body, and time."""

import asyncio
import logging
from typing import Final

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from understudy.server.errors import Reason, RequestError

MOST_BODY: Final = 4 << 20  # bytes; percent-encoded, a prompt takes up to three times its own
_SLOWEST: Final = 15.0  # seconds for the body to come
_LONGEST: Final = 60.0  # seconds for all of it

_LOG = logging.getLogger(__name__)


class Bounds:
    """Wraps the application."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer in time, or say that there is no answer."""
        begun = False

        async def sending(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            async with asyncio.timeout(_LONGEST):
                await self._app(scope, _Body(receive).receive, sending)
        except TimeoutError:
            _LOG.warning("%s took longer than %g s", scope["path"], _LONGEST)
            if not begun:
                told = PlainTextResponse("this took too long; try again", 503)
                await told(scope, receive, send)


class _Body:
    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._size = 0
        self._is_whole = False

    async def receive(self) -> Message:
        """Return the next piece. Raises RequestError for what is too large or too slow."""
        if self._is_whole:
            return await self._receive()  # whether the browser has gone, which takes its time
        try:
            async with asyncio.timeout(_SLOWEST):
                message = await self._receive()
        except TimeoutError:
            raise RequestError("what the browser sends comes too slowly") from None
        self._size += len(message.get("body", b""))
        self._is_whole = not message.get("more_body", False)
        if self._size > MOST_BODY:
            raise RequestError(
                f"that is more than {MOST_BODY >> 20} MiB, which no page takes",
                reason=Reason.REQUEST_TOO_LARGE,
            )
        return message
