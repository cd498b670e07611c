"""Puts a service together that is one process: what answers calls, and what controls that.

With more than one worker they are processes of their own: `workers`.
"""

import logging
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

from grpc_health.v1 import health

from understudy.server.config import Config
from understudy.server.control import running_control
from understudy.server.dashboard_process.side import beside
from understudy.server.domain.experiments import Roster
from understudy.server.engine import Engine, running_engine
from understudy.server.experiments.desk import Desk
from understudy.server.experiments.following import Follower
from understudy.server.listening import check_exposure
from understudy.server.live import Live
from understudy.server.measuring import Measured, OwnFigures
from understudy.server.metrics_side import running_metrics
from understudy.server.reloading import Reloads
from understudy.server.reporting.desk import ReportDesk
from understudy.server.reporting.running import running_reports
from understudy.server.servicers.calls import Calls
from understudy.server.servicers.control_services import add_control_services
from understudy.server.servicers.guard import Guard
from understudy.server.servicers.operations import OperationsServicer
from understudy.server.servicers.own_status import OwnHost
from understudy.server.serving import (
    SERVICES,
    UNKNOWN_EXPERIMENTS,
    Service,
    registers,
    serving,
    tell_health,
)
from understudy.server.sinks.metrics import CallMetrics

__all__ = ["SERVICES", "Service", "running"]

_LOG = logging.getLogger(__name__)


@asynccontextmanager
async def running(config: Config, reloads: Reloads | None = None) -> AsyncGenerator[Service, None]:
    """Run a service on the current event loop; leaving the context stops it at once.

    By `reloads` it takes other readings of its file. Raises ConfigError if it cannot listen as
    configured.
    """
    reloads = reloads or Reloads(config, lambda: config, time.time)
    for warning in check_exposure(config.settings.server):
        _LOG.warning("%s", warning)
    async with AsyncExitStack() as stack:
        registration = _Registration()
        metrics = await stack.enter_async_context(running_metrics(config.settings))
        counted = CallMetrics(lambda: config.snapshot)
        engine = await stack.enter_async_context(
            running_engine(
                config,
                registration if registers(config.settings) else None,
                [counted] if metrics.url else [],
            )
        )
        counted.follow(lambda: engine.live.current)
        engine.live.wait()
        servicer = health.aio.HealthServicer()
        control = await stack.enter_async_context(
            running_control(
                config.settings,
                seeds=config.seeds,
                snapshot=lambda: engine.live.current,
                publish=partial(_publish, engine.live),
                tell=lambda follower: _tell(servicer, follower),
            )
        )
        registration.desk = control.desk
        reports = await stack.enter_async_context(
            running_reports(config.settings, lambda: engine.live.current)
        )
        others = _Others(engine, control.desk, reports, reloads)
        service = await stack.enter_async_context(serving(config, engine, servicer, others.add))
        service.metrics = metrics.url
        measured = Measured(
            engine,
            counted,
            metrics.heartbeat,
            in_flight=lambda: service.calls.running,
            overload=service.overload,
            max_queue=config.settings.mirror.max_queue,
            started=time.time(),
        )
        find_obstacle = partial(_find_obstacle, service, control.follower)
        metrics.show(OwnFigures(measured, find_obstacle, reloads))
        dashboard = await stack.enter_async_context(
            beside(
                config.settings,
                address=service.address,
                desk=control.desk,
                snapshot=lambda: engine.live.current,
                reports=reports,
                operations=others.operations,
            )
        )
        service.dashboard = dashboard.url

        async def use(wanted: Config) -> bool:
            dashboard.check(wanted)
            renewed = await service.reload(wanted)
            await dashboard.reload(wanted)
            control.reload(wanted.snapshot, wanted.seeds)
            return renewed

        await stack.enter_async_context(reloads.answering(use))
        yield service


class _Others:
    """Adds the services that are not about completions. `operations` is there once it has."""

    operations: OperationsServicer

    def __init__(
        self, engine: Engine, desk: Desk, reports: ReportDesk | None, reloads: Reloads
    ) -> None:
        self._engine = engine
        self._desk = desk
        self._reports = reports
        self._reloads = reloads

    def add(self, guard: Guard, calls: Calls) -> None:
        """Add them."""
        engine = self._engine
        records = engine.records
        host = OwnHost(
            engine.live,
            engine.mirror,
            in_flight=lambda: calls.running,
            standing=engine.gate.standing,
            started=time.time(),
            sinks=lambda: engine.sinks.figures,
            mirror_share=lambda: engine.yielding.share,
            taken=lambda: guard.taken,
        )
        self.operations = OperationsServicer(
            engine.live, host, records.switches if records is not None else None, self._reloads
        )
        archive, feedback = (records.reader, records.feedback) if records else (None, None)
        add_control_services(guard, self._desk, archive, feedback, self._reports, self.operations)


class _Registration:
    """Hands calls that register an experiment to the desk, which is there after the engine."""

    desk: Desk

    async def register(
        self, experiment_id: str, models: Mapping[str, float], *, control: str, actor: str
    ) -> None:
        """Register an experiment."""
        await self.desk.register(experiment_id, models, control=control, actor=actor)


def _find_obstacle(service: Service, follower: Follower) -> str:
    """Return why no completions are taken, or nothing if they are: as gRPC health says."""
    if service.is_draining:
        return "draining"
    return "" if follower.is_ready else UNKNOWN_EXPERIMENTS


async def _publish(live: Live, roster: Roster) -> None:
    live.follow(roster)


async def _tell(servicer: health.aio.HealthServicer, follower: Follower) -> None:
    await tell_health(servicer, is_ready=follower.is_ready, is_away=follower.is_away)
