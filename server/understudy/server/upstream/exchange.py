"""One request and its reply: bounded in time and in bytes, and cut when it is left early.

The deadline is a timer that cuts the connection, not a time-out around awaits: it holds while
nobody reads, it cancels no task, and it costs a microsecond.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Self

import aiohttp
import httpx
from aiohttp.hdrs import CONTENT_ENCODING

from understudy.server.errors import Reason, UpstreamError
from understudy.server.upstream.causes import explain, is_stale
from understudy.server.upstream.connector import SENDER
from understudy.server.upstream.prepared import Posting, Prepared

if TYPE_CHECKING:
    from aiohttp.connector import Connection

# uvloop rounds timers to milliseconds; cut late by one rather than before the deadline.
_TICK = 0.001

# Seconds between the last word of a reply and the end of its body, which mostly come together.
_MOMENT = 0.05

# RuntimeError: the session was closed meanwhile; ValueError: a reason phrase that is no text.
_STACK_ERRORS = (httpx.HTTPError, aiohttp.ClientError, RuntimeError, ValueError)

_NO_HEADERS: Mapping[str, str] = {}


class HttpExchange:
    """A context manager for one exchange and, within the context, its reply.

    `status` and `headers` are there once it is entered. The body is read once.
    """

    def __init__(
        self,
        prepared: Prepared,
        body: bytes,
        deadline: float,
        silence: float | None,
        max_bytes: int,
    ) -> None:
        self.status = 0
        self.headers = _NO_HEADERS
        self.deadline = deadline + _TICK
        self.needs_new = False
        self.reused = False
        self._prepared = prepared
        self._body = body
        self._silence = silence
        self._max_bytes = max_bytes
        self._read = 0
        self._hurried = False
        self._loop = asyncio.get_running_loop()
        self._reply: aiohttp.ClientResponse | None = None
        self._content: aiohttp.StreamReader | None = None
        self._expired = False
        self._heard = 0.0
        self._quiet_timer: asyncio.TimerHandle | None = None

    async def __aenter__(self) -> Self:
        if self._is_late():
            raise self._fail(Reason.UPSTREAM_READ_TIMEOUT, "was not asked in time")
        self._timer = self._loop.call_at(self.deadline, self._expire)
        if self._silence is not None:
            self._heard = self._loop.time()
            self._quiet_timer = self._loop.call_later(self._silence, self._listen, self._silence)
        try:
            await self._send()
            self._take()
        except BaseException:
            self._leave()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._leave()

    def chunks(self) -> AsyncIterator[bytes]:
        """Yield the body as it comes."""
        return self

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        content = self._content
        assert content is not None
        try:
            chunk = b"" if content.at_eof() else await content.readany()
        except (aiohttp.ClientError, RuntimeError) as error:
            if self._hurried:
                raise StopAsyncIteration from None
            # Not `from error`: aiohttp's exceptions hold the request, its headers included.
            raise self._explain(error) from None
        if self._silence is not None:
            self._heard = self._loop.time()
        if not chunk:
            if (
                self._expired and not self._hurried
            ):  # to a body that ends with its connection, a cut is an end
                raise self._fail_late()
            raise StopAsyncIteration
        self._read += len(chunk)
        if self._read > self._max_bytes:
            self._leave()
            what = f"sent more than {self._max_bytes} bytes"
            raise self._fail(Reason.UPSTREAM_RESPONSE_TOO_LARGE, what)
        return chunk

    def hurry(self) -> None:
        """Give the rest of the body a moment, so that the connection can be kept, and then end."""
        if not self._hurried:
            self._hurried = True
            self._timer.cancel()
            moment = min(self.deadline, self._loop.time() + _MOMENT)
            self._timer = self._loop.call_at(moment, self._expire)

    def begin(self, reply: aiohttp.ClientResponse, connection: "Connection") -> None:
        """Take note of the connection that the request goes out on."""
        self._reply = reply
        self._connection = connection
        self._wire = connection.transport

    async def _send(self) -> None:
        token = SENDER.set(self)
        try:
            while True:
                try:
                    request = Posting(self._prepared, self._body)
                    await self._prepared.transport.handle_async_request(request)
                    return
                except _STACK_ERRORS as error:
                    # The other end may close an idle connection at any time, this one too.
                    if self._expired or not (self.reused and is_stale(error)):
                        raise self._explain(error) from None
                    self.needs_new = True
        finally:
            SENDER.reset(token)

    def _take(self) -> None:
        if self._expired:  # in the moment in which the head came
            raise self._fail_late()
        reply = self._reply
        assert reply is not None  # it was sent
        self.status = reply.status
        self.headers = reply.headers
        self._content = reply.content
        for coding in reply.headers.getall(CONTENT_ENCODING, ()):
            if coding.strip().lower() not in ("", "identity"):
                what = "compressed its reply although it was asked not to"
                raise self._fail(Reason.UPSTREAM_BAD_ENCODING, what)

    def _expire(self) -> None:
        if self._content is None or not self._content.is_eof():
            self._expired = True
            self._cut()

    def _listen(self, silence: float) -> None:
        # One timer that looks back, rather than one for each chunk.
        left = self._heard + silence - self._loop.time()
        if left > _TICK:
            self._quiet_timer = self._loop.call_later(left, self._listen, silence)
        else:
            self._expire()

    def _leave(self) -> None:
        self._timer.cancel()
        if self._quiet_timer is not None:
            self._quiet_timer.cancel()
        self._cut()

    def _cut(self) -> None:
        """Close the connection now, unless it has gone back to the pool."""
        if self._reply is None:
            return
        if self._wire is None:
            self._reply.close()
        elif self._connection.transport is not None or self._wire.is_closing():
            # Not `close`, which would first send what a slow reader has not taken of the request.
            self._wire.abort()
            self._reply.close()

    def _is_late(self) -> bool:
        return self._loop.time() >= self.deadline - _TICK

    def _explain(self, error: Exception) -> UpstreamError:
        if self._expired or self._is_late():
            return self._fail_late()
        return explain(error, self._prepared.origin, status=self.status)

    def _fail_late(self) -> UpstreamError:
        what = "took longer than it may" if self._is_late() else "fell silent"
        return self._fail(Reason.UPSTREAM_READ_TIMEOUT, what)

    def _fail(self, reason: Reason, what: str) -> UpstreamError:
        origin = self._prepared.origin
        labels = {"origin": origin}
        return UpstreamError(reason, f"{origin} {what}", status=self.status, metadata=labels)
