"""Keeps a channel for each process, and for each event loop of it, that makes calls.

A line is a channel with its stub. How a channel is opened is `channels`; what a fork means for
one is `forking`.
"""

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol
from weakref import WeakKeyDictionary, WeakSet

import grpc

from understudy.client import forking
from understudy.client.channels import (
    look_up,
    open_async_channel,
    open_channel,
    read_credentials,
)
from understudy.client.errors import NO_SERVER, Failure, Unavailable
from understudy.client.settings import Settings
from understudy.client.targets import resolve
from understudy.v1.completion_pb2_grpc import CompletionServiceStub

if TYPE_CHECKING:  # one class serves both; its asynchronous face is for type checkers only
    from understudy.v1.completion_pb2_grpc import CompletionServiceAsyncStub


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """A channel for threads. `generation` is that of the process it belongs to."""

    channel: grpc.Channel
    stub: CompletionServiceStub
    generation: int


class Cancellable(Protocol):
    """A call that can be given up."""

    def cancel(self) -> bool:
        """End the call."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class AsyncLine:
    """A channel for one event loop, and the streamed calls on it.

    `generation` is that of the process it belongs to.
    """

    channel: grpc.aio.Channel
    stub: "CompletionServiceAsyncStub"
    generation: int
    streams: WeakSet[Cancellable] = field(default_factory=WeakSet[Cancellable])


class ProcessLines:
    """One line, opened at the first call, and again in each child."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._credentials = read_credentials(settings.tls)
        self._line: Line | None = None
        self.closed = False

    def line(self) -> Line:
        """Return the line of this process. Looks names up, so it may block."""
        if (line := self._own()) is not None:
            return line
        uri = _find(self._settings)
        with forking.opening():
            if (line := self._own()) is None:
                channel = open_channel(uri, self._settings, self._credentials)
                line = Line(channel, CompletionServiceStub(channel), forking.generation())
                if self._line is not None:
                    forking.leave_alone(self._line)
                self._line = line
        return line

    def forget(self) -> None:
        """Look names up anew for the next call; those under way keep the line they have."""
        if self._settings.target.needs_lookup:
            self._line = None

    def close(self) -> None:
        """Give up what is under way. Calls made later are refused."""
        line = None if self.closed else self._own()
        self.closed = True
        self._line = None
        if line is not None:
            line.channel.close()

    def _own(self) -> Line | None:
        if self.closed:
            raise RuntimeError("this client is closed")
        line = self._line
        return line if line is not None and line.generation == forking.generation() else None


class LoopLines:
    """One line for each event loop, for as long as the loop lives."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._credentials = read_credentials(settings.tls)
        self._lines: WeakKeyDictionary[asyncio.AbstractEventLoop, AsyncLine] = WeakKeyDictionary()
        self.closed = False
        forking.let_rest(self)

    async def line(self) -> AsyncLine:
        """Return the line of the running loop."""
        if (line := self._own()) is not None:
            return line
        if self._settings.target.needs_lookup:
            uri = await asyncio.to_thread(_find, self._settings)
        else:
            uri = _find(self._settings)
        with forking.opening():
            if (line := self._own()) is None:
                channel = open_async_channel(uri, self._settings, self._credentials)
                line = AsyncLine(channel, CompletionServiceStub(channel), forking.generation())
                self._keep(line)
        return line

    def forget(self) -> None:
        """Look names up anew for the next call; those under way keep the line they have."""
        if self._settings.target.needs_lookup:
            self._lines.pop(asyncio.get_running_loop(), None)

    async def close(self) -> None:
        """Give up what is under way on this loop, and forget the others. Later calls are refused."""
        line = None if self.closed else self._own()
        self.closed = True
        self._lines.clear()
        if line is not None:
            for call in list(line.streams):  # older gRPC overlooks those when it closes a channel
                call.cancel()
            await line.channel.close()

    def rest(self) -> bool:
        """Let channels go, unless their loop may be using them in another thread just now."""
        here = _running_loop()
        for loop, line in list(self._lines.items()):
            if line.generation != forking.generation():
                forking.leave_alone(line)
                del self._lines[loop]
            elif loop is here or not loop.is_running():
                del self._lines[loop]
        return not self._lines

    def _own(self) -> AsyncLine | None:
        if self.closed:
            raise RuntimeError("this client is closed")
        line = self._lines.get(asyncio.get_running_loop())
        return line if line is not None and line.generation == forking.generation() else None

    def _keep(self, line: AsyncLine) -> None:
        loop = asyncio.get_running_loop()
        if (inherited := self._lines.get(loop)) is not None:
            forking.leave_alone(inherited)
        for other in [one for one in self._lines if one.is_closed()]:
            del self._lines[other]
        self._lines[loop] = line


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _find(settings: Settings) -> str:
    try:
        return resolve(settings.target, look_up)
    except LookupError as error:
        raise Unavailable(
            Failure(
                reason=NO_SERVER,
                message=f"{error}; correct the target or UNDERSTUDY_TARGET",
                code="UNAVAILABLE",
            )
        ) from error
