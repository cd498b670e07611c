"""Keeps the dashboard's process alive, and tells it what serves.

Nothing that answers callers waits for it. The socket that browsers come to is the service's: while
one process follows another they wait there.
"""

import asyncio
import logging
import socket
import subprocess
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from msgspec import structs

from understudy.server.dashboard.house import Names
from understudy.server.dashboard_process.messages import (
    FRAMES,
    Admit,
    Admitted,
    Anything,
    Faulty,
    Open,
    See,
)
from understudy.server.domain.experiments import Experiment, Roster
from understudy.server.errors import UnderstudyError
from understudy.server.processes.link import Link, LinkError, open_link
from understudy.server.processes.starting import spawn

_LOG = logging.getLogger(__name__)

PROGRAM: Final = "understudy.server.dashboard_process"
START: Final = 60.0  # seconds that it may take until it shows pages
PATIENCE: Final = 20.0  # seconds until one that does not answer is replaced
LOOK_EVERY: Final = 0.25  # seconds; experiments that change are told at once
ASK_EVERY: Final = 10.0  # seconds, after which it is told again: one that hangs is found out
QUICK: Final = 10.0  # seconds; one that dies sooner is followed by the next later each time
LONGEST_WAIT: Final = 30.0  # seconds


@dataclass(frozen=True, slots=True)
class Serving:
    """What serves: where to look it up, and how to wait until a roster follows a revision."""

    roster: Callable[[], Roster]
    is_away: Callable[[], bool]
    names: Callable[[], Names]
    wait_beyond: Callable[[int, float], Awaitable[bool]]


class Keeper:
    """Has a process show what there is over a listening socket. `order` is how."""

    def __init__(
        self,
        order: Open,
        listener: socket.socket,
        serving: Serving,
        answer: Callable[[Anything], Awaitable[Anything]],
        program: str = PROGRAM,
    ) -> None:
        self._order = order
        self._listener = listener
        self._serving = serving
        self._answer = answer
        self._program = program
        self._process: subprocess.Popen[bytes] | None = None
        self._link: Link[Anything] | None = None  # to one that was told whom to admit

    @property
    def order(self) -> Open:
        """How the next process would show it."""
        return self._order

    async def admit(self, admitted: Admitted) -> None:
        """Let these in from now on; everybody has to log in again."""
        self._order = structs.replace(self._order, admitted=admitted)
        if self._link is not None and self._process is not None:
            try:
                await self._link.ask(Admit(admitted), PATIENCE)
            except (LinkError, TimeoutError):
                self._process.kill()  # the next one is told at once

    async def run(self) -> None:
        """Keep a process until cancelled."""
        loop = asyncio.get_running_loop()
        deaths = 0
        while True:
            began = loop.time()
            told = await self._employ()
            deaths = deaths + 1 if loop.time() - began < QUICK else 0
            wait = min(LONGEST_WAIT, 0.5 * 2 ** (deaths - 1)) if deaths else 0.0
            _LOG.error(
                "%s; the service goes on without the dashboard, which is started anew in %.1f s",
                told,
                wait,
            )
            await asyncio.sleep(wait)

    async def _employ(self) -> str:
        """Have one process until it ends; return how that came."""
        try:
            process, ours = await spawn(self._program, self._listener.fileno())
        except OSError as error:
            return f"the dashboard's process cannot be started: {error.strerror}"
        self._process = process
        link = await open_link(ours, self._answer, FRAMES)
        hearing = asyncio.create_task(link.run())
        leading = asyncio.create_task(self._lead(link))
        try:
            await asyncio.wait((hearing, leading), return_when=asyncio.FIRST_COMPLETED)
            return await self._explain(process, leading)
        finally:
            process.kill()
            link.close()
            self._process = self._link = None
            for task in (hearing, leading):
                task.cancel()
                with suppress(asyncio.CancelledError, UnderstudyError, LinkError, TimeoutError):
                    await task
            await asyncio.shield(asyncio.to_thread(process.wait))

    async def _lead(self, link: Link[Anything]) -> str:
        """Tell what serves until it does not answer any more; return why."""
        self._link = link
        if faults := _read_faults(await link.ask(self._order, START)):
            return faults
        clock = asyncio.get_running_loop().time
        known, patience = Roster(0), START  # until it shows pages, which the first brings about
        told: See | None = None
        heard = clock()
        while True:
            roster = self._serving.roster()
            see = self._compare(known, roster)
            if see == told and clock() < heard + ASK_EVERY:
                await self._serving.wait_beyond(known.revision, LOOK_EVERY)
                continue
            if faults := _read_faults(await link.ask(see, patience)):
                return faults
            known, patience, heard = roster, PATIENCE, clock()
            told = structs.replace(see, changed=(), gone=())

    def _compare(self, known: Roster, roster: Roster) -> See:
        return See(
            revision=roster.revision,
            changed=tuple(find_changed(known.experiments, roster.experiments)),
            gone=tuple(known.experiments.keys() - roster.experiments.keys()),
            is_away=self._serving.is_away(),
            names=self._serving.names(),
        )

    async def _explain(
        self, process: "subprocess.Popen[bytes]", leading: "asyncio.Task[str]"
    ) -> str:
        if leading.done() and leading.exception() is None:
            return leading.result()
        if leading.done() and isinstance(leading.exception(), TimeoutError):
            return "the dashboard's process does not answer: it is killed"
        with suppress(subprocess.TimeoutExpired):
            code = await asyncio.to_thread(process.wait, 1.0)
            return f"the dashboard's process ended with {code}"
        return "the dashboard's process says nothing more: it is killed"


def _read_faults(answer: Anything) -> str:
    return "; ".join(answer.faults) if isinstance(answer, Faulty) else ""


def find_changed(
    known: Mapping[str, Experiment], now: Mapping[str, Experiment]
) -> list[Experiment]:
    """Return those of `now` that are not as they are `known`."""
    return [one for id, one in now.items() if known.get(id) is not one and known.get(id) != one]
