"""Serves the dashboard from a thread and an event loop of its own.

Whatever becomes of it, the service goes on: nothing here is waited for by whoever asks a model.
"""

import asyncio
import logging
import socket
import threading
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import uvicorn

from understudy.server.dashboard.cookies import Cookies
from understudy.server.dashboard.hosts import Hosts
from understudy.server.dashboard.house import House
from understudy.server.dashboard.pages import NAV, PAGES
from understudy.server.dashboard.reports import Reports
from understudy.server.dashboard.site import Site
from understudy.server.dashboard.wire import Wire
from understudy.server.errors import ConfigError

_LOG = logging.getLogger(__name__)

_MOST_CONNECTIONS: Final = 256
_LONGEST_HEAD: Final = 32 << 10  # bytes
_IDLE: Final = 30  # seconds that a connection is kept for a browser that asks nothing
_LAST_WORDS: Final = 2.0  # seconds


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen, and by which names browsers ask. Paths of PEM files, or no TLS."""

    host: str
    port: int
    names: tuple[str, ...] = ()
    cert_file: str | None = None
    key_file: str | None = None


@dataclass(frozen=True, slots=True)
class Dashboard:
    """A dashboard that is being served. `forget` ends all sessions."""

    url: str
    reports: Reports
    forget: Callable[[], None]


@asynccontextmanager
async def running_dashboard(house: House, address: Address) -> AsyncGenerator[Dashboard]:
    """Serve until the context is left. Raises ConfigError if it cannot listen as configured."""
    listener = _listen(address)
    port: int = listener.getsockname()[1]
    is_tls = address.cert_file is not None
    site = Site(house, PAGES, NAV, Cookies(port, secure=is_tls))
    server = _make_server(site, address)
    leaving = threading.Event()
    thread = threading.Thread(
        target=_serve, args=(server, listener, leaving), name="dashboard", daemon=True
    )
    thread.start()
    try:
        yield Dashboard(_url(address, port, is_tls=is_tls), site.reports, site.forget)
    finally:
        leaving.set()
        server.should_exit = True
        await asyncio.to_thread(thread.join, _LAST_WORDS)
        house.questions.close()
        listener.close()


def _make_server(site: Site, address: Address) -> uvicorn.Server:
    config = uvicorn.Config(
        site.make(Hosts(address.host, address.names)),
        http=Wire,
        ws="none",
        lifespan="off",
        loop="asyncio",
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=_MOST_CONNECTIONS,
        h11_max_incomplete_event_size=_LONGEST_HEAD,
        timeout_keep_alive=_IDLE,
        timeout_graceful_shutdown=1,
        ssl_certfile=address.cert_file,
        ssl_keyfile=address.key_file,
    )
    try:
        config.load()
    except OSError as error:  # an SSLError is one
        told = f"understudy.server.tls: {error.strerror or error}"
        raise ConfigError([told]) from error
    return uvicorn.Server(config)


def _serve(server: uvicorn.Server, listener: socket.socket, leaving: threading.Event) -> None:
    try:
        # A loop of asyncio's own, whatever the service's is; signals are the main thread's.
        with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
            runner.run(server.serve(sockets=[listener]))
    except (Exception, SystemExit) as error:  # noqa: BLE001 - nobody is above it
        _LOG.error("the dashboard has ended: %s", type(error).__name__)
    else:
        if not leaving.is_set():
            _LOG.error("the dashboard has ended")
    if not leaving.is_set():
        _LOG.error("the service goes on without the dashboard; a restart brings it back")


def _listen(address: Address) -> socket.socket:
    try:
        family, kind, proto, _, place = socket.getaddrinfo(
            address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, proto)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(place)
            listener.listen(128)
        except OSError:
            listener.close()
            raise
    except OSError as error:
        raise ConfigError(
            [
                (
                    f"understudy.dashboard.port: cannot listen on {address.host}:{address.port}: "
                    f"{error.strerror}; if another program has the port, choose another or 0 for "
                    "a free one, or switch the dashboard off with understudy.dashboard.enabled: "
                    "false"
                )
            ]
        ) from error
    return listener


def _url(address: Address, port: int, *, is_tls: bool) -> str:
    # Every address of this machine is none that a browser could ask for.
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address.host, address.host)
    shown = f"[{host}]" if ":" in host else host
    return f"{'https' if is_tls else 'http'}://{shown}:{port}"
