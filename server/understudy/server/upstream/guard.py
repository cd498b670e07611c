"""Looks at where a name leads before a proxy is asked to go there.

The proxy looks the name up again, and its answer is the one that counts: what this stops is a
name that leads into a private network for everybody, not one that does so for the proxy alone.
"""

import asyncio
from ipaddress import ip_address

import httpx

from understudy.server.upstream.addresses import find_public_refusal
from understudy.server.upstream.connector import SENDER
from understudy.server.upstream.resolver import Resolver, UnresolvedError
from understudy.server.upstream.sockets import AddressRefusedError


class GuardedTransport(httpx.AsyncBaseTransport):
    """Hands on the requests whose host is public, as far as can be seen from here."""

    def __init__(self, transport: httpx.AsyncBaseTransport, resolver: Resolver) -> None:
        self._transport = transport
        self._resolver = resolver

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request. Raises httpx.ConnectError if it must not be sent."""
        try:
            async with asyncio.timeout_at(SENDER.get().deadline):
                await self._check(request.url.host)
        except TimeoutError as error:
            raise httpx.ConnectError("not resolved in time") from UnresolvedError(str(error))
        except OSError as error:
            raise httpx.ConnectError("not to be contacted") from error
        return await self._transport.handle_async_request(request)

    async def _check(self, host: str) -> None:
        try:
            literal = str(ip_address(host))
        except ValueError:
            await self._resolver.resolve(host)  # which judges what it finds
            return
        if refusal := find_public_refusal(literal):
            raise AddressRefusedError(f"its address is {refusal}")
