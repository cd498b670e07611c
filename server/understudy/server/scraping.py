"""Answers GETs over plain HTTP from threads of its own: what scrapers and probes ask for.

It knows no question but a path. A connection is one request: so long, so large, and so many at a
time; who is slower, longer or one too many is cut off, and nobody else notices.
"""

import asyncio
import logging
import selectors
import socket
import threading
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Final

import h11

from understudy.server.listeners import listen

MOST_CONNECTIONS: Final = 16  # at a time; a scraper comes by itself
LONGEST: Final = 10.0  # seconds of a connection, as long as Prometheus waits by itself
_LARGEST_HEAD: Final = 8 << 10  # bytes
_PIECE: Final = 4 << 10  # bytes
_LAST_WORDS: Final = 2.0  # seconds
_LEAST: Final = 0.001  # seconds: 0 would mean not to wait at all, and to fail otherwise
_TEXT: Final = "text/plain; charset=utf-8"

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a path has to say."""

    body: bytes
    status: int = 200
    content_type: str = _TEXT
    headers: tuple[tuple[str, str], ...] = ()


Page = Callable[[str], Answer]
"""Answers for one path, in a thread of its own. Takes the `Accept` header; may block a while."""


@asynccontextmanager
async def answering(
    pages: Mapping[str, Page], host: str, port: int, setting: str
) -> AsyncGenerator[int]:
    """Answer by path until the context is left; yields the port, of which 0 is a free one.

    Raises ConfigError, which names `setting`, if it cannot listen there.
    """
    listener = listen(host, port, setting)
    door = _Door(listener, pages)
    thread = threading.Thread(target=door.run, name="understudy-scraping", daemon=True)
    thread.start()
    try:
        found: int = listener.getsockname()[1]
        yield found
    finally:
        door.close()
        await asyncio.to_thread(thread.join, _LAST_WORDS)


class _Door:
    """Takes connections, and gives each a thread while there is one to give."""

    def __init__(self, listener: socket.socket, pages: Mapping[str, Page]) -> None:
        self._listener = listener
        self._pages = pages
        self._seats = threading.BoundedSemaphore(MOST_CONNECTIONS)
        self._leave, self._left = socket.socketpair()

    def run(self) -> None:
        """Take connections until closed."""
        with self._listener, self._left, selectors.DefaultSelector() as selector:
            for one in (self._listener, self._left):
                selector.register(one, selectors.EVENT_READ)
            while True:
                ready = {key.fileobj for key, _ in selector.select()}
                if self._left in ready:
                    return
                try:
                    connection, _ = self._listener.accept()
                except BlockingIOError:
                    continue
                except OSError as error:  # as when there is no descriptor to be had
                    _LOG.warning("a scraper could not be let in: %s", error.strerror)
                    self._left.settimeout(1.0)
                    with suppress(TimeoutError):
                        if not self._left.recv(1):
                            return
                    continue
                self._seat(connection)

    def close(self) -> None:
        """Take no more."""
        self._leave.close()

    def _seat(self, connection: socket.socket) -> None:
        if not self._seats.acquire(blocking=False):
            connection.close()
            return
        thread = threading.Thread(
            target=self._serve, args=(connection,), name="understudy-scrape", daemon=True
        )
        try:
            thread.start()
        except RuntimeError:  # the system has no thread to give
            connection.close()
            self._seats.release()

    def _serve(self, connection: socket.socket) -> None:
        try:
            with connection:
                _answer(connection, self._pages, time.monotonic() + LONGEST)
        except OSError:
            pass  # it has gone, or was too slow
        except Exception as error:  # noqa: BLE001 - nobody is above it
            _LOG.error("a scrape broke: %s", type(error).__name__)
        finally:
            self._seats.release()


def _answer(connection: socket.socket, pages: Mapping[str, Page], deadline: float) -> None:
    wire = h11.Connection(h11.SERVER, max_incomplete_event_size=_LARGEST_HEAD)
    is_head = False
    try:
        request = _read(wire, connection, deadline)
        if request is None:
            return
        is_head = request.method == b"HEAD"
        answer = _find(request, pages)
    except h11.RemoteProtocolError as error:
        answer = Answer(b"this is no request\n", error.error_status_hint)
    head = wire.send(
        h11.Response(
            status_code=answer.status,
            headers=[
                ("content-type", answer.content_type),
                ("content-length", str(len(answer.body))),
                ("cache-control", "no-store"),
                ("connection", "close"),
                *answer.headers,
            ],
        )
    )
    connection.settimeout(max(deadline - time.monotonic(), _LEAST))
    connection.sendall((head or b"") + (b"" if is_head else answer.body))
    connection.shutdown(socket.SHUT_WR)


def _read(wire: h11.Connection, connection: socket.socket, deadline: float) -> h11.Request | None:
    """Return the request, or None if there comes none. Raises TimeoutError at the deadline."""
    while True:
        event = wire.next_event()
        if isinstance(event, h11.Request):
            return event
        if event is not h11.NEED_DATA:
            return None
        connection.settimeout(max(deadline - time.monotonic(), _LEAST))
        wire.receive_data(connection.recv(_PIECE))


def _find(request: h11.Request, pages: Mapping[str, Page]) -> Answer:
    if request.method not in (b"GET", b"HEAD"):
        return Answer(b"only GET is answered here\n", 405, headers=(("allow", "GET, HEAD"),))
    path = request.target.partition(b"?")[0].decode("latin-1")
    page = pages.get(path)
    if page is None:
        known = ", ".join(pages)
        return Answer(f"there is {known}\n".encode(), 404)
    accept = ", ".join(
        value.decode("latin-1") for name, value in request.headers if name == b"accept"
    )
    return page(accept)
