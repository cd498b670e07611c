"""A conversation between two processes: either side asks, the other answers, in any order.

Each frame is four bytes of length and JSON. What may be said is whoever's who opens it; who dies
is noticed at once, because the socket has no other holder.
"""

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from itertools import count
from typing import Final, Generic, TypeVar, cast

import msgspec

from understudy.server.errors import UnderstudyError
from understudy.server.processes.refusals import Broken, Refused, read_error, write_error

M = TypeVar("M")

LARGEST_FRAME: Final = 256 * 1024 * 1024  # bytes; as large as all experiments may be
_HEAD: Final = 4  # bytes

_LOG = logging.getLogger(__name__)


class LinkError(Exception):
    """The other side has gone, or broke over the question."""


class Frame(msgspec.Struct, Generic[M], frozen=True):
    """A question, or with `is_answer` the answer to the question of that number.

    Any answer may be Refused or Broken: both are among what may be said.
    """

    number: int
    is_answer: bool
    message: M


class Link(Generic[M]):
    """One end. `answer` answers what the other side asks; each question has a task of its own.

    `frames` reads what may be said.
    """

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        answer: Callable[[M], Awaitable[M]],
        frames: msgspec.json.Decoder[Frame[M]],
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._answer = answer
        self._frames = frames
        self._numbers = count()
        self._asked: dict[int, asyncio.Future[M]] = {}
        self._answering: set[asyncio.Task[None]] = set()
        self._is_over = False

    async def ask(self, message: M, within: float) -> M:
        """Return the other side's answer, which is never Refused or Broken.

        Raises UnderstudyError for Refused, LinkError for Broken and when the other side has gone,
        TimeoutError after `within` seconds.
        """
        if self._is_over:
            raise LinkError("the other process has gone")
        number = next(self._numbers)
        answered: asyncio.Future[M] = asyncio.get_running_loop().create_future()
        self._asked[number] = answered
        try:
            async with asyncio.timeout(within):
                await self._send(Frame(number, False, message))
                answer = await answered
        finally:
            del self._asked[number]
        if isinstance(answer, Refused):
            raise read_error(answer)
        if isinstance(answer, Broken):
            raise LinkError(f"the other process broke over {type(message).__name__}")
        return answer

    async def run(self) -> None:
        """Take what comes until the other side has gone."""
        try:
            while True:
                size = int.from_bytes(await self._reader.readexactly(_HEAD), "big")
                if size > LARGEST_FRAME:
                    raise LinkError(f"a frame of {size} bytes")
                self._take(self._frames.decode(await self._reader.readexactly(size)))
        except (asyncio.IncompleteReadError, OSError):
            pass
        except (LinkError, msgspec.DecodeError) as error:
            _LOG.error("the other process says what nobody understands: %s", type(error).__name__)
        finally:
            self._end()

    def close(self) -> None:
        """Say and hear nothing more. Whoever still waits for an answer gets LinkError."""
        self._end()

    def _take(self, frame: Frame[M]) -> None:
        if frame.is_answer:
            asked = self._asked.get(frame.number)
            if asked is not None and not asked.done():
                asked.set_result(frame.message)
            return
        task = asyncio.create_task(self._reply(frame))
        self._answering.add(task)
        task.add_done_callback(self._answering.discard)

    async def _reply(self, frame: Frame[M]) -> None:
        try:
            answer = await self._answer(frame.message)
        except UnderstudyError as error:
            answer = cast(M, write_error(error))
        except Exception as error:  # noqa: BLE001 - whoever asked must hear something
            # Without the error's own text, which may quote a configuration.
            what = type(frame.message).__name__
            _LOG.error("a question between processes, %s, broke: %s", what, type(error).__name__)
            answer = cast(M, Broken())
        with suppress(LinkError):  # nobody is there to hear it
            await self._send(Frame(frame.number, True, answer))

    async def _send(self, frame: Frame[M]) -> None:
        body = msgspec.json.encode(frame)
        if len(body) > LARGEST_FRAME:
            raise LinkError(f"{type(frame.message).__name__} is too large to be said")
        try:
            self._writer.writelines((len(body).to_bytes(_HEAD, "big"), body))
            await self._writer.drain()
        except OSError as error:
            raise LinkError("the other process has gone") from error

    def _end(self) -> None:
        self._is_over = True
        self._writer.close()
        for asked in self._asked.values():
            if not asked.done():
                asked.set_exception(LinkError("the other process has gone"))
        for task in self._answering:
            task.cancel()


async def open_link(
    own: socket.socket,
    answer: Callable[[M], Awaitable[M]],
    frames: msgspec.json.Decoder[Frame[M]],
) -> Link[M]:
    """Return this end of a conversation over a connected socket, which is the link's from now on.

    Nothing is heard before `run`.
    """
    reader, writer = await asyncio.open_unix_connection(sock=own)
    return Link(reader, writer, answer, frames)
