"""aiohttp's connections, with what aiohttp does not tell or do by itself.

Whoever sends a request names itself in `SENDER`; it is then told whether the connection was kept
alive, and which one it is, so that it can be cut at once.
"""

import asyncio
import ssl
from collections.abc import Callable
from contextvars import ContextVar
from functools import partial
from typing import TYPE_CHECKING, Protocol

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.http_exceptions import HttpProcessingError

if TYPE_CHECKING:  # where aiohttp keeps types that it does not export
    from aiohttp.client_reqrep import ClientRequest, ConnectionKey
    from aiohttp.connector import Connection
    from aiohttp.tracing import Trace

    from understudy.server.upstream.resolver import Resolver
    from understudy.server.upstream.sockets import SocketFactory

# Shorter than the 60 s after which common load balancers close an idle connection.
_KEEPALIVE = 55.0

# Beyond these, idle connections to one origin are closed.
_MAX_IDLE = 128


class Sender(Protocol):
    """Who sends a request, and is told of its connection."""

    deadline: float
    needs_new: bool  # a kept-alive connection will not do
    reused: bool

    def begin(self, reply: aiohttp.ClientResponse, connection: "Connection") -> None:
        """Take note of the connection that the request goes out on."""
        ...


SENDER: ContextVar[Sender] = ContextVar("SENDER")


class Connector(aiohttp.TCPConnector):
    """A pool without a limit, seats being counted elsewhere, but for idle connections."""

    def __init__(
        self,
        *,
        tls: ssl.SSLContext,
        resolver: "Resolver",
        sockets: "SocketFactory",
        connect_timeout: float,
    ) -> None:
        super().__init__(  # pyright: ignore[reportUnknownMemberType], aiohttp's annotation
            limit=0,
            ssl=tls,
            resolver=resolver,
            use_dns_cache=False,  # the resolver has one
            socket_factory=sockets,
            keepalive_timeout=_KEEPALIVE,
        )
        self._connect_timeout = connect_timeout
        make: Callable[..., ResponseHandler] = _Protocol
        self._factory = partial(make, loop=self._loop)

    async def _get(self, key: "ConnectionKey", traces: list["Trace"]) -> "Connection | None":
        sender = SENDER.get()
        sender.reused = True
        while not sender.needs_new and (found := await super()._get(key, traces)) is not None:
            if found.protocol is not None and not found.protocol.should_close:
                return found
            # Something came while it was idle; aiohttp would take that for the next reply, and
            # so give one caller what was meant for another.
            found.close()
        return None

    async def _create_connection(
        self, req: "ClientRequest", traces: list["Trace"], timeout: aiohttp.ClientTimeout
    ) -> ResponseHandler:
        sender = SENDER.get()
        sender.reused = False
        # aiohttp's own limit counts for each address anew, and is rounded up to whole seconds.
        limit = asyncio.get_running_loop().time() + self._connect_timeout
        async with asyncio.timeout_at(min(sender.deadline, limit)):
            return await super()._create_connection(req, traces, timeout)

    def _release(
        self, key: "ConnectionKey", protocol: ResponseHandler, *, should_close: bool = False
    ) -> None:
        full = len(self._conns.get(key, ())) >= _MAX_IDLE
        super()._release(key, protocol, should_close=should_close or full)


class _Protocol(ResponseHandler):
    """Tells whoever reads a body that the rest of it is malformed; aiohttp lets them wait."""

    def set_exception(self, exc: BaseException, exc_cause: BaseException | None = None) -> None:
        if exc_cause is None:
            super().set_exception(exc)
        else:
            super().set_exception(exc, exc_cause)
        body = self._payload
        if isinstance(exc, HttpProcessingError) and body is not None and not body.is_eof():
            body.set_exception(aiohttp.ClientPayloadError("malformed"))


class Reply(aiohttp.ClientResponse):
    """A reply that tells its sender of the connection before it waits for the first byte."""

    async def start(self, connection: "Connection") -> "Reply":
        """Wait for status and headers."""
        SENDER.get().begin(self, connection)
        await super().start(connection)
        return self
