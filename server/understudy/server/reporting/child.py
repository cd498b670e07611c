"""A report's process as the service sees it: started, listened to, and killed when it is left."""

import asyncio
import logging
import signal
import socket
import subprocess
from collections.abc import AsyncGenerator

import msgspec

from understudy.server.domain.reports import Progress, Update
from understudy.server.errors import Reason, RefusedError, UnderstudyError
from understudy.server.processes.refusals import Refused, read_error
from understudy.server.processes.starting import spawn
from understudy.server.reporting.wire import (
    HEAD,
    LARGEST_FRAME,
    Broken,
    Done,
    Going,
    Order,
    frame,
    read_saying,
)

_LOG = logging.getLogger(__name__)


async def hear(order: Order, module: str) -> AsyncGenerator[Update]:
    """Have a report computed; yield how far it is, then the report.

    `module` is what the process runs. Closing this kills it. Raises UnderstudyError for what the
    process says, and with INTERNAL if it dies; RefusedError if none can be started.
    """
    process, link = await _start(module)
    try:
        reader, writer = await asyncio.open_unix_connection(sock=link)
        try:
            writer.write(frame(order))
            while not isinstance(update := await _read(reader), Done):
                yield update
            yield update.report
        except (asyncio.IncompleteReadError, OSError):
            raise await _tell_death(process) from None
        finally:
            writer.close()
    finally:
        process.kill()
        asyncio.get_running_loop().run_in_executor(None, process.wait)


async def _read(reader: asyncio.StreamReader) -> Progress | Done:
    """Return the next saying. Raises what it is where it is no good news."""
    size = int.from_bytes(await reader.readexactly(HEAD), "big")
    try:
        if size > LARGEST_FRAME:
            raise msgspec.DecodeError
        saying = read_saying(await reader.readexactly(size))
    except msgspec.DecodeError:
        saying = Broken("it says what nobody understands")
    match saying:
        case Going(share):
            return Progress(min(max(share, 0.0), 1.0))
        case Done():
            return saying
        case Refused():
            raise read_error(saying)
        case Broken(where):
            _LOG.error("a report failed by an error of our own: %s", where)
            raise UnderstudyError(
                Reason.INTERNAL,
                "the report failed by an error of the server's own; its log says where",
            )


async def _tell_death(process: "subprocess.Popen[bytes]") -> UnderstudyError:
    code = await asyncio.to_thread(process.wait)
    how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
    _LOG.error("the process of a report ended by %s before the report was made", how)
    return UnderstudyError(
        Reason.INTERNAL,
        f"the process that computed the report ended by {how}; the service goes on; if this comes "
        "again, ask for a shorter window",
    )


async def _start(module: str) -> tuple["subprocess.Popen[bytes]", socket.socket]:
    try:
        return await spawn(module)
    except OSError as error:
        raise RefusedError(
            Reason.OVERLOADED,
            f"no process can be started for the report: {error.strerror}",
            retry_after=5.0,
        ) from error
