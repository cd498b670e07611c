"""Everything behind the door: what answers calls on one event loop, put together.

The service opens it behind gRPC (`app`), the in-process router behind a function call
(`inprocess`); only here do the members of the outer row meet.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from understudy.server.completer import Completer
from understudy.server.config import Config, EgressSettings
from understudy.server.errors import ConfigError
from understudy.server.gate import SeatGate
from understudy.server.live import Live
from understudy.server.ports import Exchange, HttpRequest, Upstream
from understudy.server.providers import dialect
from understudy.server.simulated import SimulatedUpstream
from understudy.server.sinks.log import CallLog
from understudy.server.upstream import HttpUpstream


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
    """What answers calls, and what to look at while it does."""

    completer: Completer
    live: Live
    gate: SeatGate
    http: HttpUpstream


@asynccontextmanager
async def upstreams(egress: EgressSettings) -> AsyncGenerator[Upstreams]:
    """Open the ways to the models, for the current event loop.

    Raises ConfigError for a CA file that cannot be read.
    """
    try:
        http = HttpUpstream(proxy=egress.proxy, no_proxy=egress.no_proxy, ca_file=egress.ca_file)
    except OSError as error:
        raise ConfigError([f"understudy.egress.ca_file: {error}"]) from error
    async with http:
        yield Upstreams(http, SimulatedUpstream())


@asynccontextmanager
async def running_engine(config: Config) -> AsyncGenerator[Engine]:
    """Open what answers calls, for the current event loop."""
    async with AsyncExitStack() as stack:
        ways = await stack.enter_async_context(upstreams(config.settings.egress))
        live = Live(config.snapshot)
        gate = SeatGate()
        completer = Completer(
            live,
            dialect=dialect,
            upstream=ways,
            gate=gate,
            journal=CallLog(),
            clock=asyncio.get_running_loop().time,
        )
        yield Engine(completer, live, gate, ways.http)
