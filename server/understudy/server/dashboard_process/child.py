"""The dashboard's process: it shows what it can read itself, and asks the service for the rest.

It ends with the service, however that ends.
"""

import asyncio
import os
import socket
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from understudy.server.dashboard.house import House
from understudy.server.dashboard.listening import Address
from understudy.server.dashboard.serving import Dashboard, running_dashboard
from understudy.server.dashboard_process.messages import (
    FRAMES,
    Admit,
    Admitted,
    Anything,
    Database,
    Done,
    Faulty,
    Open,
    See,
)
from understudy.server.dashboard_process.stand_ins import Desk, Host, Line, Reports
from understudy.server.database.engine import open_engine
from understudy.server.domain.deployment import Secret
from understudy.server.errors import ConfigError
from understudy.server.logs import set_up_logging
from understudy.server.processes.link import LinkError, open_link
from understudy.server.records.figures import Figures
from understudy.server.records.opening import FILE
from understudy.server.records.ratings import Ratings
from understudy.server.records.reading import Reader
from understudy.server.servicers.access import ROLES, Access
from understudy.server.store.keeping import open_store


@dataclass(frozen=True, slots=True)
class Records:
    """What was recorded, for who reads it and rates it."""

    reader: Reader
    figures: Figures
    ratings: Ratings


class Front:
    """The dashboard, as the service leads it. Pages are shown from the first `See` on."""

    def __init__(self, listener: socket.socket, line: Line, stack: AsyncExitStack) -> None:
        self._listener = listener
        self._line = line
        self._stack = stack
        self._access = Access()
        self._desk: Desk | None = None
        self._prepared: tuple[House, Address] | None = None
        self._dashboard: Dashboard | None = None
        self._shown: asyncio.Future[Dashboard] = asyncio.get_running_loop().create_future()

    async def wait_until_ended(self) -> None:
        """Return when pages were shown, and are no more."""
        dashboard = await self._shown
        await dashboard.ended.wait()

    async def answer(self, message: Anything) -> Anything:
        """Do what the service says."""
        match message:
            case Open():
                return self._prepare(message)
            case See() if self._desk is not None:
                self._desk.see(message)
                return await self._show()
            case Admit(admitted):
                self._admit(admitted)
                if self._dashboard is not None:
                    self._dashboard.forget()
                return Done()
            case _:
                raise LinkError(f"nobody here answers {type(message).__name__} now")

    def _prepare(self, order: Open) -> Anything:
        set_up_logging(order.log_level)
        os.environ.update(order.environ)
        self._admit(order.admitted)
        folder = Path(order.state_dir)
        try:
            desk = self._desk = Desk(self._line, open_store(_read(order.store), folder))
            records = _open_records(order.records, folder) if order.records is not None else None
        except ConfigError as error:
            return Faulty(tuple(error.faults))
        house = House(
            desk=desk,
            names=lambda: desk.names,
            records=records,
            reports=Reports(self._line) if records is not None else None,
            host=Host(self._line),
            access=self._access,
            roles=ROLES,
            address=order.address,
            tls=order.cert_file is not None,
            loop=asyncio.get_running_loop(),
        )
        port: int = self._listener.getsockname()[1]
        where = Address(order.host, port, order.names, order.cert_file, order.key_file)
        self._prepared = house, where
        return Done()

    async def _show(self) -> Anything:
        if self._dashboard is None and self._prepared is not None:
            showing = running_dashboard(*self._prepared, self._listener)
            try:
                self._dashboard = await self._stack.enter_async_context(showing)
            except ConfigError as error:
                return Faulty(tuple(error.faults))
            self._shown.set_result(self._dashboard)
        return Done()

    def _admit(self, admitted: Admitted) -> None:
        self._access.use(admitted.keys, admitted.certificates)


def _open_records(place: Database, folder: Path) -> Records:
    engine = open_engine(_read(place), folder / FILE, "understudy.records.url")
    return Records(Reader(engine), Figures(engine, _now), Ratings(engine, _now))


def _read(place: Database) -> Secret | None:
    return None if place.url is None else Secret(place.url)


def _now() -> int:
    return time.time_ns() // 1000


async def run(own: socket.socket, listener: socket.socket) -> None:
    """Be the dashboard, at the other end of whose link the service is."""
    line = Line()
    async with AsyncExitStack() as stack:
        front = Front(listener, line, stack)
        line.link = await open_link(own, front.answer, FRAMES)
        hearing = asyncio.create_task(line.link.run())
        ending = asyncio.create_task(front.wait_until_ended())
        await asyncio.wait((hearing, ending), return_when=asyncio.FIRST_COMPLETED)
    # What still waits for a store would hold the process up.
    os._exit(0)
