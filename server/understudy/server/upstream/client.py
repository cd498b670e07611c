"""The HTTP side of one event loop: a pool of connections, and what all exchanges on it share."""

import ssl
from collections.abc import Sequence
from types import TracebackType
from typing import Self
from weakref import WeakKeyDictionary

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport

from understudy.server.domain.deployment import Endpoint
from understudy.server.ports import HttpRequest
from understudy.server.upstream.connector import Connector, Reply
from understudy.server.upstream.egress import Proxy, make_tls_context
from understudy.server.upstream.exchange import HttpExchange
from understudy.server.upstream.prepared import Prepared, Way, prepare
from understudy.server.upstream.resolver import Lookup, Resolver, look_up
from understudy.server.upstream.sockets import SocketFactory

_MAX_HEADER_BYTES = 16 << 10  # of one header; aiohttp takes 128 of them
_READ_AHEAD = 64 << 10  # bytes of a body that wait to be read


class HttpUpstream:
    """Sends requests over HTTP/1.1. Make one on each event loop, and close it there.

    Times are in seconds. `connect_timeout` is for all that comes before the request, of which a
    look-up takes `lookup_timeout` at most; `read_timeout` is the longest silence. `tls` is for
    several upstreams to share; without it a context is made, which blocks for some milliseconds.
    """

    def __init__(
        self,
        *,
        connect_timeout: float = 5.0,
        lookup_timeout: float = 3.0,
        read_timeout: float | None = None,
        max_response_bytes: int = 32 << 20,
        proxy: str | None = None,
        no_proxy: Sequence[str] = (),
        ca_file: str | None = None,
        tls: ssl.SSLContext | None = None,
        lookup: Lookup = look_up,
    ) -> None:
        context = tls or make_tls_context(ca_file)
        self._max_bytes = max_response_bytes
        self._extensions: dict[str, object] = {"timeout": {"read": read_timeout}}
        self._prepared: WeakKeyDictionary[Endpoint, Prepared] = WeakKeyDictionary()
        self._sockets = SocketFactory()
        self._session = aiohttp.ClientSession(
            connector=Connector(
                tls=context,
                # Sooner than the whole, or a hung look-up would pass for a hung connection.
                resolver=Resolver(min(lookup_timeout, connect_timeout * 0.8), lookup),
                sockets=self._sockets,
                connect_timeout=connect_timeout,
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(),
            auto_decompress=False,
            trust_env=False,
            read_bufsize=_READ_AHEAD,
            max_field_size=_MAX_HEADER_BYTES,
            response_class=Reply,
        )
        self._direct = Way(self._make_transport(context))
        self._proxy = None if proxy is None else Proxy(proxy, tuple(no_proxy))
        self._proxied = self._direct
        if self._proxy is not None:
            self._proxied = Way(
                self._make_transport(context, self._proxy.to_httpx()), self._proxy.headers
            )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Cut every connection, those of exchanges under way included."""
        self._sockets.shut_down()
        await self._session.close()

    @property
    def open_connections(self) -> int:
        """How many connections are open, idle ones and those being made included."""
        return self._sockets.open_count

    def exchange(
        self, request: HttpRequest, deadline: float, silence: float | None = None
    ) -> HttpExchange:
        """Return the exchange of a request and its reply, to be entered.

        A request that was sent on a kept-alive connection, which then turns out to be closed
        without a byte of a reply, is sent once more on a new one; nothing else is sent twice.
        """
        endpoint = request.endpoint
        prepared = self._prepared.get(endpoint)
        if prepared is None:
            prepared = prepare(endpoint, self._extensions, self._find_way)
            self._prepared[endpoint] = prepared
        return HttpExchange(prepared, request.body, deadline, silence, self._max_bytes)

    def _make_transport(
        self, context: ssl.SSLContext, proxy: httpx.Proxy | None = None
    ) -> AiohttpTransport:
        return AiohttpTransport(verify=context, trust_env=False, client=self._session, proxy=proxy)

    def _find_way(self, url: httpx.URL) -> Way:
        if self._proxy is None or not self._proxy.serves(url.host):
            return self._direct
        # Within a tunnel the proxy reads no header, and the provider must not.
        return self._proxied if url.scheme == "http" else Way(self._proxied.transport)
