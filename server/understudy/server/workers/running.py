"""Puts a service of several processes together: the one that controls, and its workers."""

import asyncio
import logging
import os
import time
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import Final

import grpc

from understudy.server.config import Config, Source
from understudy.server.config.reminders import remind
from understudy.server.control import running_control
from understudy.server.dashboard_process.side import beside
from understudy.server.domain.experiments import Roster
from understudy.server.engine import trusted
from understudy.server.errors import RefusedError
from understudy.server.experiments.desk import Desk
from understudy.server.experiments.following import Follower
from understudy.server.listening import check_exposure, read_pems
from understudy.server.live import Live
from understudy.server.metrics_side import running_metrics
from understudy.server.mirror.pauses import Pauses
from understudy.server.processes.link import LinkError
from understudy.server.records import Listeners, Records, open_records
from understudy.server.reloading import Reloads
from understudy.server.reporting.running import running_reports
from understudy.server.servicers.access import Access
from understudy.server.servicers.calls import Calls
from understudy.server.servicers.control_services import add_control_services
from understudy.server.servicers.forwarding import Forwarded
from understudy.server.servicers.guard import Guard
from understudy.server.servicers.operations import OperationsServicer
from understudy.server.serving import write_address
from understudy.server.sinks.opening import open_sinks
from understudy.server.statedir import find_state_dir
from understudy.server.workers.child import spawn
from understudy.server.workers.counting import FleetFigures
from understudy.server.workers.fleet import Fleet, sailing
from understudy.server.workers.messages import Anything, Begin, Done, Register, Text
from understudy.server.workers.places import private_socket, reserved_port

_LAST_WORDS: Final = 10.0  # seconds beyond the drain until workers are killed

_LOG = logging.getLogger(__name__)


class Workers:
    """A service of several processes that has started. Made by `running_workers`."""

    def __init__(self, config: Config, fleet: Fleet, port: int, records: Records | None) -> None:
        self._settings = config.settings.server
        self._fleet = fleet
        self.port = port
        self.records = records
        self.dashboard = ""  # its URL, empty where it is switched off
        self.metrics = ""  # likewise
        self.is_open = Access(self._settings.api_keys, self._settings.tls.clients).is_open

    @property
    def address(self) -> str:
        """`host:port`, as a client on this machine would dial it."""
        return write_address(self._settings.host, self.port)

    @property
    def is_tls(self) -> bool:
        """Whether clients must speak TLS."""
        return self._settings.tls.cert_file is not None

    async def wait_until_failed(self) -> None:
        """Return when no worker can be kept alive."""
        await self._fleet.failed.wait()

    async def drain(self) -> None:
        """Stop without losing a call."""
        drain = self._settings.drain
        await self._fleet.drain(drain.delay + drain.grace + _LAST_WORDS)

    def kill(self) -> None:
        """End all workers at once."""
        self._fleet.kill()


@asynccontextmanager
async def running_workers(
    config: Config, log_level: str, reloads: Reloads
) -> AsyncGenerator[Workers]:
    """Control on the current event loop what workers serve; leaving the context ends all at once.

    By `reloads` they take other readings of the file. Raises ConfigError if they cannot listen,
    or run, as configured.
    """
    settings = config.settings
    for warning in (*check_exposure(settings.server), *remind(config.report, time.time())):
        _LOG.warning("%s", warning)
    place = find_state_dir(settings.state_dir, os.environ)
    async with AsyncExitStack() as stack:
        metrics = await stack.enter_async_context(running_metrics(settings))
        host = settings.server.host
        port = stack.enter_context(reserved_port(host, settings.server.port))
        path = stack.enter_context(private_socket(place))
        records: Records | None = None
        if settings.records.enabled:
            # Calls are told of where they are served; here only what is said of them afterwards.
            sinks = await asyncio.to_thread(open_sinks, settings, place, config.environ)
            stack.push_async_callback(asyncio.to_thread, sinks.close, settings.server.drain.grace)
            listeners = Listeners(sinks, sinks.with_words) if sinks else None
            opening = partial(
                open_records,
                settings.records,
                place,
                redaction=settings.redaction,
                listeners=listeners,
            )
            records = await asyncio.to_thread(opening)
            stack.push_async_callback(asyncio.to_thread, records.close)
        live = Live(config.snapshot)
        desk = _Desk()
        text = _write_text(config.source)
        fleet = Fleet(
            settings.server.workers,
            partial(spawn, desk.answer),
            Begin(
                text,
                text,
                settings.server.workers,
                host,
                port,
                settings.state_dir,
                str(path),
                log_level,
            ),
            await asyncio.to_thread(_load_pauses, records),
        )
        control = await stack.enter_async_context(
            running_control(
                settings,
                seeds=config.seeds,
                snapshot=lambda: live.current,
                publish=partial(_publish, live, fleet),
                tell=partial(_tell, fleet),
            )
        )
        desk.desk = control.desk
        reports = await stack.enter_async_context(running_reports(settings, lambda: live.current))
        server = grpc.aio.server(
            options=[("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
        )
        operations = OperationsServicer(
            live,
            fleet,
            records.switches if records is not None else None,
            Reloads(config, lambda: config, time.time),
        )
        add_control_services(
            Guard(server, Forwarded(), Calls()),
            control.desk,
            records.reader if records is not None else None,
            records.feedback if records is not None else None,
            reports,
            operations,
        )
        server.add_insecure_port(f"unix:{path}")
        await server.start()
        stack.push_async_callback(server.stop, None)
        await stack.enter_async_context(sailing(fleet))
        service = Workers(config, fleet, port, records)
        service.metrics = metrics.url
        metrics.show(FleetFigures(fleet.counting, fleet.find_obstacle, reloads))
        if metrics.url:
            stack.callback(asyncio.create_task(fleet.counting.run()).cancel)
        dashboard = await stack.enter_async_context(
            beside(
                settings,
                address=service.address,
                desk=control.desk,
                snapshot=lambda: live.current,
                reports=reports,
                operations=operations,
            )
        )
        service.dashboard = dashboard.url

        async def use(wanted: Config) -> bool:
            server = wanted.settings.server
            dashboard.check(wanted)
            check_exposure(
                replace(settings.server, api_keys=server.api_keys, insecure=server.insecure)
            )
            # What stops one worker stops all, and must do so before any has changed.
            await asyncio.to_thread(trusted, wanted)
            await asyncio.to_thread(read_pems, server.tls)
            live.reload(wanted.snapshot)
            renewed = await fleet.reload(_write_text(wanted.source))
            control.reload(wanted.snapshot, wanted.seeds)
            await dashboard.reload(wanted)
            return renewed

        await stack.enter_async_context(reloads.answering(use))
        yield service


class _Desk:
    """Answers workers: they ask for nothing but that what a call brings along be registered."""

    desk: Desk

    async def answer(self, message: Anything) -> Anything:
        """Register an experiment."""
        if not isinstance(message, Register):
            raise LinkError(f"nobody here answers {type(message).__name__}")
        await self.desk.register(
            message.experiment, message.models, control=message.control, actor=message.actor
        )
        return Done()


def _write_text(source: Source) -> Text:
    return Text(source.file, source.text, source.included)


async def _publish(live: Live, fleet: Fleet, roster: Roster) -> None:
    live.follow(roster)
    await fleet.publish(roster)


async def _tell(fleet: Fleet, follower: Follower) -> None:
    await fleet.tell(is_ready=follower.is_ready, is_away=follower.is_away)


def _load_pauses(records: Records | None) -> Pauses:
    """Return what was paused when the service last ran. Blocks."""
    if records is None:
        return Pauses()
    try:
        names = [one.silent_model for one in records.switches.load()]
    except RefusedError:
        # Rather no mirrored call than one that somebody stopped.
        return Pauses(everything=True)
    return Pauses("" in names, frozenset(name for name in names if name))
