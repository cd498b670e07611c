"""`understudy serve` and `understudy demo`: run the service until a signal says stop."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from random import Random
from shutil import which
from tempfile import TemporaryDirectory
from threading import Event

import click

from understudy.server.app import Service, running
from understudy.server.cli.demo_traffic import drive
from understudy.server.cli.faults import ending_on_faults
from understudy.server.collecting import settle
from understudy.server.config import Config, load, parse, refusals
from understudy.server.errors import ConfigError
from understudy.server.logs import set_up_logging
from understudy.server.precedence import answer_first
from understudy.server.reloading import Reloads
from understudy.server.workers.running import Workers, running_workers

_log_level = click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default="info",
    show_default=True,
    help="What is logged to stderr. At debug, answered calls are logged too.",
)
_host = click.option("--host", help="Listen on this address instead of the configured one.")
_port = click.option(
    "--port",
    type=click.IntRange(0, 65535),
    help="Listen on this port instead of the configured one; 0 is a free one.",
)


@click.command()
@click.option(
    "--config",
    "-c",
    "path",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    help="LiteLLM's configuration file, with or without an `understudy:` section.",
)
@click.option(
    "--allow-unusable",
    is_flag=True,
    help="Start although a deployment with a share cannot be asked; its share is an error.",
)
@_host
@_port
@_log_level
def serve(
    path: Path, *, allow_unusable: bool, host: str | None, port: int | None, log_level: str
) -> None:
    """Serve the models of a configuration file; SIGHUP has it read again."""

    def read() -> Config:
        config = load(path, os.environ)
        if refused := refusals(config, allow_unusable=allow_unusable):
            raise ConfigError(
                [*refused, f"see all that the file asks for with: understudy check {path}"]
            )
        return _listening_on(config, host, port)

    hung_up = Event()  # while we start: then the file may have been read already
    signal.signal(signal.SIGHUP, lambda number, frame: hung_up.set())
    with ending_on_faults():
        config = read()
        reloads = Reloads(config, read, time.time)
        _run(config, log_level, reloads=reloads, hung_up=hung_up)


@click.command()
@click.option("--traffic/--no-traffic", default=True, help="Ask a little by itself. [on]")
@_host
@_port
@_log_level
def demo(*, traffic: bool, host: str | None, port: int | None, log_level: str) -> None:
    """Serve simulated models: no key, no network, everything else real.

    What it keeps is gone when it ends.
    """
    with ending_on_faults():
        text = files("understudy.server").joinpath("demo.yaml").read_text()
        config = parse(text, "demo.yaml", {})
        with TemporaryDirectory(prefix="understudy-demo-") as folder:
            settings = replace(config.settings, state_dir=folder)
            config = _listening_on(replace(config, settings=settings), host, port)
            _run(config, log_level, traffic=traffic)


def _listening_on(config: Config, host: str | None, port: int | None) -> Config:
    server = config.settings.server
    server = replace(
        server,
        host=server.host if host is None else host,
        port=server.port if port is None else port,
    )
    return replace(config, settings=replace(config.settings, server=server))


def _run(
    config: Config,
    log_level: str,
    *,
    reloads: Reloads | None = None,
    hung_up: Event | None = None,
    traffic: bool = False,
) -> None:
    set_up_logging(log_level)
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        failed = runner.run(_serve(config, log_level, reloads, hung_up, traffic=traffic))
    if failed:
        sys.exit(1)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ModuleNotFoundError:  # there is none for Windows
        return None
    return uvloop.new_event_loop


async def _serve(
    config: Config,
    log_level: str,
    reloads: Reloads | None,
    hung_up: Event | None,
    *,
    traffic: bool,
) -> bool:
    """Serve until told to stop; return whether that came of a failure."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if reloads is not None:
        loop.add_signal_handler(signal.SIGHUP, reloads.ask)
        if hung_up is not None and hung_up.is_set():
            reloads.ask()
    async with _open(config, log_level, reloads) as service:
        settle()
        answer_first()
        click.echo(_ready(service, config))
        driving: asyncio.Task[None] | None = None
        if traffic and isinstance(service, Service):
            driving = asyncio.create_task(drive(service.engine.completer, loop.time, Random()))
        failed = await _wait(stop, service)
        if driving is not None:
            driving.cancel()
        # A second signal is for those who cannot wait.
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, _leave, service)
        await service.drain()
    return failed


def _open(
    config: Config, log_level: str, reloads: Reloads | None
) -> AbstractAsyncContextManager[Service | Workers]:
    if config.settings.server.workers == 1:
        return running(config, reloads)
    return running_workers(config, log_level, reloads or Reloads(config, lambda: config, time.time))


async def _wait(stop: asyncio.Event, service: Service | Workers) -> bool:
    """Wait for a signal; return whether, before it came, no worker could be kept alive."""
    if isinstance(service, Service):
        await stop.wait()
        return False
    async with asyncio.TaskGroup() as group:
        failing = group.create_task(service.wait_until_failed())
        stopping = group.create_task(stop.wait())
        failing.add_done_callback(lambda _: stopping.cancel())
        stopping.add_done_callback(lambda _: failing.cancel())
    return not stop.is_set()


def _leave(service: Service | Workers) -> None:
    if isinstance(service, Workers):
        service.kill()
    os._exit(130)


def _own_name() -> str:
    """Return what to type for this program, which a Makefile may have started for the reader."""
    if which("understudy"):
        return "understudy"
    started = Path(sys.argv[0])
    if started.name != "understudy":
        return "python -m understudy.server"
    return os.path.relpath(started)


def _ready(service: Service | Workers, config: Config) -> str:
    """Return the ready line, and the commands to try next."""
    address = service.address
    auth = "off" if service.is_open else "on"
    key = (
        ""
        if service.is_open
        else ' -H "authorization: Bearer $UNDERSTUDY_API_KEY" --reflect-header "*"'
    )
    model = next(iter(config.snapshot.groups), "MODEL")
    body = f'{{"model":"{model}","messages":[{{"role":"user","content":"hi"}}]}}'
    scheme, plain = ("https", "") if service.is_tls else ("http", " --http2-prior-knowledge")
    records = service.records
    kept = f"Records are kept in {records.place}.\n" if records is not None else ""
    number = config.settings.server.workers
    workers = f" workers={number}" if number > 1 else ""
    dashboard, metrics = service.dashboard or "off", service.metrics or "off"
    return (
        f"understudy is ready: grpc={address} dashboard={dashboard} metrics={metrics} auth={auth}"
        f"{workers}\n"
        f"{kept}"
        "Try, in another terminal:\n"
        f"  {_own_name()} complete --target {address} --model {model} 'hi'\n"
        f"  buf curl --protocol grpc{plain}{key} -d '{body}' \\\n"
        f"    {scheme}://{address}/understudy.v1.CompletionService/CreateCompletion"
    )
