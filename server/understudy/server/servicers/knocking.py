"""Finds out how long a call waits at our own door, by sending one.

It comes in by a socket of its own, in a folder that only its owner can open, and waits in the same
line as everybody's. It asks for a method that there is not, which is the cheapest thing to answer.
"""

import asyncio
import shutil
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

import grpc

from understudy.server.servicers.overload import Overload

_OFTEN: Final = 0.005  # seconds between two knocks while an overload is near
_SELDOM: Final = 0.1  # and while it is not: a knock is half a call's work
_LINE: Final = 0.004  # seconds of waiting that are a line
_GIVEN_UP: Final = 60.0  # seconds, after which a knock says nothing
_NOBODY: Final = "/understudy/Nobody"


class Knocking:
    """Listens for its own knocks from the start, and knocks from `begin` to `end`.

    `strain` is called again and again while there is an overload, or will be soon. Where there are
    no such sockets nobody knocks, and only the number of calls is bounded.
    """

    def __init__(
        self, server: grpc.aio.Server, overload: Overload, strain: Callable[[], None]
    ) -> None:
        self._overload = overload
        self._strain = strain
        self._folder: Path | None = None
        self._task: asyncio.Task[None] | None = None
        if sys.platform != "win32":
            self._folder = Path(tempfile.mkdtemp(prefix="understudy-"))  # its owner's alone
            server.add_insecure_port(self._address)

    @property
    def _address(self) -> str:
        return f"unix:{self._folder}/door"

    def begin(self) -> None:
        """Knock, the server having started."""
        if self._folder is not None:
            self._task = asyncio.create_task(self._knock())

    async def end(self) -> None:
        """Knock no more. Before the server stops, or gRPC would log that it has."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        if self._folder is not None:
            await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)

    async def _knock(self) -> None:
        overload = self._overload
        async with grpc.aio.insecure_channel(self._address) as channel:
            ask: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(_NOBODY)
            seen = -1
            while True:
                await asyncio.sleep(_OFTEN if overload.is_near else _SELDOM)
                came = overload.begun + overload.refused
                if came == seen and overload.wait <= _LINE:
                    continue  # nobody came, so nobody waits
                seen = came
                overload.knock()
                code = await ask(b"", timeout=_GIVEN_UP).code()
                if overload.is_strained:
                    self._strain()
                # Should our own door ever be out of reach, that shall shut nobody out.
                overload.hear(is_answer=code is grpc.StatusCode.UNIMPLEMENTED)
