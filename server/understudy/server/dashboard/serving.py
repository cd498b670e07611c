"""Serves the dashboard from a thread and an event loop of its own, over a socket that listens."""

import asyncio
import logging
import socket
import threading
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Final

import uvicorn

from understudy.server.dashboard.cookies import Cookies
from understudy.server.dashboard.hosts import Hosts
from understudy.server.dashboard.house import House
from understudy.server.dashboard.listening import Address
from understudy.server.dashboard.pages import NAV, PAGES
from understudy.server.dashboard.site import Site
from understudy.server.dashboard.wire import Wire
from understudy.server.errors import ConfigError

_LOG = logging.getLogger(__name__)

_MOST_CONNECTIONS: Final = 256
_LONGEST_HEAD: Final = 32 << 10  # bytes
_IDLE: Final = 30  # seconds that a connection is kept for a browser that asks nothing
_LAST_WORDS: Final = 2.0  # seconds


@dataclass(frozen=True, slots=True)
class Dashboard:
    """A dashboard that is being served. `forget` ends all sessions.

    `ended` is set, on the loop that has begun it, when it serves no more.
    """

    ended: asyncio.Event
    forget: Callable[[], None]


@asynccontextmanager
async def running_dashboard(
    house: House, address: Address, listener: socket.socket
) -> AsyncGenerator[Dashboard]:
    """Serve over a listening socket until the context is left.

    Raises ConfigError for certificates that are none.
    """
    port: int = listener.getsockname()[1]
    site = Site(house, PAGES, NAV, Cookies(port, secure=address.cert_file is not None))
    server = _make_server(site, address)
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()

    def serve() -> None:
        _serve(server, listener)
        with suppress(RuntimeError):  # the loop may have gone meanwhile
            loop.call_soon_threadsafe(ended.set)

    thread = threading.Thread(target=serve, name="dashboard", daemon=True)
    thread.start()
    try:
        yield Dashboard(ended, site.forget)
    finally:
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


def _serve(server: uvicorn.Server, listener: socket.socket) -> None:
    try:
        # A loop of asyncio's own, whatever this process's is; signals are the main thread's.
        with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
            runner.run(server.serve(sockets=[listener]))
    except (Exception, SystemExit) as error:  # noqa: BLE001 - nobody is above it
        _LOG.error("the dashboard has ended: %s", type(error).__name__)
