"""Everything behind the door: what answers calls on one event loop, put together.

The service opens it behind gRPC (`app`), the in-process router behind a function call
(`inprocess`); only here do the members of the outer row meet.
"""

import asyncio
import logging
import os
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from ssl import SSLError

from understudy.server.completer import Completer
from understudy.server.config import Config, EgressSettings
from understudy.server.config.comparing import find_replaced
from understudy.server.config.reminders import remind
from understudy.server.errors import ConfigError, RefusedError
from understudy.server.gate import DeploymentGate
from understudy.server.live import Live
from understudy.server.mirror import ThreadedMirror
from understudy.server.ports import Exchange, HttpRequest, Journal, Registrar, Sink, Upstream
from understudy.server.providers import dialect
from understudy.server.pulse import beat
from understudy.server.records import Listeners, Records, open_records, open_teller
from understudy.server.routing.yielding import Yielding
from understudy.server.simulated import SimulatedUpstream
from understudy.server.sinks.fanout import Fanout
from understudy.server.sinks.heavy_keys import HeavyKeyLog
from understudy.server.sinks.log import CallLog
from understudy.server.sinks.opening import open_sinks
from understudy.server.sinks.telling import Sinks
from understudy.server.statedir import find_state_dir
from understudy.server.upstream import HttpUpstream, SignedIn
from understudy.server.upstream.egress import USUAL, TlsContexts

_LOG = logging.getLogger(__name__)

MAX_RESPONSE_BYTES = 32 << 20

# Silent models are given less time to be reached: what hangs there holds up other copies.
_SILENT_CONNECT = 2.0  # seconds

# For sinks to hand on what they were told last, within the drain's grace.
_LAST_WORDS = 5.0  # seconds


class Upstreams:
    """Sends simulated models their prompts without a network, and all others theirs by HTTP."""

    def __init__(self, http: HttpUpstream, signed_in: Upstream, simulated: Upstream) -> None:
        self.http = http
        self._signed_in = signed_in
        self._simulated = simulated

    def exchange(
        self, request: HttpRequest, deadline: float, silence: float | None = None
    ) -> AbstractAsyncContextManager[Exchange]:
        """Send a request the way that its endpoint says."""
        way: Upstream = self.http
        if request.endpoint.login is not None:
            way = self._signed_in
        if request.endpoint.url.startswith("simulated:"):
            way = self._simulated
        return way.exchange(request, deadline, silence)


@dataclass(frozen=True, slots=True)
class Engine:
    """What answers calls, and what to look at while it does. `records` is None where off."""

    completer: Completer
    live: Live
    gate: DeploymentGate
    http: HttpUpstream
    mirror: ThreadedMirror
    yielding: Yielding
    records: Records | None
    tls: TlsContexts
    sinks: Sinks

    def reload(self, config: Config, tls: TlsContexts) -> None:
        """Use what another reading of the file says for the calls to come; `tls` is of `trusted`.

        What was learnt of deployments that are gone, or are elsewhere now, is forgotten.
        """
        replaced = find_replaced(self.live.current, config.snapshot)
        self.tls.adopt(tls)
        self.live.reload(config.snapshot)
        self.gate.forget(replaced)


@asynccontextmanager
async def upstreams(
    egress: EgressSettings,
    *,
    tls: TlsContexts | None = None,
    max_response_bytes: int = MAX_RESPONSE_BYTES,
    connect_timeout: float = 5.0,
) -> AsyncGenerator[Upstreams]:
    """Open the ways to the models, for the current event loop. `tls` is of `trusted`."""
    http = HttpUpstream(
        proxy=egress.proxy,
        no_proxy=egress.no_proxy,
        ca_file=egress.ca_file,
        tls=tls,
        max_response_bytes=max_response_bytes,
        connect_timeout=connect_timeout,
    )
    async with http, SignedIn(http, asyncio.get_running_loop().time) as signed_in:
        yield Upstreams(http, signed_in, SimulatedUpstream())


@asynccontextmanager
async def running_engine(
    config: Config, registrar: Registrar | None = None, also: Sequence[Sink] = ()
) -> AsyncGenerator[Engine]:
    """Open what answers calls, for the current event loop; leaving the context ends it at once.

    `also` are told of calls beside the sinks that the settings name, of figures only.
    Raises ConfigError for files and stores that cannot be as configured.
    """
    settings = config.settings
    async with AsyncExitStack() as stack:
        for told in remind(config.report, time.time()):
            _LOG.warning("%s", told)
        tls = await asyncio.to_thread(trusted, config)
        ways = await stack.enter_async_context(upstreams(settings.egress, tls=tls))
        records = None
        journals: list[Journal] = [CallLog(), HeavyKeyLog()]
        place = find_state_dir(settings.state_dir, os.environ)
        sinks = await asyncio.to_thread(open_sinks, settings, place, config.environ, also)
        patience = min(settings.server.drain.grace, _LAST_WORDS)
        stack.push_async_callback(asyncio.to_thread, sinks.close, patience)
        listeners = Listeners(sinks, sinks.with_words) if sinks else None
        if settings.records.enabled:
            opening = partial(
                open_records,
                settings.records,
                place,
                redaction=settings.redaction,
                listeners=listeners,
            )
            records = await asyncio.to_thread(opening)
            stack.push_async_callback(asyncio.to_thread, records.close)
            journals.append(records.recorder)
        elif listeners is not None:
            teller = open_teller(settings.redaction, listeners)
            stack.push_async_callback(asyncio.to_thread, teller.close)
            journals.append(teller)
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
            treasury=records.leases if records is not None else None,
            # Of the same kind as ours: after uvloop has run, a child that forks may crash as it
            # leaves, so the in-process router, whose callers may fork, brings asyncio's own.
            new_loop=type(asyncio.get_running_loop()),
        )
        stack.push_async_callback(mirror.drain, 0.0)
        if records is not None:
            await _keep_pauses(mirror, records)
        await mirror.start()
        yielding = Yielding(settings.mirror.yield_at)
        if settings.mirror.yield_at is not None:
            stack.callback(asyncio.create_task(beat(yielding)).cancel)
        live = Live(config.snapshot)
        # The loop's own time, which it also is, stands still while the loop is busy, and with
        # uvloop goes by milliseconds.
        clock = time.monotonic
        gate = DeploymentGate(clock)
        completer = Completer(
            live,
            dialect=dialect,
            upstream=ways,
            gate=gate,
            mirror=mirror,
            mirror_after=settings.mirror.start == "after_primary",
            mirror_share=lambda: yielding.share,
            registrar=registrar,
            journal=journal,
            clock=clock,
        )
        yield Engine(completer, live, gate, ways.http, mirror, yielding, records, tls, sinks)


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


def trusted(config: Config) -> TlsContexts:
    """Return the TLS contexts of all that will be asked. Blocks while it reads files.

    Raises ConfigError for a CA file that cannot be read.
    """
    ca_file = config.settings.egress.ca_file
    contexts = TlsContexts(ca_file)
    wanted = {USUAL: f"understudy.egress.ca_file: cannot read {ca_file}"}
    for group in config.snapshot.groups.values():
        for one in group.deployments:
            if one.endpoint is not None and (trust := one.endpoint.trust) is not None:
                told = f"model group {group.name!r}: ssl_verify: cannot read {trust.ca_file}"
                wanted.setdefault(trust, told)
    for trust, told in wanted.items():
        try:
            contexts.find(trust)
        except OSError as error:
            why = "it holds no certificate" if isinstance(error, SSLError) else error.strerror
            raise ConfigError([f"{told}: {why}"]) from error
    return contexts
