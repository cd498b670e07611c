"""A report's process as the service sees it: started, listened to, and killed when it is left."""

import asyncio
import logging
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncGenerator
from typing import Final

import msgspec

from understudy.server.domain.reports import Progress, Update
from understudy.server.errors import Reason, RefusedError, UnderstudyError
from understudy.server.reporting.wire import (
    HEAD,
    LARGEST_FRAME,
    Broken,
    Done,
    Going,
    Order,
    Refused,
    frame,
    read_error,
    read_saying,
)

_LOG = logging.getLogger(__name__)

# All that Python, the linker and time zones need. Keys of models are in the service's own.
_PASSED: Final = (
    "PATH", "HOME", "USER", "TMPDIR", "TZ", "LANG", "VIRTUAL_ENV", "SSL_CERT_FILE", "SSL_CERT_DIR",
)  # fmt: skip
_PASSED_ALIKE: Final = ("LC_", "LD_", "DYLD_", "PYTHON")
# One report shall not take all processors.
_THREADS: Final = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


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
    # In a thread, which it holds up until the program is loaded.
    starting = asyncio.ensure_future(asyncio.to_thread(_spawn, module))
    try:
        return await asyncio.shield(starting)
    except asyncio.CancelledError:
        starting.add_done_callback(_abandon)
        raise
    except OSError as error:
        raise RefusedError(
            Reason.OVERLOADED,
            f"no process can be started for the report: {error.strerror}",
            retry_after=5.0,
        ) from error


def _abandon(started: "asyncio.Future[tuple[subprocess.Popen[bytes], socket.socket]]") -> None:
    if not started.cancelled() and started.exception() is None:
        process, link = started.result()
        process.kill()
        link.close()
        started.get_loop().run_in_executor(None, process.wait)


def _spawn(module: str) -> tuple["subprocess.Popen[bytes]", socket.socket]:
    ours, theirs = socket.socketpair()
    # A new program, never a fork: grpc and threads run here. Nothing secret is among the arguments
    # and in the environment, which others on the machine may read; -P as for the installed command.
    command = [sys.executable, "-P", "-m", module, str(theirs.fileno())]
    environment = {
        name: value
        for name, value in os.environ.items()
        if name in _PASSED or name.startswith(_PASSED_ALIKE)
    }
    with theirs:
        try:
            process = subprocess.Popen(
                command,
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                env={**environment, **_THREADS},
            )
        except BaseException:
            ours.close()
            raise
    return process, ours
