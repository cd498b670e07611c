"""Puts the dashboard beside whatever runs the service: where it listens, and who keeps it alive."""

import asyncio
import logging
import os
import ssl
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import replace

from understudy.server.config import Config
from understudy.server.config.settings import (
    DashboardSettings,
    ServerSettings,
    Settings,
    TlsSettings,
)
from understudy.server.dashboard.house import Names
from understudy.server.dashboard.listening import Address
from understudy.server.dashboard_process.answering import Answering
from understudy.server.dashboard_process.keeping import Keeper, Serving
from understudy.server.dashboard_process.messages import Admitted, Database, Open
from understudy.server.domain.deployment import ModelGroup, Secret, Snapshot
from understudy.server.errors import ConfigError
from understudy.server.experiments.desk import Desk
from understudy.server.listeners import listen
from understudy.server.listening import is_loopback
from understudy.server.processes.starting import find_variables
from understudy.server.reporting.desk import ReportDesk
from understudy.server.servicers.operations import OperationsServicer
from understudy.server.servicers.steering import Steering
from understudy.server.statedir import find_state_dir

_LOG = logging.getLogger(__name__)


class DashboardSide:
    """The dashboard, as who has started it sees it. `keeper` is None where it is switched off."""

    def __init__(self, settings: Settings, url: str = "", keeper: Keeper | None = None) -> None:
        self._settings = settings
        self._server = settings.server
        self._keeper = keeper
        self.url = url

    def check(self, wanted: Config) -> None:
        """Raise ConfigError if other keys would leave it open to everybody."""
        check_exposure(replace(self._settings, server=self._after(wanted)))

    async def reload(self, wanted: Config) -> None:
        """Use another reading's keys. If they differ, everybody has to log in again."""
        server = self._after(wanted)
        if server != self._server and self._keeper is not None:
            self._server = server
            await self._keeper.admit(_admit(server))

    def _after(self, wanted: Config) -> ServerSettings:
        server = wanted.settings.server
        tls = replace(self._settings.server.tls, clients=server.tls.clients)
        return replace(
            self._settings.server, api_keys=server.api_keys, insecure=server.insecure, tls=tls
        )


@asynccontextmanager
async def beside(
    settings: Settings,
    *,
    address: str,
    desk: Desk,
    snapshot: Callable[[], Snapshot],
    reports: ReportDesk | None,
    operations: OperationsServicer,
) -> AsyncGenerator[DashboardSide]:
    """Have the dashboard served until the context is left, unless it is switched off.

    `address` is where callers find the service. Raises ConfigError if it cannot listen as
    configured; its process is not waited for.
    """
    if not settings.dashboard.enabled:
        yield DashboardSide(settings)
        return
    for warning in check_exposure(settings):
        _LOG.warning("%s", warning)
    tls, host = settings.server.tls, settings.dashboard.host
    _check_certificate(tls)
    where = Address(host, 0, settings.dashboard.names, tls.cert_file, tls.key_file)
    serving = Serving(
        roster=lambda: desk.roster,
        is_away=lambda: desk.is_away,
        names=_Names(snapshot).read,
        wait_beyond=desk.wait_beyond,
    )
    order = _order(settings, address)
    answering = Answering(desk, Steering(operations), reports)
    with listen(host, _choose_port(settings), "understudy.dashboard") as listener:
        keeper = Keeper(order, listener, serving, answering.answer)
        keeping = asyncio.create_task(keeper.run())
        try:
            yield DashboardSide(settings, where.url(listener.getsockname()[1]), keeper)
        finally:
            keeping.cancel()
            with suppress(asyncio.CancelledError):
                await keeping


class _Names:
    """What the configuration names; looked for once in each reading of it."""

    def __init__(self, snapshot: Callable[[], Snapshot]) -> None:
        self._snapshot = snapshot
        self._groups: Mapping[str, ModelGroup] | None = None
        self._names = Names()

    def read(self) -> Names:
        """Return the names of now."""
        groups = self._snapshot().groups
        if groups is not self._groups:
            silent = {
                silent.group
                for group in groups.values()
                for deployment in group.deployments
                for silent in deployment.silent_models
            }
            self._groups, self._names = groups, Names(tuple(groups), tuple(sorted(silent)))
        return self._names


def _order(settings: Settings, address: str) -> Open:
    server = settings.server
    records, store = settings.records, settings.store.url
    return Open(
        address=address,
        host=settings.dashboard.host,
        names=settings.dashboard.names,
        cert_file=server.tls.cert_file,
        key_file=server.tls.key_file,
        admitted=_admit(server),
        records=_place(records.url) if records.enabled else None,
        store=_place(store),
        state_dir=str(find_state_dir(settings.state_dir, os.environ)),
        environ=find_variables(os.environ, ("PG",)),
        log_level=logging.getLevelName(_LOG.getEffectiveLevel()),
    )


def _place(url: Secret | None) -> Database:
    return Database(None if url is None else url.value)


def _admit(server: ServerSettings) -> Admitted:
    return Admitted(tuple(server.api_keys), tuple(server.tls.clients))


def _check_certificate(tls: TlsSettings) -> None:
    """Raise ConfigError for what the dashboard could not serve by."""
    if tls.cert_file is None:
        return
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(tls.cert_file, tls.key_file)
    except OSError as error:  # an SSLError is one
        told = f"understudy.server.tls: {error.strerror or error}"
        raise ConfigError([told]) from error


def _choose_port(settings: Settings) -> int:
    """Return the port to listen on: who lets the service's be chosen may start several."""
    port = settings.dashboard.port
    is_usual = port == DashboardSettings().port
    return 0 if is_usual and not settings.server.port else port


def check_exposure(settings: Settings) -> list[str]:
    """Return what an operator must be warned of. Raises ConfigError for an open door.

    A browser proves who it is by a key: certificates open the service's door, and not this one.
    """
    server, host = settings.server, settings.dashboard.host
    if not settings.dashboard.enabled:
        return []
    if not server.api_keys and server.tls.clients:
        return ["nobody can log in to the dashboard: that takes one of understudy.server.api_keys"]
    if is_loopback(host) or (server.api_keys and server.tls.cert_file is not None):
        return []
    if not server.api_keys and not server.insecure:
        raise ConfigError(
            [
                (
                    f"understudy.dashboard.host: {host!r} can be reached from other machines, and "
                    "everybody there could change everything; set understudy.server.api_keys, or "
                    "understudy.server.insecure: true if something in front sees to that"
                )
            ]
        )
    if not server.api_keys:
        return [f"insecure: everybody who can reach the dashboard at {host} may change everything"]
    return [f"no TLS: keys and prompts travel to the dashboard at {host} in the clear"]
