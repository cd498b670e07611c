"""Puts the dashboard together with what it shows, beside whatever runs the service's event loop."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

from understudy.server.config import Config
from understudy.server.config.settings import DashboardSettings, ServerSettings, Settings
from understudy.server.dashboard import Address, Dashboard, House, running_dashboard
from understudy.server.dashboard.seams import Reports
from understudy.server.domain.deployment import Snapshot
from understudy.server.errors import ConfigError
from understudy.server.experiments.desk import Desk
from understudy.server.listening import is_loopback
from understudy.server.records import Records
from understudy.server.servicers.access import ROLES, Access
from understudy.server.servicers.operations import OperationsServicer
from understudy.server.servicers.steering import Steering

_LOG = logging.getLogger(__name__)


class DashboardSide:
    """The dashboard, as who has started it sees it."""

    def __init__(
        self, settings: Settings, access: Access, dashboard: Dashboard | None = None
    ) -> None:
        self._settings = settings
        self._server = settings.server
        self._access = access
        self._dashboard = dashboard

    @property
    def url(self) -> str:
        """Where it is, empty where it is switched off."""
        return self._dashboard.url if self._dashboard is not None else ""

    def check(self, wanted: Config) -> None:
        """Raise ConfigError if other keys would leave it open to everybody."""
        check_exposure(replace(self._settings, server=self._after(wanted)))

    def reload(self, wanted: Config) -> None:
        """Use another reading's keys. If they differ, everybody has to log in again."""
        server = self._after(wanted)
        if server != self._server and self._dashboard is not None:
            self._server = server
            self._access.use(server.api_keys, server.tls.clients)
            self._dashboard.forget()

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
    records: Records | None,
    reports: Reports | None,
    operations: OperationsServicer,
) -> AsyncGenerator[DashboardSide]:
    """Serve the dashboard until the context is left, unless it is switched off.

    `address` is where callers find the service. Raises ConfigError if it cannot listen as
    configured.
    """
    server = settings.server
    access = Access(server.api_keys, server.tls.clients)
    if not settings.dashboard.enabled:
        yield DashboardSide(settings, access)
        return
    for warning in check_exposure(settings):
        _LOG.warning("%s", warning)
    house = House(
        desk=desk,
        snapshot=snapshot,
        records=records,
        reports=reports,
        host=Steering(operations),
        access=access,
        roles=ROLES,
        address=address,
        tls=server.tls.cert_file is not None,
        loop=asyncio.get_running_loop(),
    )
    where = Address(
        settings.dashboard.host,
        _choose_port(settings),
        settings.dashboard.names,
        server.tls.cert_file,
        server.tls.key_file,
    )
    async with running_dashboard(house, where) as dashboard:
        yield DashboardSide(settings, access, dashboard)


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
