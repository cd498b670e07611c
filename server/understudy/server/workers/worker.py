"""A process that serves: it answers completions with what its parent hands it.

It listens when it is told to, and drains when it is told to, when it is signalled, and when its
parent has gone.
"""

import asyncio
import os
import select
import signal
import socket
import threading
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Final

import grpc
import msgspec
from grpc_health.v1 import health

from understudy.server.collecting import settle
from understudy.server.config import Config, Report, parse
from understudy.server.domain.experiments import Roster
from understudy.server.engine import Engine, running_engine
from understudy.server.errors import ConfigError, Reason, RefusedError
from understudy.server.logs import set_up_logging
from understudy.server.measuring import Measured
from understudy.server.precedence import answer_first
from understudy.server.processes.link import Link, LinkError, open_link
from understudy.server.servicers.calls import Calls
from understudy.server.servicers.forwarding import add_forwarding
from understudy.server.servicers.guard import Guard
from understudy.server.servicers.own_status import OwnHost
from understudy.server.serving import (
    EXPERIMENTS,
    OPERATIONS,
    RECORDS,
    Service,
    registers,
    serving,
    tell_health,
)
from understudy.server.sinks.metrics import CallMetrics, Heartbeat
from understudy.server.workers.messages import (
    FRAMES,
    Anything,
    Begin,
    Count,
    Counted,
    Describe,
    Described,
    Done,
    Drain,
    Faulty,
    Follow,
    Listen,
    Pause,
    Register,
    Reload,
    Reloaded,
    Resume,
    Tell,
    Text,
)
from understudy.server.workers.places import remove
from understudy.server.workers.sharing import share

_REGISTERED: Final = 30.0  # seconds for the store to take an experiment
_LAST_WORDS: Final = 15.0  # seconds beyond the drain, for records to be written

_ROSTERS = msgspec.json.Decoder(Roster)


class Worker:
    """What a process does from its first breath to its last."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        # Each is None once there is no point in going on.
        self._begun: asyncio.Future[Begin | None] = loop.create_future()
        self._may_listen: asyncio.Future[Listen | None] = loop.create_future()
        self._prepared: asyncio.Future[Anything] = loop.create_future()
        self._listening: asyncio.Future[Anything] = loop.create_future()
        self._stop = asyncio.Event()
        self._is_orphan = False
        self._servicer = health.aio.HealthServicer()
        self._engine: Engine | None = None
        self._host: OwnHost | None = None
        self._service: Service | None = None
        self._measured: Measured | None = None

    def stop(self) -> None:
        """Drain, and end."""
        self._stop.set()
        for awaited in (self._begun, self._may_listen):
            if not awaited.done():
                awaited.set_result(None)

    def lose_parent(self) -> None:
        """Drain, and end, and clear away what only the parent would have."""
        self._is_orphan = True
        self.stop()

    async def run(self, link: Link[Anything], watch: "Watch") -> None:
        """Serve as told, until told to stop."""
        begin = await self._begun
        if begin is None:
            return
        set_up_logging(begin.log_level)
        try:
            config = _read(begin)
            drain = config.settings.server.drain
            watch.patience = drain.delay + drain.grace + _LAST_WORDS
            await self._serve(config, begin, link)
        except ConfigError as error:  # as of files that only this machine has
            for asked in (self._prepared, self._listening):
                if not asked.done():
                    asked.set_result(Faulty(error.faults))
            await self._stop.wait()  # until the parent, who has read that, has gone
        finally:
            if self._is_orphan:
                remove(Path(begin.socket))

    async def _serve(self, config: Config, begin: Begin, link: Link[Anything]) -> None:
        registrar = _Registrar(link) if registers(config.settings) else None
        async with AsyncExitStack() as stack:
            counted = CallMetrics(lambda: config.snapshot)
            also = [counted] if config.settings.metrics.enabled else []
            engine = await stack.enter_async_context(running_engine(config, registrar, also))
            counted.follow(lambda: engine.live.current)
            engine.live.wait()
            self._engine = engine
            self._prepared.set_result(Done())
            if await self._may_listen is None:
                return
            channel = await stack.enter_async_context(_open_channel(begin.socket))

            def add_others(guard: Guard, calls: Calls) -> None:
                self._host = OwnHost(
                    engine.live,
                    engine.mirror,
                    in_flight=lambda: calls.running,
                    standing=engine.gate.standing,
                    started=time.time(),
                    sinks=lambda: engine.sinks.figures,
                    mirror_share=lambda: engine.yielding.share,
                    taken=lambda: guard.taken,
                )
                for service in (EXPERIMENTS, RECORDS, OPERATIONS):
                    add_forwarding(guard, service, channel)

            heartbeat = Heartbeat()
            stack.callback(asyncio.create_task(heartbeat.run()).cancel)
            settle()
            service = self._service = await stack.enter_async_context(
                serving(config, engine, self._servicer, add_others, shares_port=True)
            )
            answer_first()
            self._measured = Measured(
                engine,
                counted,
                heartbeat,
                in_flight=lambda: service.calls.running,
                overload=service.overload,
                max_queue=config.settings.mirror.max_queue,
                started=time.time(),
            )
            self._listening.set_result(Done())
            await self._stop.wait()
            await service.drain()

    async def answer(self, message: Anything) -> Anything:
        """Do what the parent says."""
        engine = self._engine
        match message:
            case Begin():
                self._begun.set_result(message)
                return await self._prepared
            case Tell():
                await tell_health(
                    self._servicer, is_ready=message.is_ready, is_away=message.is_away
                )
            case Listen():
                if not self._may_listen.done():
                    self._may_listen.set_result(message)
                return await self._listening
            case Drain():
                self.stop()
            case Follow() if engine is not None:
                engine.live.follow(_ROSTERS.decode(message.roster))
            case Pause() if engine is not None:
                engine.mirror.pause(message.silent_model)
            case Resume() if engine is not None:
                engine.mirror.resume(message.silent_model)
            case Reload() if self._service is not None:
                return await _reload(self._service, message.newest)
            case Count() if self._measured is not None:
                return Counted(self._measured.read())
            case Describe() if self._host is not None:
                return Described((await self._host.status()).SerializeToString())
            case _:
                raise LinkError(f"nobody here answers {type(message).__name__} now")
        return Done()


async def _reload(service: Service, newest: Text) -> Anything:
    try:
        config = await asyncio.to_thread(_parse, newest)
        return Reloaded(await service.reload(config))
    except ConfigError as error:
        return Faulty(error.faults)


class _Registrar:
    """Has the parent register what calls bring along."""

    def __init__(self, link: Link[Anything]) -> None:
        self._link = link

    async def register(
        self, experiment_id: str, models: Mapping[str, float], *, control: str, actor: str
    ) -> None:
        """Register an experiment; it serves here too when this returns."""
        try:
            await self._link.ask(Register(experiment_id, models, control, actor), _REGISTERED)
        except (LinkError, TimeoutError) as error:
            raise RefusedError(
                Reason.STORE_UNAVAILABLE,
                "experiments cannot be registered now: the process that keeps them does not answer",
                retry_after=1.0,
            ) from error


class Watch(threading.Thread):
    """Ends the process `patience` seconds after its parent has died, should nothing else do so."""

    def __init__(self, link: int) -> None:
        super().__init__(name="understudy-orphan-watch", daemon=True)
        self._link = link
        self.patience = _LAST_WORDS

    def run(self) -> None:
        """Wait for the other side to go."""
        watched = select.poll()
        watched.register(self._link, 0)  # hang-ups are always told
        watched.poll()
        time.sleep(self.patience)
        os._exit(1)


def _read(begin: Begin) -> Config:
    """Return what others have made of both texts by now."""
    config = _parse(begin.started)
    settings, server = config.settings, config.settings.server
    if begin.newest != begin.started:
        newest = _parse(begin.newest)
        wanted = newest.settings.server
        tls = server.tls
        if tls.cert_file is not None and wanted.tls.cert_file is not None:
            tls = wanted.tls
        server = replace(server, api_keys=wanted.api_keys, insecure=wanted.insecure, tls=tls)
        config = replace(config, snapshot=newest.snapshot)
    settings = replace(
        settings,
        server=replace(server, host=begin.host, port=begin.port),
        mirror=share(settings.mirror, begin.workers, divides_budget=not settings.records.enabled),
        state_dir=begin.state_dir,
    )
    # What there is to remark was said by the parent, once.
    return replace(config, settings=settings, report=Report((), (), (), ()))


def _parse(text: Text) -> Config:
    def read(name: str) -> str:
        if name not in text.included:
            raise FileNotFoundError(name)
        return text.included[name]

    return parse(text.text, text.file, os.environ, read)


def _open_channel(path: str) -> grpc.aio.Channel:
    sizes = ("grpc.max_receive_message_length", "grpc.max_send_message_length")
    return grpc.aio.insecure_channel(f"unix:{path}", options=[(one, -1) for one in sizes])


async def run(own: socket.socket) -> None:
    """Be a worker, at the other end of whose link the parent is."""
    loop = asyncio.get_running_loop()
    watch = Watch(os.dup(own.fileno()))
    watch.start()
    worker = Worker()
    loop.add_signal_handler(signal.SIGTERM, worker.stop)
    link = await open_link(own, worker.answer, FRAMES)
    hearing = asyncio.create_task(link.run())
    hearing.add_done_callback(lambda _: worker.lose_parent())
    await worker.run(link, watch)
