"""A connected socket on which everything together must be done by a deadline.

A timeout of the standard library's bounds each read; a receiver that sends a byte now and then
could so be waited for without end.
"""

import io
import socket
import ssl
import time
from contextlib import suppress
from typing import TYPE_CHECKING, BinaryIO, cast

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_PIECE = 64 * 1024  # bytes handed over at a time


class Deadline:
    """An instant of the monotonic clock that can be set anew."""

    __slots__ = ("at",)

    def __init__(self, timeout: float) -> None:
        self.at = time.monotonic() + timeout

    def left(self) -> float:
        """Return the seconds that are left. Raises TimeoutError when there are none."""
        left = self.at - time.monotonic()
        if left <= 0:
            raise TimeoutError("the deadline has passed")
        return left


class TimedSocket:
    """As much of a socket as `http.client` uses."""

    def __init__(self, inner: socket.socket, deadline: Deadline) -> None:
        self._inner = inner
        self.deadline = deadline

    def sendall(self, data: bytes) -> None:
        """Send it all, by the deadline. Raises OSError."""
        rest = memoryview(data)
        while rest:
            self._inner.settimeout(self.deadline.left())
            rest = rest[self._inner.send(rest[:_PIECE]) :]

    def makefile(self, mode: str) -> BinaryIO:
        """Return what reads from it, and keeps it open meanwhile."""
        assert mode == "rb"
        return cast(BinaryIO, io.BufferedReader(_TimedReads(self._inner, self)))

    def shut(self) -> None:
        """Wake whoever waits on it, in another thread."""
        with suppress(OSError):  # not connected any more
            # Not SSLSocket.shutdown, which takes the TLS session away under a reader's feet.
            socket.socket.shutdown(self._inner, socket.SHUT_RDWR)

    def close(self) -> None:
        """Close it, once nothing reads from it."""
        self._inner.close()


class _TimedReads(io.RawIOBase):
    def __init__(self, inner: socket.socket, owner: TimedSocket) -> None:
        self._inner = inner
        self._owner = owner
        self._raw = inner.makefile("rb", buffering=0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int | None:
        self._inner.settimeout(self._owner.deadline.left())
        return self._raw.readinto(buffer)

    def close(self) -> None:
        if not self.closed:
            self._raw.close()
        super().close()


def connect(
    host: str, port: int, context: ssl.SSLContext | None, deadline: Deadline
) -> TimedSocket:
    """Connect, with TLS if there is a context for it. Raises OSError."""
    inner = socket.create_connection((host, port), timeout=deadline.left())
    try:
        inner.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if context is not None:
            inner.settimeout(deadline.left())
            inner = context.wrap_socket(inner, server_hostname=host)
    except BaseException:
        inner.close()
        raise
    return TimedSocket(inner, deadline)
