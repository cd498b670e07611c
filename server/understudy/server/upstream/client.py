"""The HTTP side of one event loop: a pool of connections, and what all exchanges on it share."""

import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import Self
from weakref import WeakKeyDictionary

import aiohttp
import httpx

from understudy.server.domain.deployment import Endpoint
from understudy.server.errors import Reason, UpstreamError
from understudy.server.ports import HttpRequest
from understudy.server.upstream.addresses import find_public_refusal
from understudy.server.upstream.connector import Connector, Reply
from understudy.server.upstream.egress import USUAL, Proxy, TlsContexts
from understudy.server.upstream.exchange import HttpExchange
from understudy.server.upstream.guard import GuardedTransport
from understudy.server.upstream.prepared import Prepared, Way, prepare
from understudy.server.upstream.resolver import Lookup, Resolver, look_up
from understudy.server.upstream.sockets import SocketFactory
from understudy.server.upstream.transport import SessionTransport

_MAX_HEADER_BYTES = 16 << 10  # of one header; aiohttp takes 128 of them
_READ_AHEAD = 64 << 10  # bytes of a body that wait to be read


class HttpUpstream:
    """Sends requests over HTTP/1.1. Make one on each event loop, and close it there.

    Times are in seconds. `connect_timeout` is for all that comes before the request, of which a
    look-up takes `lookup_timeout` at most; `read_timeout` is the longest silence. `tls` is for
    several upstreams to share, and counts before `ca_file`.
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
        tls: TlsContexts | None = None,
        lookup: Lookup = look_up,
    ) -> None:
        self._tls = tls or TlsContexts(ca_file)
        self._max_bytes = max_response_bytes
        self._read_timeout = read_timeout
        self._prepared: WeakKeyDictionary[Endpoint, Prepared] = WeakKeyDictionary()
        # Sooner than the whole, or a hung look-up would pass for a hung connection.
        lookup_timeout = min(lookup_timeout, connect_timeout * 0.8)
        self._lax = _Reach(SocketFactory(), Resolver(lookup_timeout, lookup))
        self._strict = _Reach(
            SocketFactory(find_public_refusal),
            Resolver(lookup_timeout, lookup, find_public_refusal),
        )
        self._connect_timeout = connect_timeout
        self._proxy = None if proxy is None else Proxy(proxy, tuple(no_proxy))
        self._pools: dict[tuple[ssl.SSLContext, bool, bool], _Pool] = {}
        self._closed = False

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
        self._closed = True
        for reach in (self._lax, self._strict):
            reach.sockets.shut_down()
        for pool in self._pools.values():
            await pool.session.close()

    @property
    def open_connections(self) -> int:
        """How many connections are open, idle ones and those being made included."""
        return self._lax.sockets.open_count + self._strict.sockets.open_count

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
            prepared = prepare(endpoint, partial(self._find_way, endpoint))
            self._prepared[endpoint] = prepared
        return HttpExchange(prepared, request.body, deadline, silence, self._max_bytes)

    def _find_way(self, endpoint: Endpoint, url: httpx.URL) -> Way:
        proxied = self._proxy is not None and self._proxy.serves(url.host)
        if proxied and endpoint.trust is not None and not endpoint.trust.verify:
            self._check_proxy(endpoint.origin)
        pool = self._find_pool(endpoint, proxied)
        if not proxied:
            return pool.direct
        transport = pool.proxied.transport
        if endpoint.public_only:
            transport = GuardedTransport(transport, self._strict.resolver)
        # Within a tunnel the proxy reads no header, and the provider must not.
        return Way(transport, pool.proxied.headers if url.scheme == "http" else {})

    def _check_proxy(self, origin: str) -> None:
        """Raise UpstreamError where an endpoint's leave not to verify would be the proxy's too."""
        if self._proxy is not None and self._proxy.url.lower().startswith("https:"):
            told = f"{origin} must be verified (ssl_verify): the proxy, by https://, would not be"
            labels = {"origin": origin}
            raise UpstreamError(Reason.DEPLOYMENT_UNUSABLE, told, metadata=labels)

    def _find_pool(self, endpoint: Endpoint, proxied: bool) -> "_Pool":
        """Return the pool for what the endpoint trusts and reaches.

        No other's connections are good for it: one that was made for the operator, into a private
        network, must not carry what a caller sends to the same name.
        """
        if self._closed:
            told = f"the way to {endpoint.origin} is closed"
            labels = {"origin": endpoint.origin}
            raise UpstreamError(Reason.UPSTREAM_CONNECTION_LOST, told, metadata=labels)
        # Of those who trust the same file at different times, each has its own.
        context = self._find_context(endpoint)
        # The proxy itself may well have a private address.
        strict = endpoint.public_only and not proxied
        key = context, endpoint.public_only, strict
        pool = self._pools.get(key)
        if pool is None:
            pool = self._open_pool(context, self._strict if strict else self._lax)
            self._pools[key] = pool
        return pool

    def _find_context(self, endpoint: Endpoint) -> ssl.SSLContext:
        try:
            return self._tls.find(endpoint.trust or USUAL)
        except OSError as error:
            told = f"nothing can be sent to {endpoint.origin}: its CA file cannot be read"
            labels = {"origin": endpoint.origin}
            raise UpstreamError(Reason.DEPLOYMENT_UNUSABLE, told, metadata=labels) from error

    def _open_pool(self, context: ssl.SSLContext, reach: "_Reach") -> "_Pool":
        session = aiohttp.ClientSession(
            connector=Connector(
                tls=context,
                resolver=reach.resolver,
                sockets=reach.sockets,
                connect_timeout=self._connect_timeout,
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(),
            auto_decompress=False,
            trust_env=False,
            read_bufsize=_READ_AHEAD,
            max_field_size=_MAX_HEADER_BYTES,
            response_class=Reply,
        )
        return _Pool(session, self._read_timeout, self._proxy)


@dataclass(frozen=True, slots=True)
class _Reach:
    """What can be reached: the operator's own networks too, or the public internet only."""

    sockets: SocketFactory
    resolver: Resolver


class _Pool:
    """Connections of one way to trust, direct and by the proxy."""

    def __init__(
        self, session: aiohttp.ClientSession, read_timeout: float | None, proxy: Proxy | None
    ) -> None:
        self.session = session
        self.direct = Way(SessionTransport(session, read_timeout))
        self.proxied = self.direct
        if proxy is not None:
            transport = SessionTransport(session, read_timeout, proxy.to_httpx())
            self.proxied = Way(transport, proxy.headers)
