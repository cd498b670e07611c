"""Where processes meet: the port that they share, and the folder of the socket between them."""

import errno
import shutil
import socket
import tempfile
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from understudy.server.errors import ConfigError
from understudy.server.serving import port_taken, write_address

_LONGEST: Final = 100  # bytes of a socket's path; systems allow 104 or 108
_NAME: Final = "control"
_NO_SUCH_ADDRESS: Final = frozenset({errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT})


@contextmanager
def reserved_port(host: str, port: int) -> Generator[int]:
    """Hold a port for workers to share, without listening on it; 0 is a free one.

    Raises ConfigError if another program has it, and on systems where ports cannot be shared.
    """
    if not hasattr(socket, "SO_REUSEPORT"):
        raise ConfigError(["understudy.server.workers: must be 1, this system shares no port"])
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise port_taken(write_address(host, port)) from error
    with ExitStack() as stack:
        held = False
        for family, kind, protocol, _, address in found:
            try:
                if port:
                    _probe(family, kind, protocol, (address[0], port, *address[2:]))
                one = stack.enter_context(socket.socket(family, kind, protocol))
                one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
                _bind(one, (address[0], port, *address[2:]))
            except OSError as error:
                if error.errno in _NO_SUCH_ADDRESS:
                    continue  # a name may stand for an address of IPv6 that is not there
                raise port_taken(write_address(host, port)) from error
            held, port = True, one.getsockname()[1]
        if not held:
            raise port_taken(write_address(host, port))
        yield port


def _probe(family: int, kind: int, protocol: int, address: tuple[object, ...]) -> None:
    """Bind without sharing: with it a bind succeeds beside another service of the same user."""
    with socket.socket(family, kind, protocol) as one:
        # Or connections of before that have ended would count.
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        _bind(one, address)


def _bind(one: socket.socket, address: tuple[object, ...]) -> None:
    if one.family == socket.AF_INET6:
        one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    one.bind(address)


@contextmanager
def private_socket(state_dir: Path) -> Generator[Path]:
    """Yield the path of a socket to be, in a new folder that is its owner's alone.

    In the state directory, or where its path is too long for a socket, among temporary files.
    """
    folder = _make_folder(state_dir)
    try:
        yield folder / _NAME
    finally:
        remove(folder / _NAME)


def remove(path: Path) -> None:
    """Remove the folder of a socket: also for those that outlive whoever made it."""
    shutil.rmtree(path.parent, ignore_errors=True)


def _make_folder(state_dir: Path) -> Path:
    tried: OSError | None = None
    for parent in (state_dir, Path(tempfile.gettempdir())):
        try:
            parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder = Path(tempfile.mkdtemp(prefix="workers-", dir=parent))
        except OSError as error:
            tried = error
            continue
        if len(bytes(folder / _NAME)) <= _LONGEST:
            return folder
        folder.rmdir()
    why = tried.strerror if tried is not None else "their paths are too long"
    raise ConfigError(
        [f"understudy.state_dir: no socket can be made there or among temporary files: {why}"]
    )
