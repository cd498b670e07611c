"""A server of bare HTTP/2 frames that breaks the connection under a call, and counts the calls."""

import gc
import socket
import struct
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, SETTINGS, GOAWAY = 0, 1, 4, 7
END_STREAM, ACK, END_HEADERS = 1, 1, 4

Break = Callable[[socket.socket], None]


@dataclass(slots=True)
class Wire:
    """Where it listens, and how many calls have come, health checks aside."""

    address: str
    calls: int = 0
    sockets: list[socket.socket] = field(default_factory=list[socket.socket])


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """An HTTP/2 frame."""
    return (
        struct.pack(">I", len(payload))[1:]
        + bytes([kind, flags])
        + (struct.pack(">I", stream) + payload)
    )


def unimplemented(stream: int) -> bytes:
    """An answer of headers alone with the status UNIMPLEMENTED, as of a server without health."""
    block = b"\x88" + literal(b"content-type", b"application/grpc") + literal(b"grpc-status", b"12")
    return frame(HEADERS, END_STREAM | END_HEADERS, stream, block)


def literal(name: bytes, value: bytes) -> bytes:
    """A header in HPACK, neither indexed nor compressed."""
    return b"\x00" + bytes([len(name)]) + name + bytes([len(value)]) + value


def finish(connection: socket.socket) -> None:
    """End a connection in order."""
    connection.shutdown(socket.SHUT_RDWR)


def reset(connection: socket.socket) -> None:
    """End a connection without a goodbye."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def turn_away(connection: socket.socket) -> None:
    """Say that the call was not begun, and end the connection."""
    # Stream 1 is the health check, which was.
    connection.sendall(frame(GOAWAY, 0, 0, struct.pack(">II", 1, 0)))
    connection.shutdown(socket.SHUT_WR)


@contextmanager
def breaking(how: Break, *, connections: int = 100) -> Generator[Wire]:
    """Serve so many connections, breaking each once a call has come whole."""
    listener = socket.create_server(("127.0.0.1", 0))
    wire = Wire(f"127.0.0.1:{listener.getsockname()[1]}")

    def serve() -> None:
        for _ in range(connections):
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            wire.sockets.append(connection)
            with suppress(OSError), connection, connection.makefile("rb") as stream:
                _talk(connection, stream.read, wire, how)
        listener.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield wire
    finally:
        for one in (listener, *wire.sockets):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        gc.collect()  # `asyncio.run` keeps a failed call, and with it a connection, till then
        thread.join()
        listener.close()


def _talk(connection: socket.socket, read: Callable[[int], bytes], wire: Wire, how: Break) -> None:
    if read(len(PREFACE)) != PREFACE:
        return
    connection.sendall(frame(SETTINGS, 0, 0))
    for kind, flags, number in _frames(read):
        if kind == SETTINGS and not flags & ACK:
            connection.sendall(frame(SETTINGS, ACK, 0))
        elif kind == HEADERS and number == 1:
            connection.sendall(unimplemented(number))
        elif kind == HEADERS:
            wire.calls += 1
        elif kind == DATA and number > 1 and flags & END_STREAM:
            how(connection)
            return


def _frames(read: Callable[[int], bytes]) -> Iterator[tuple[int, int, int]]:
    while len(head := read(9)) == 9:
        read(int.from_bytes(head[:3], "big"))
        yield head[3], head[4], int.from_bytes(head[5:], "big") & 0x7FFFFFFF
