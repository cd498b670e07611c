"""Everything behind the door: what answers calls on one event loop, put together.

The service opens it behind gRPC (`app`), the in-process router behind a function call
(`inprocess`); only here do the members of the outer row meet.
"""

import asyncio
import logging
import os
import ssl
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial

from understudy.server.completer import Completer
from understudy.server.config import Config, EgressSettings
from understudy.server.errors import ConfigError, RefusedError
from understudy.server.gate import SeatGate
from understudy.server.live import Live
from understudy.server.mirror import ThreadedMirror
from understudy.server.ports import Exchange, HttpRequest, Journal, Upstream
from understudy.server.providers import dialect
from understudy.server.records import Records, open_records
from understudy.server.simulated import SimulatedUpstream
from understudy.server.sinks.fanout import Fanout
from understudy.server.sinks.log import CallLog
from understudy.server.statedir import find_state_dir
from understudy.server.upstream import HttpUpstream
from understudy.server.upstream.egress import make_tls_context

_LOG = logging.getLogger(__name__)

MAX_RESPONSE_BYTES = 32 << 20

# Silent models are given less time to be reached: what hangs there holds up other copies.
_SILENT_CONNECT = 2.0  # seconds


class Upstreams:
    """Sends simulated models their prompts without a network, and all others theirs by HTTP."""

    def __init__(self, http: HttpUpstream, simulated: Upstream) -> None:
        self.http = http
        self._simulated = simulated

    def exchange(
        self, request: HttpRequest, deadline: float, silence: float | None = None
    ) -> AbstractAsyncContextManager[Exchange]:
        """Send a request the way that its endpoint's scheme says."""
        way: Upstream = self.http
        if request.endpoint.url.startswith("simulated:"):
            way = self._simulated
        return way.exchange(request, deadline, silence)


@dataclass(frozen=True, slots=True)
class Engine:
    """What answers calls, and what to look at while it does. `records` is None where off."""

    completer: Completer
    live: Live
    gate: SeatGate
    http: HttpUpstream
    mirror: ThreadedMirror
    records: Records | None


@asynccontextmanager
async def upstreams(
    egress: EgressSettings,
    *,
    tls: ssl.SSLContext | None = None,
    max_response_bytes: int = MAX_RESPONSE_BYTES,
    connect_timeout: float = 5.0,
) -> AsyncGenerator[Upstreams]:
    """Open the ways to the models, for the current event loop.

    Raises ConfigError for a CA file that cannot be read.
    """
    http = HttpUpstream(
        proxy=egress.proxy,
        no_proxy=egress.no_proxy,
        tls=tls or _trust(egress),
        max_response_bytes=max_response_bytes,
        connect_timeout=connect_timeout,
    )
    async with http:
        yield Upstreams(http, SimulatedUpstream())


@asynccontextmanager
async def running_engine(config: Config) -> AsyncGenerator[Engine]:
    """Open what answers calls, for the current event loop; leaving the context ends it at once.

    Raises ConfigError for files and stores that cannot be as configured.
    """
    settings = config.settings
    async with AsyncExitStack() as stack:
        tls = _trust(settings.egress)
        ways = await stack.enter_async_context(upstreams(settings.egress, tls=tls))
        records = None
        journals: list[Journal] = [CallLog()]
        if settings.records.enabled:
            place = find_state_dir(settings.state_dir, os.environ)
            records = await asyncio.to_thread(open_records, settings.records, place)
            stack.push_async_callback(asyncio.to_thread, records.close)
            journals.append(records.recorder)
        journal = Fanout(*journals)
        mirror = ThreadedMirror(
            settings.mirror,
            dialect=dialect,
            upstream=partial(
                upstreams,
                settings.egress,
                tls=tls,
                max_response_bytes=settings.mirror.max_response_bytes,
                connect_timeout=_SILENT_CONNECT,
            ),
            journal=journal,
            # Of the same kind as ours: after uvloop has run, a child that forks may crash as it
            # leaves, so the in-process router, whose callers may fork, brings asyncio's own.
            new_loop=type(asyncio.get_running_loop()),
        )
        stack.push_async_callback(mirror.drain, 0.0)
        if records is not None:
            await _keep_pauses(mirror, records)
        await mirror.start()
        live = Live(config.snapshot)
        gate = SeatGate()
        completer = Completer(
            live,
            dialect=dialect,
            upstream=ways,
            gate=gate,
            mirror=mirror,
            mirror_after=settings.mirror.start == "after_primary",
            journal=journal,
            clock=asyncio.get_running_loop().time,
        )
        yield Engine(completer, live, gate, ways.http, mirror, records)


async def _keep_pauses(mirror: ThreadedMirror, records: Records) -> None:
    """Pause what was paused when the service last ran."""
    try:
        for pause in await asyncio.to_thread(records.switches.load):
            mirror.pause(pause.silent_model or None)
            what = pause.silent_model or "all silent models"
            _LOG.warning("mirroring to %s is still paused, by %s", what, pause.actor)
    except RefusedError:
        # Rather no mirrored call than one that somebody stopped.
        mirror.pause(None)
        _LOG.warning("mirroring is paused: whether it was before cannot be read")


def _trust(egress: EgressSettings) -> ssl.SSLContext:
    try:
        return make_tls_context(egress.ca_file)
    except OSError as error:
        raise ConfigError([f"understudy.egress.ca_file: {error}"]) from error
