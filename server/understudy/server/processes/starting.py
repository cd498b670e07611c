"""Starts programs beside the service.

What a program says and hears is its own; here is only what is around it.
"""

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Final

# All that Python, the linker and time zones need. Keys of models are in the service's own.
_PASSED: Final = (
    "PATH", "HOME", "USER", "TMPDIR", "TZ", "LANG", "VIRTUAL_ENV", "SSL_CERT_FILE", "SSL_CERT_DIR",
)  # fmt: skip
_PASSED_ALIKE: Final = ("LC_", "LD_", "DYLD_", "PYTHON")
# Nothing beside the service shall take all processors.
_THREADS: Final = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


async def spawn(module: str, *files: int) -> tuple["subprocess.Popen[bytes]", socket.socket]:
    """Run `python -m MODULE LINK FILE…` with these open files, and with nothing secret around it.

    Returns the process and our end of the link. If this is cancelled, there is neither. Raises
    OSError if the system has no room for it.
    """
    # In a thread, which it holds up until the program is loaded.
    starting = asyncio.ensure_future(asyncio.to_thread(_spawn, module, files))
    try:
        return await asyncio.shield(starting)
    except asyncio.CancelledError:
        starting.add_done_callback(_abandon)
        raise


def _abandon(started: "asyncio.Future[tuple[subprocess.Popen[bytes], socket.socket]]") -> None:
    if not started.cancelled() and started.exception() is None:
        process, link = started.result()
        process.kill()
        link.close()
        started.get_loop().run_in_executor(None, process.wait)


def _spawn(module: str, files: Sequence[int]) -> tuple["subprocess.Popen[bytes]", socket.socket]:
    ours, theirs = socket.socketpair()
    # A new program, never a fork: grpc and threads run here. Nothing secret is among the arguments
    # and in the environment, which others on the machine may read; -P as for the installed command.
    with theirs:
        passed = theirs.fileno(), *files
        try:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", module, *map(str, passed)],
                pass_fds=passed,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                env={**_pass_on(os.environ), **_THREADS},
            )
        except BaseException:
            ours.close()
            raise
    return process, ours


def find_variables(environ: Mapping[str, str], prefixes: Sequence[str]) -> dict[str, str]:
    """Return what a library reads of the environment besides, to be handed over otherwise."""
    return {name: value for name, value in environ.items() if name.startswith(tuple(prefixes))}


def _pass_on(environ: Mapping[str, str]) -> dict[str, str]:
    return {
        name: value
        for name, value in environ.items()
        if name in _PASSED or name.startswith(_PASSED_ALIKE)
    }
