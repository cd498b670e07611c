"""Requests in the transport's own form: what an endpoint's requests share is made once.

`httpx.Request` parses its URL and normalises its headers for every request, which costs as much
CPU as all that aiohttp then does to send it.
"""

import io
import re
from collections.abc import Callable, ItemsView, Mapping
from dataclasses import dataclass, field
from typing import cast

import httpx
import yarl

from understudy.server.domain.deployment import Endpoint
from understudy.server.errors import Reason, UpstreamError

_DEFAULTS = {"content-type": "application/json", "user-agent": "understudy"}

# Left to aiohttp, which knows the body and the connection.
_NOT_OURS = frozenset({"content-length", "transfer-encoding", "connection", "expect"})

# What would end a header early, and what cannot be encoded.
_UNSENDABLE = re.compile("[\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]")

_LARGE = 1 << 20


class _Url(httpx.URL):
    """A URL that is written once."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self._written = super().__str__()

    def __str__(self) -> str:
        return self._written


class _Headers(httpx.Headers):
    """Headers that are decoded once."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        super().__init__(headers, encoding="utf-8")
        self._decoded = headers.items()

    def items(self) -> ItemsView[str, str]:
        return self._decoded


@dataclass(frozen=True, slots=True)
class Way:
    """How a request leaves: by which transport, and with what headers for a proxy."""

    transport: httpx.AsyncBaseTransport
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)


@dataclass(frozen=True, slots=True)
class Prepared:
    """What all requests of an endpoint share."""

    origin: str
    url: httpx.URL = field(repr=False)  # its query may hold a key
    headers: httpx.Headers = field(repr=False)
    transport: httpx.AsyncBaseTransport


class Posting(httpx.Request):
    """One POST to an endpoint, without the work that `httpx.Request` does to make one."""

    def __init__(self, prepared: Prepared, body: bytes) -> None:
        self.method = "POST"
        self.url = prepared.url
        self.headers = prepared.headers
        self.extensions = {}
        self._body = body

    @property
    def content(self) -> bytes:
        """The body, as the transport hands it to aiohttp."""
        if len(self._body) > _LARGE:
            # aiohttp writes a file in pieces; of bytes of this size it warns.
            return cast(bytes, io.BytesIO(self._body))
        return self._body


def prepare(endpoint: Endpoint, find_way: Callable[[httpx.URL], Way]) -> Prepared:
    """Return what an endpoint's requests share.

    Raises UpstreamError for an endpoint that nothing can be sent to.
    """
    try:
        origin = endpoint.origin
        url = _Url(endpoint.url)
        yarl.URL(str(url))  # as aiohttp will read it
    except (httpx.InvalidURL, ValueError) as error:
        raise _refuse("an endpoint", "its URL is malformed") from error
    way = find_way(url)
    own = {name.lower(): value for name, value in endpoint.headers}
    if url.userinfo and "authorization" in own:
        raise _refuse(origin, "both its URL and a header hold credentials")
    headers = {**_DEFAULTS, **own, **way.headers, "accept-encoding": "identity"}
    for name, value in headers.items():
        if _UNSENDABLE.search(name + value):
            raise _refuse(origin, f"its header {name!r} holds a control character")
    kept = {name: value for name, value in headers.items() if name not in _NOT_OURS}
    return Prepared(origin, url, _Headers(kept), way.transport)


def _refuse(origin: str, why: str) -> UpstreamError:
    told = f"nothing can be sent to {origin}: {why}"
    return UpstreamError(Reason.DEPLOYMENT_UNUSABLE, told, metadata={"origin": origin})
