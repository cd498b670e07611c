"""Signs in for endpoints that take a short-lived token: RFC 6749, section 4.4.

A token is asked for once, however many calls wait for it, and again in the background well before
it expires; while it lasts it is used, whether renewing it works or not. Tokens are in no message
and in no log.
"""

import asyncio
import logging
import re
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Self
from urllib.parse import urlencode
from weakref import WeakKeyDictionary

import msgspec

from understudy.server.domain.deployment import ClientCredentials, Endpoint, Trust
from understudy.server.errors import Reason, UpstreamError
from understudy.server.ports import Exchange, HttpRequest, Upstream

_LOG = logging.getLogger(__name__)

_PATIENCE = 10.0  # seconds for one request for a token
_MAX_BYTES = 64 << 10  # of the reply to it
_FRESH = 0.8  # the part of its life after which a token is renewed
_RESERVE = 30.0  # seconds before its end from which a token is not sent, clocks being what they are
_UNSAID = 300.0  # seconds that a token lasts that does not say how long
_LONGEST = 86400.0
_SETTLED = 60.0  # seconds for which a new token is kept although a model refuses it
_PAUSE = 1.0  # seconds between requests for a token, after one failed
_LONG_PAUSE = 30.0  # likewise, while an old token lasts

_TOKEN = re.compile(r"[!-~]{1,16384}")
_TOLD = re.compile(r"AADSTS\d{1,9}|[a-z_]{1,40}")  # Microsoft's codes, and the standard's


class _Granted(msgspec.Struct):
    access_token: str
    expires_in: int | float | str = _UNSAID


class _Refused(msgspec.Struct):
    error: str = ""
    error_description: str = ""


@dataclass(frozen=True, slots=True)
class _Token:
    value: str = field(repr=False)
    since: float
    fresh_until: float
    valid_until: float


class SignedIn:
    """An upstream whose requests carry the tokens that their endpoints' logins yield.

    One for each event loop, whose clock is `clock`; close it there.
    """

    def __init__(self, upstream: Upstream, clock: Callable[[], float]) -> None:
        self._upstream = upstream
        self._clock = clock
        self._sources: dict[tuple[ClientCredentials, Trust | None], _Source] = {}
        self._signed: WeakKeyDictionary[Endpoint, tuple[_Token, Endpoint]] = WeakKeyDictionary()

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
        """Ask for no more tokens."""
        for source in tuple(self._sources.values()):
            await source.aclose()

    @asynccontextmanager
    async def exchange(
        self, request: HttpRequest, deadline: float, silence: float | None = None
    ) -> AsyncGenerator[Exchange]:
        """Send a request with a token, and once more with a new one if that is refused.

        Raises UpstreamError; UPSTREAM_CREDENTIALS_REJECTED also if there is no token to be had.
        """
        source = self._find_source(request.endpoint)
        for last in (False, True):
            token = await source.find(deadline)
            signed = replace(request, endpoint=self._sign(request.endpoint, token))
            async with self._upstream.exchange(signed, deadline, silence) as exchange:
                if last or exchange.status != 401 or not source.discard(token):
                    yield exchange
                    return

    def _find_source(self, endpoint: Endpoint) -> "_Source":
        assert endpoint.login is not None
        # A secret is shown to nobody unverified, whatever the endpoint itself is forgiven.
        trust = endpoint.trust and Trust(ca_file=endpoint.trust.ca_file)
        key = (endpoint.login, trust)
        source = self._sources.get(key)
        if source is None:
            source = self._sources[key] = _Source(
                endpoint.login, trust, self._upstream, self._clock
            )
        return source

    def _sign(self, endpoint: Endpoint, token: _Token) -> Endpoint:
        """Return the endpoint with a token, the same one for the same token."""
        made = self._signed.get(endpoint)
        if made is None or made[0] is not token:
            headers = {"authorization": f"Bearer {token.value}", **dict(endpoint.headers)}
            signed = Endpoint(
                endpoint.url,
                tuple(headers.items()),
                trust=endpoint.trust,
                public_only=endpoint.public_only,
            )
            made = self._signed[endpoint] = (token, signed)
        return made[1]


class _Source:
    """The tokens of one login."""

    def __init__(
        self,
        login: ClientCredentials,
        trust: Trust | None,
        upstream: Upstream,
        clock: Callable[[], float],
    ) -> None:
        form = {
            "grant_type": "client_credentials",
            "client_id": login.client_id,
            "client_secret": login.client_secret.value,
            "scope": login.scope,
        }
        headers = (("content-type", "application/x-www-form-urlencoded"),)
        self._request = HttpRequest(
            Endpoint(login.url, headers, trust=trust), urlencode(form).encode()
        )
        self._upstream = upstream
        self._clock = clock
        self._token: _Token | None = None
        self._failure: UpstreamError | None = None
        self._not_before = 0.0  # when to ask again after a failure
        self._asking: asyncio.Task[None] | None = None

    async def find(self, deadline: float) -> _Token:
        """Return a token that can be sent now. Raises UpstreamError."""
        token = self._current()
        if token is not None:
            if self._clock() >= token.fresh_until:
                self._begin()
            return token
        asking = self._begin()
        if asking is not None:
            # Unlike `wait_for`, this leaves the task to the others who wait for it.
            await asyncio.wait((asking,), timeout=max(0.0, deadline - self._clock()))
        token = self._current()
        if token is not None:
            return token
        if asking is not None and not asking.done():
            raise self._fail(Reason.UPSTREAM_READ_TIMEOUT, "took longer than it may")
        failure = self._failure or self._fail(Reason.UPSTREAM_UNAVAILABLE, "was broken off")
        raise UpstreamError(
            failure.reason, failure.message, status=failure.status, metadata=failure.metadata
        )

    def discard(self, token: _Token) -> bool:
        """Forget a token that a model refused. False if that would be of no use."""
        if self._token is not token:
            return True  # there is a newer one already
        if self._clock() - token.since < _SETTLED:
            return False
        self._token = None
        return True

    async def aclose(self) -> None:
        """Break off."""
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.gather(self._asking, return_exceptions=True)

    def _current(self) -> _Token | None:
        token = self._token
        return token if token is not None and self._clock() < token.valid_until else None

    def _begin(self) -> asyncio.Task[None] | None:
        """Return the request for a token that is under way, or None while it would be too soon."""
        if self._asking is None or self._asking.done():
            if self._clock() < self._not_before:
                return None
            self._asking = asyncio.create_task(self._renew(), name="signing-in")
        return self._asking

    async def _renew(self) -> None:
        try:
            self._token = await self._ask()
            self._failure = None
        except UpstreamError as error:
            held = self._current()
            pause = _PAUSE if held is None else _LONG_PAUSE
            self._not_before = self._clock() + pause
            self._failure = error
            left = 0.0 if held is None else held.valid_until - self._clock()
            _LOG.warning("%s; the token at hand lasts another %d s", error.message, left)

    async def _ask(self) -> _Token:
        since = self._clock()
        try:
            async with self._upstream.exchange(self._request, since + _PATIENCE) as exchange:
                body = b""
                async for chunk in exchange.chunks():
                    body += chunk
                    if len(body) > _MAX_BYTES:
                        raise self._fail(Reason.UPSTREAM_UNAVAILABLE, "told too much")
                status = exchange.status
        except UpstreamError as error:
            if error.reason is Reason.UPSTREAM_UNAVAILABLE:
                raise
            what = f"failed: {error.message}"
            raise self._fail(Reason.UPSTREAM_UNAVAILABLE, what) from None
        if status != 200:
            raise self._explain(status, body)
        return self._read(body, since)

    def _read(self, body: bytes, since: float) -> _Token:
        try:
            granted = msgspec.json.decode(body, type=_Granted)
            lasts = min(float(granted.expires_in), _LONGEST)
        except (ValueError, OverflowError, RecursionError):
            granted, lasts = None, 0.0
        if granted is None or not lasts > 0 or not _TOKEN.fullmatch(granted.access_token):
            raise self._fail(Reason.UPSTREAM_UNAVAILABLE, "yielded no token")
        return _Token(
            granted.access_token,
            since,
            fresh_until=since + lasts * _FRESH,
            valid_until=since + lasts - min(_RESERVE, lasts / 10),
        )

    def _explain(self, status: int, body: bytes) -> UpstreamError:
        """Return what a refusal means; of its text no more than codes is told."""
        try:
            refused = msgspec.json.decode(body, type=_Refused)
        except (ValueError, RecursionError):
            refused = _Refused()
        found = (_TOLD.match(refused.error_description), _TOLD.fullmatch(refused.error))
        codes = [code[0] for code in found if code is not None]
        told = f"was refused with HTTP {status}" + (f" ({', '.join(codes)})" if codes else "")
        if status in (408, 429) or not 400 <= status < 500:
            return self._fail(Reason.UPSTREAM_UNAVAILABLE, told, status)
        return self._fail(Reason.UPSTREAM_CREDENTIALS_REJECTED, told, status)

    def _fail(self, reason: Reason, what: str, status: int = 0) -> UpstreamError:
        origin = self._request.endpoint.origin
        told = f"signing in at {origin} {what}"
        return UpstreamError(reason, told, status=status, metadata={"origin": origin})
