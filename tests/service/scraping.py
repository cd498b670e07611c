"""Asks a service's metrics listener, and reads what it answers."""

import asyncio
import socket
from dataclasses import dataclass
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from ..sinks.metrics.telling import Series, series

_PATIENCE = 15.0  # seconds


@dataclass(frozen=True, slots=True)
class Page:
    """An answer over HTTP."""

    status: int
    content_type: str
    body: str


def fetch(url: str, *, accept: str = "", method: str = "GET") -> Page:
    """Return what is answered, whatever the status. Blocks."""
    request = Request(url, headers={"accept": accept} if accept else {}, method=method)
    try:
        with urlopen(request, timeout=_PATIENCE) as answer:
            return Page(answer.status, answer.headers["content-type"], answer.read().decode())
    except HTTPError as error:
        with error:
            return Page(error.code, error.headers["content-type"], error.read().decode())


async def get(url: str, path: str = "", *, accept: str = "", method: str = "GET") -> Page:
    """Return what is answered; `path` stands in the place of /metrics."""
    where = url.removesuffix("/metrics") + path if path else url
    return await asyncio.to_thread(fetch, where, accept=accept, method=method)


async def scrape(url: str) -> Series:
    """Return all series."""
    page = await get(url)
    assert page.status == 200, page
    return series(page.body)


def send(url: str, text: bytes, *, within: float = 5.0) -> bytes:
    """Send bytes and return all that is answered until the connection ends. Blocks."""
    host, _, port = url.removeprefix("http://").removesuffix("/metrics").rpartition(":")
    with socket.create_connection((host, int(port)), within) as connection:
        connection.sendall(text)
        answer = b""
        while piece := connection.recv(65_536):
            answer += piece
        return answer
