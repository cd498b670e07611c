"""Puts the service before its engine, runs it and takes it down."""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2_grpc

from understudy.server.config import Config, ServerSettings
from understudy.server.config.settings import Settings
from understudy.server.control import running_control
from understudy.server.domain.experiments import Roster
from understudy.server.engine import Engine, running_engine
from understudy.server.errors import ConfigError
from understudy.server.experiments.desk import Desk
from understudy.server.experiments.following import Follower
from understudy.server.listening import check_exposure, credentials, is_loopback
from understudy.server.live import Live
from understudy.server.servicers.access import Access
from understudy.server.servicers.completion import CompletionServicer
from understudy.server.servicers.experiments import ExperimentServicer
from understudy.server.servicers.guard import Calls, Guard
from understudy.server.servicers.operations import OperationsServicer
from understudy.server.servicers.records import RecordServicer
from understudy.server.servicers.unbuilt import add_unbuilt_service
from understudy.v1 import (
    completion_pb2,
    completion_pb2_grpc,
    experiment_pb2,
    experiment_pb2_grpc,
    operations_pb2,
    operations_pb2_grpc,
    record_pb2,
    record_pb2_grpc,
)

_LOG = logging.getLogger(__name__)

_COMPLETIONS = completion_pb2.DESCRIPTOR.services_by_name["CompletionService"]
_OPERATIONS = operations_pb2.DESCRIPTOR.services_by_name["OperationsService"]
_EXPERIMENTS = experiment_pb2.DESCRIPTOR.services_by_name["ExperimentService"]
_RECORDS = record_pb2.DESCRIPTOR.services_by_name["RecordService"]
SERVICES = (
    _COMPLETIONS.full_name,
    _EXPERIMENTS.full_name,
    _RECORDS.full_name,
    _OPERATIONS.full_name,
)

_SERVING = health_pb2.HealthCheckResponse.SERVING
_NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING

# After the grace period handlers are cancelled; this long (seconds) they may take to clean up.
_LAST_WORDS = 1.0


class Service:
    """A service that has started. Made by `running`, ended by `drain`."""

    def __init__(
        self,
        server: grpc.aio.Server,
        servicer: health.aio.HealthServicer,
        calls: Calls,
        engine: Engine,
        port: int,
        settings: ServerSettings,
        *,
        is_open: bool,
    ) -> None:
        self._server = server
        self._health = servicer
        self._settings = settings
        self.is_open = is_open
        self.calls = calls
        self.engine = engine
        self.port = port

    @property
    def address(self) -> str:
        """`host:port`, as a client on this machine would dial it."""
        host = self._settings.host
        return f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"

    @property
    def is_tls(self) -> bool:
        """Whether clients must speak TLS."""
        return self._settings.tls.cert_file is not None

    async def drain(self) -> None:
        """Stop without losing a call: tell the balancers, wait, stop listening, wait for the rest.

        What is left of the grace is the mirror's; what is then still under way there is counted.

        `grpc.aio` cancels calls that no handler has begun, and returns before the handlers that
        it aborted ran their `finally`. Hence the delay, in which clients see NOT_SERVING and go
        elsewhere, and the count of our own.
        """
        drain = self._settings.drain
        await self._health.enter_graceful_shutdown()
        _LOG.info("draining: %d calls and watches under way", self.calls.running)
        await asyncio.sleep(drain.delay)
        self.calls.end_watches()
        end = asyncio.get_running_loop().time() + drain.grace
        await self._server.stop(drain.grace)
        try:
            await asyncio.wait_for(self.calls.wait_until_idle(), _LAST_WORDS)
        except TimeoutError:
            _LOG.warning("%d calls did not end in time", self.calls.running)
        left = max(0.0, end - asyncio.get_running_loop().time())
        await self.engine.mirror.drain(left)


@asynccontextmanager
async def running(config: Config) -> AsyncGenerator[Service, None]:
    """Run a service on the current event loop; leaving the context stops it at once.

    Raises ConfigError if it cannot listen as configured.
    """
    settings = config.settings.server
    for warning in check_exposure(settings):
        _LOG.warning("%s", warning)
    async with AsyncExitStack() as stack:
        registration = _Registration()
        engine = await stack.enter_async_context(
            running_engine(config, registration if _registers(config.settings) else None)
        )
        engine.live.wait()
        servicer = health.aio.HealthServicer()
        control = await stack.enter_async_context(
            running_control(
                config.settings,
                snapshot=lambda: engine.live.current,
                publish=partial(_publish, engine.live),
                tell=lambda follower: _tell(servicer, follower),
            )
        )
        registration.desk = control.desk
        server = grpc.aio.server(options=_options(settings))
        calls = Calls()
        access = Access(settings.api_keys, settings.tls.clients)
        guard = Guard(server, access, calls)
        completion_pb2_grpc.add_CompletionServiceServicer_to_server(
            CompletionServicer(
                engine.completer,
                engine.live,
                default_timeout=settings.default_timeout,
                max_message_bytes=settings.max_message_bytes,
            ),
            guard.door,
        )
        records = engine.records
        operations_pb2_grpc.add_OperationsServiceServicer_to_server(
            OperationsServicer(
                engine.live,
                engine.mirror,
                records.switches if records is not None else None,
                in_flight=lambda: calls.running,
                standing=engine.gate.standing,
                started=time.time(),
            ),
            guard.door,
        )
        if records is not None:
            record_pb2_grpc.add_RecordServiceServicer_to_server(
                RecordServicer(records.reader), guard.door
            )
        else:
            add_unbuilt_service(_RECORDS, guard)
        experiment_pb2_grpc.add_ExperimentServiceServicer_to_server(
            ExperimentServicer(control.desk), guard.door
        )
        health_pb2_grpc.add_HealthServicer_to_server(servicer, guard.door)
        for name in (_RECORDS.full_name, _OPERATIONS.full_name):
            await servicer.set(name, _SERVING)
        if _reflects(settings):
            reflection_pb2_grpc.add_ServerReflectionServicer_to_server(  # type: ignore[no-untyped-call]
                reflection.aio.ReflectionServicer((*SERVICES, health.SERVICE_NAME)), guard.door
            )
        port = _listen(server, settings)
        await server.start()
        stack.push_async_callback(server.stop, None)
        yield Service(server, servicer, calls, engine, port, settings, is_open=access.is_open)


class _Registration:
    """Hands calls that register an experiment to the desk, which is there after the engine."""

    desk: Desk

    async def register(
        self, experiment_id: str, models: Mapping[str, float], *, control: str, actor: str
    ) -> None:
        """Register an experiment."""
        await self.desk.register(experiment_id, models, control=control, actor=actor)


def _registers(settings: Settings) -> bool:
    wanted = settings.experiments.register_on_first_call
    return is_loopback(settings.server.host) if wanted == "auto" else wanted == "on"


async def _publish(live: Live, roster: Roster) -> None:
    live.follow(roster)


async def _tell(servicer: health.aio.HealthServicer, follower: Follower) -> None:
    """Tell balancers what can be asked: completions go on without the store, changes do not."""
    ready = _SERVING if follower.is_ready else _NOT_SERVING
    for name in ("", _COMPLETIONS.full_name):
        await servicer.set(name, ready)
    away = not follower.is_ready or follower.is_away
    await servicer.set(_EXPERIMENTS.full_name, _NOT_SERVING if away else _SERVING)


def _reflects(settings: ServerSettings) -> bool:
    if settings.reflection == "auto":
        return is_loopback(settings.host)
    return settings.reflection == "on"


def _options(settings: ServerSettings) -> list[tuple[str, int]]:
    return [
        ("grpc.so_reuseport", 0),  # a second server on the port must be an error, not a lottery
        ("grpc.max_receive_message_length", settings.max_message_bytes),
        ("grpc.max_send_message_length", settings.max_message_bytes),
        ("grpc.server_handshake_timeout_ms", 10_000),
        # Clients that ping an idle connection each 30 s are welcome; grpc's default is 5 min.
        ("grpc.http2.min_recv_ping_interval_without_data_ms", 10_000),
    ]


def _listen(server: grpc.aio.Server, settings: ServerSettings) -> int:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    address = f"{host}:{settings.port}"
    secrets = credentials(settings.tls)
    try:
        if secrets is None:
            port = server.add_insecure_port(address)
        else:
            port = server.add_secure_port(address, secrets)
    except RuntimeError:
        port = 0
    if not port:
        raise ConfigError(
            [
                (
                    f"understudy.server.port: cannot listen on {address}; if another program "
                    "has the port, choose another or 0 for a free one"
                )
            ]
        )
    return port
