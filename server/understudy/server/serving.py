"""The server that callers meet, in each process that serves: its door, its port, its end.

It answers completions, health and reflection itself. Who answers the other services, this
process or the one that controls it, is handed in by `app` and `workers`.
"""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Final

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2_grpc

from understudy.server.config import Config, ServerSettings
from understudy.server.config.settings import Settings
from understudy.server.connections import write_options
from understudy.server.engine import Engine, trusted
from understudy.server.errors import ConfigError
from understudy.server.listening import Certificates, check_exposure, is_loopback, read_pems
from understudy.server.records import Records
from understudy.server.servicers.access import Access
from understudy.server.servicers.calls import Calls
from understudy.server.servicers.completion import CompletionServicer
from understudy.server.servicers.guard import Guard
from understudy.server.servicers.knocking import Knocking
from understudy.server.servicers.overload import Overload
from understudy.v1 import (
    completion_pb2,
    completion_pb2_grpc,
    experiment_pb2,
    operations_pb2,
    record_pb2,
)

_LOG = logging.getLogger(__name__)

COMPLETIONS = completion_pb2.DESCRIPTOR.services_by_name["CompletionService"]
OPERATIONS = operations_pb2.DESCRIPTOR.services_by_name["OperationsService"]
EXPERIMENTS = experiment_pb2.DESCRIPTOR.services_by_name["ExperimentService"]
RECORDS = record_pb2.DESCRIPTOR.services_by_name["RecordService"]
SERVICES = (
    COMPLETIONS.full_name,
    EXPERIMENTS.full_name,
    RECORDS.full_name,
    OPERATIONS.full_name,
)

# Why nobody is ready whose store is away, and who has no snapshot of what it held.
UNKNOWN_EXPERIMENTS: Final = "the experiments are not known yet: their store does not answer"

_SERVING = health_pb2.HealthCheckResponse.SERVING
_NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING

# After the grace period handlers are cancelled; this long (seconds) they may take to clean up.
_LAST_WORDS = 1.0


class Service:
    """A service that has started. Made by `serving`, ended by `drain`."""

    def __init__(
        self,
        server: grpc.aio.Server,
        servicer: health.aio.HealthServicer,
        calls: Calls,
        engine: Engine,
        port: int,
        settings: ServerSettings,
        access: Access,
        certificates: Certificates,
        overload: Overload,
        knocking: Knocking,
    ) -> None:
        self._server = server
        self._knocking = knocking
        self._health = servicer
        self._settings = settings
        self._access = access
        self._certificates = certificates
        self.calls = calls
        self.overload = overload
        self.engine = engine
        self.port = port
        self.dashboard = ""  # its URL, empty where it is switched off
        self.metrics = ""  # likewise
        self.is_draining = False

    @property
    def is_open(self) -> bool:
        """Whether nobody has to prove anything."""
        return self._access.is_open

    @property
    def records(self) -> Records | None:
        """What is recorded, None where nothing is."""
        return self.engine.records

    @property
    def address(self) -> str:
        """`host:port`, as a client on this machine would dial it."""
        return write_address(self._settings.host, self.port)

    @property
    def is_tls(self) -> bool:
        """Whether clients must speak TLS."""
        return self._settings.tls.cert_file is not None

    async def reload(self, config: Config) -> bool:
        """Use what another reading of the file says, for the calls to come, all of it at once.

        Calls under way, and connections, stay as they are. Settings that need another start are
        left alone. Returns whether the certificates differ. Raises ConfigError, and changes
        nothing, for files that cannot be read and for a door that would be left open.
        """
        wanted = config.settings.server
        door = replace(self._settings, api_keys=wanted.api_keys, insecure=wanted.insecure)
        warnings = check_exposure(door)
        tls = await asyncio.to_thread(trusted, config)
        pems = await asyncio.to_thread(read_pems, wanted.tls)
        # From here on nothing waits and nothing fails.
        was_open = self.is_open
        self.engine.reload(config, tls)
        self._access.use(wanted.api_keys, wanted.tls.clients)
        self.calls.end_refused_watches()
        for warning in warnings:
            _LOG.warning("%s", warning)
        if self.is_open and not was_open:
            _LOG.warning("auth=off: nobody has to prove anything any more")
        return self._certificates.use(pems)

    async def drain(self) -> None:
        """Stop without losing a call: tell the balancers, wait, stop listening, wait for the rest.

        What is left of the grace is the mirror's; what is then still under way there is counted.

        `grpc.aio` cancels calls that no handler has begun, and returns before the handlers that
        it aborted ran their `finally`. Hence the delay, in which clients see NOT_SERVING and go
        elsewhere, and the count of our own.
        """
        drain = self._settings.drain
        self.is_draining = True
        await self._health.enter_graceful_shutdown()
        _LOG.info("draining: %d calls and watches under way", self.calls.running)
        await asyncio.sleep(drain.delay)
        await self.calls.end_watches(_LAST_WORDS)
        end = asyncio.get_running_loop().time() + drain.grace
        await self._knocking.end()
        await self._server.stop(drain.grace)
        try:
            await asyncio.wait_for(self.calls.wait_until_idle(), _LAST_WORDS)
        except TimeoutError:
            _LOG.warning("%d calls did not end in time", self.calls.running)
        left = max(0.0, end - asyncio.get_running_loop().time())
        await self.engine.mirror.drain(left)


@asynccontextmanager
async def serving(
    config: Config,
    engine: Engine,
    servicer: health.aio.HealthServicer,
    add_others: Callable[[Guard, Calls], None],
    *,
    shares_port: bool = False,
) -> AsyncGenerator[Service, None]:
    """Listen on the current event loop; leaving the context stops that at once.

    `add_others` adds the services that are not answered here. With `shares_port` others of the
    same user may listen on the port too. Raises ConfigError if it cannot listen as configured.
    """
    settings = config.settings.server
    server = grpc.aio.server(options=write_options(settings, shares_port=shares_port))
    calls = Calls()
    access = Access(settings.api_keys, settings.tls.clients)
    certificates = Certificates(await asyncio.to_thread(read_pems, settings.tls))
    overload = Overload(settings.limits, time.monotonic)
    guard = Guard(server, access, calls, overload)
    completion_pb2_grpc.add_CompletionServiceServicer_to_server(
        CompletionServicer(
            engine.completer,
            engine.live,
            default_timeout=settings.default_timeout,
            max_message_bytes=settings.max_message_bytes,
        ),
        guard.door,
    )
    add_others(guard, calls)
    health_pb2_grpc.add_HealthServicer_to_server(servicer, guard.door)
    for name in (RECORDS.full_name, OPERATIONS.full_name):
        await servicer.set(name, _SERVING)
    if _reflects(settings):
        reflection_pb2_grpc.add_ServerReflectionServicer_to_server(  # type: ignore[no-untyped-call]
            reflection.aio.ReflectionServicer((*SERVICES, health.SERVICE_NAME)), guard.door
        )
    port = _listen(server, settings, certificates)
    knocking = Knocking(server, overload, engine.yielding.strain)
    try:
        await server.start()
        knocking.begin()
        yield Service(
            server,
            servicer,
            calls,
            engine,
            port,
            settings,
            access,
            certificates,
            overload,
            knocking,
        )
    finally:
        await knocking.end()
        await server.stop(None)


async def tell_health(
    servicer: health.aio.HealthServicer, *, is_ready: bool, is_away: bool
) -> None:
    """Tell balancers what can be asked: completions go on without the store, changes do not."""
    ready = _SERVING if is_ready else _NOT_SERVING
    for name in ("", COMPLETIONS.full_name):
        await servicer.set(name, ready)
    away = not is_ready or is_away
    await servicer.set(EXPERIMENTS.full_name, _NOT_SERVING if away else _SERVING)


def registers(settings: Settings) -> bool:
    """Whether a call may register the experiment that it names."""
    wanted = settings.experiments.register_on_first_call
    return is_loopback(settings.server.host) if wanted == "auto" else wanted == "on"


def write_address(host: str, port: int) -> str:
    """Return `host:port`, an address of IPv6 in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _reflects(settings: ServerSettings) -> bool:
    if settings.reflection == "auto":
        return is_loopback(settings.host)
    return settings.reflection == "on"


def _listen(server: grpc.aio.Server, settings: ServerSettings, certificates: Certificates) -> int:
    address = write_address(settings.host, settings.port)
    secrets = certificates.credentials
    try:
        if secrets is None:
            port = server.add_insecure_port(address)
        else:
            port = server.add_secure_port(address, secrets)
    except RuntimeError:
        port = 0
    if not port:
        raise port_taken(address)
    return port


def port_taken(address: str) -> ConfigError:
    """Return what is wrong where nothing can listen."""
    return ConfigError(
        [
            (
                f"understudy.server.port: cannot listen on {address}; if another program "
                "has the port, choose another or 0 for a free one"
            )
        ]
    )
