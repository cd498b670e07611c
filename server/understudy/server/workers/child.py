"""A worker as its parent sees it: a process, and the link to it."""

import asyncio
import logging
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable
from typing import Final

from understudy.server.processes.link import Link, open_link
from understudy.server.workers.messages import FRAMES, Anything, Faulty

START: Final = 60.0  # seconds that a worker may take until it could listen
PATIENCE: Final = 2.0  # seconds until a worker that does not answer is replaced
_LAST_BREATH: Final = 10.0  # seconds between the end of the link and that of the process

_LOG = logging.getLogger(__name__)


class FaultyError(Exception):
    """The worker says that it cannot run as configured."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


class Child:
    """A process that serves. `ended` has its exit code once it has ended, negative for a signal."""

    def __init__(self, process: "subprocess.Popen[bytes]", link: Link[Anything]) -> None:
        self._process = process
        self._link = link
        self.pid = process.pid
        self.ended: asyncio.Task[int] = asyncio.create_task(self._wait())

    async def ask(self, message: Anything, within: float = PATIENCE) -> Anything:
        """Return the worker's answer.

        Raises LinkError if it has gone or breaks, TimeoutError if it takes too long, FaultyError
        if it cannot run as configured.
        """
        answer = await self._link.ask(message, within)
        if isinstance(answer, Faulty):
            raise FaultyError(answer.faults)
        return answer

    async def kill(self) -> None:
        """End it at once; returns when it has ended."""
        self._process.kill()
        await asyncio.shield(self.ended)

    def kill_now(self) -> None:
        """End it at once, without waiting."""
        self._process.kill()

    async def _wait(self) -> int:
        await self._link.run()
        try:
            return await asyncio.to_thread(self._process.wait, _LAST_BREATH)
        except subprocess.TimeoutExpired:
            _LOG.warning("worker %d says nothing more and does not end: it is killed", self.pid)
            self._process.kill()
            return await asyncio.to_thread(self._process.wait)


async def spawn(answer: Callable[[Anything], Awaitable[Anything]]) -> Child:
    """Start a worker, which waits for Begin. `answer` answers what it asks.

    Raises OSError if the system has no room for it.
    """
    ours, theirs = socket.socketpair()
    with theirs:
        process = _start(theirs.fileno())
    return Child(process, await open_link(ours, answer, FRAMES))


def _start(link: int) -> "subprocess.Popen[bytes]":
    # A new program, never a fork: grpc and threads run here. Nothing secret is among the
    # arguments, which everybody on the machine can read; -P as for the installed command. What it
    # writes to stdout, a line for each call where that is wanted, goes where ours does.
    command = [sys.executable, "-P", "-m", "understudy.server.workers", str(link)]
    return subprocess.Popen(command, pass_fds=(link,), stdin=subprocess.DEVNULL)
