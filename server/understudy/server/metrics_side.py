"""Serves /metrics, /healthz and /readyz beside whatever runs the service's event loop.

They have a listener and threads of their own, so that they answer also while the loop does not.
Where the figures come from is handed in once it is there.
"""

import asyncio
import logging
import threading
from collections.abc import AsyncGenerator, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any, Final, Protocol, TypeVar

from understudy.server.config.settings import MetricsSettings, Settings
from understudy.server.listening import is_loopback
from understudy.server.reloading import Reloads
from understudy.server.scraping import Answer, Page, answering
from understudy.server.sinks.metrics import Heartbeat, Reading, expose, families
from understudy.server.sinks.metrics.readings import read, sample

STUCK: Final = 3.0  # seconds without a sign of life until the loop counts as stuck
PATIENCE: Final = 2.0  # seconds to wait for the loop's answer
_TURN: Final = 8.0  # seconds to wait for another scrape to end
_SETTING: Final = "understudy.metrics"

_LOG = logging.getLogger(__name__)

_Found = TypeVar("_Found")


class Source(Protocol):
    """Who has the figures, and knows whether requests are taken."""

    def read_known(self) -> Reading:
        """Return what there is to be had without the loop. From any thread; never blocks."""
        ...

    async def read(self) -> Reading:
        """Return all figures. On the loop."""
        ...

    async def find_obstacle(self) -> str:
        """Return why no requests are taken, or nothing if they are. On the loop."""
        ...


class MetricsSide:
    """What scrapers and probes are answered from. Made by `running_metrics`."""

    def __init__(self) -> None:
        self.url = ""  # of /metrics, empty where it is switched off
        self.heartbeat = Heartbeat()
        self._loop = asyncio.get_running_loop()
        self._source: Source | None = None
        self._turn = threading.Lock()

    def show(self, source: Source) -> None:
        """Answer from this from now on."""
        self._source = source

    def answer_metrics(self, accept: str) -> Answer:
        """Answer /metrics. One at a time: a reading takes memory and time."""
        if not self._turn.acquire(timeout=_TURN):
            return Answer(b"others are being answered; try again\n", 503)
        try:
            content_type, body = expose(self._read(), accept)
        finally:
            self._turn.release()
        return Answer(body, content_type=content_type)

    def answer_health(self, _: str = "") -> Answer:
        """Answer /healthz: whether the process is alive."""
        silence = self.heartbeat.silence
        if silence < STUCK:
            return Answer(b"ok\n")
        return Answer(f"the event loop has been stuck for {silence:.1f} s\n".encode(), 503)

    def answer_readiness(self, _: str = "") -> Answer:
        """Answer /readyz: whether requests are taken, as gRPC health says."""
        if obstacle := self._find_obstacle():
            return Answer(f"{obstacle}\n".encode(), 503)
        return Answer(b"ready\n")

    def _find_obstacle(self) -> str:
        if self._source is None:
            return "starting"
        try:
            return self._ask(self._source.find_obstacle())
        except TimeoutError:
            return "the event loop does not answer"

    def _read(self) -> Reading:
        if self._source is None:
            return _write_ready("starting")
        try:
            return self._ask(_look(self._source))
        except TimeoutError:
            return self._source.read_known() + _write_ready("stuck")

    def _ask(self, question: Coroutine[Any, Any, _Found]) -> _Found:
        """Return the loop's answer. Raises TimeoutError if it does not come in time."""
        try:
            asked = asyncio.run_coroutine_threadsafe(question, self._loop)
        except RuntimeError:  # the loop has ended
            question.close()
            raise TimeoutError from None
        try:
            return asked.result(PATIENCE)
        except TimeoutError:
            asked.cancel()
            raise


async def _look(source: Source) -> Reading:
    return await source.read() + _write_ready(await source.find_obstacle())


def _write_ready(obstacle: str) -> Reading:
    return read([sample(families.READY, not obstacle)])


def write_reloads(reloads: Reloads) -> Reading:
    """Return how the configuration in use came to be."""
    return read(
        [
            sample(families.READ_TIME, round(reloads.time * families.MICRO)),
            sample(families.RELOAD_FAILED, bool(reloads.error)),
        ]
    )


@asynccontextmanager
async def running_metrics(settings: Settings) -> AsyncGenerator[MetricsSide]:
    """Serve until the context is left, unless it is switched off.

    Raises ConfigError if it cannot listen as configured.
    """
    side = MetricsSide()
    if not settings.metrics.enabled:
        yield side
        return
    host = settings.metrics.host
    if not is_loopback(host):
        _LOG.warning("everybody who can reach %s may read the metrics: counts, names, costs", host)
    pages: dict[str, Page] = {
        "/metrics": side.answer_metrics,
        "/healthz": side.answer_health,
        "/readyz": side.answer_readiness,
    }
    beating = asyncio.create_task(side.heartbeat.run())
    try:
        async with answering(pages, host, _choose_port(settings), _SETTING) as port:
            side.url = _write_url(host, port)
            yield side
    finally:
        beating.cancel()
        with suppress(asyncio.CancelledError):
            await beating


def _choose_port(settings: Settings) -> int:
    """Return the port to listen on: who lets the service's be chosen may start several."""
    port = settings.metrics.port
    is_usual = port == MetricsSettings().port
    return 0 if is_usual and not settings.server.port else port


def _write_url(host: str, port: int) -> str:
    # Every address of this machine is none that anybody could ask for.
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{port}/metrics"
