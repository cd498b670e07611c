"""An aiohttp session as a transport of httpx, for requests that are made whole.

What aiohttp wants to know of each request is put together once. Its exceptions go on as they are:
`causes` knows them.
"""

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import httpx


class SessionTransport(httpx.AsyncBaseTransport):
    """Sends requests by a session, which others close. `read_timeout` is the longest silence."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        read_timeout: float | None,
        proxy: httpx.Proxy | None = None,
    ) -> None:
        self._session = session
        self._how: dict[str, Any] = {
            "allow_redirects": False,
            "timeout": aiohttp.ClientTimeout(sock_read=read_timeout),
        }
        if proxy is not None:
            self._how |= {"proxy": str(proxy.url), "proxy_headers": proxy.headers}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request; return once the head of the reply is there.

        Raises ValueError for a reason phrase that is no text.
        """
        reply = await self._session.request(
            request.method,
            str(request.url),
            headers=request.headers,
            data=request.content or None,
            **self._how,
        )
        return httpx.Response(
            reply.status,
            headers=reply.raw_headers,
            stream=_Body(reply),
            extensions={"reason_phrase": (reply.reason or "").encode()},
        )


class _Body(httpx.AsyncByteStream):
    """The body of a reply, as it comes."""

    def __init__(self, reply: aiohttp.ClientResponse) -> None:
        self._reply = reply

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._reply.content.iter_any():
            yield chunk

    async def aclose(self) -> None:
        """Cut the connection, unless the body has ended."""
        self._reply.close()
