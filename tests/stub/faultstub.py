"""A model on loopback that misbehaves as told: HTTP/1.1 over a bare asyncio protocol.

No framework stands between, so that it can send broken bytes and close when it likes, and is fast
enough to be the upstream of a load test. What it does is chosen by the model's name, in the body
or in an Azure path: see `modes`. `x-stub-service-ms` in a reply says how long the stub took. To
run it beside a test's loop, see `runners`.
"""

import asyncio
import re
import socket
import ssl
import struct
import time
from collections import deque
from types import TracebackType
from typing import Literal, Self, cast

import msgspec

from . import modes
from .plans import Call, Ending, Framing, Plan, Stop
from .seen import Connection, Seen, parse_headers
from .writing import choose_framing, frame, write_reply

_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d+)", re.IGNORECASE)
_AZURE_MODEL = re.compile(rb"/deployments/([^/? ]+)")
_LATER = 0.02  # seconds
_SLOW_READ = 1.024  # seconds for a KiB
_SLOW_BUFFER = 4 << 10  # bytes that the kernel takes in meanwhile
_NO_LINGER = struct.pack("ii", 1, 0)


class _Message(msgspec.Struct):
    content: object = None


class _Options(msgspec.Struct):
    include_usage: bool = False


class _Asked(msgspec.Struct):
    model: str = ""
    stream: bool | None = False
    stream_options: _Options | None = None
    messages: list[_Message] = []


_decode = msgspec.json.Decoder(_Asked).decode


class FaultStub:
    """The server. An async context manager; `url` is its origin, `requests` what it saw.

    `mode` answers every request, whatever its model; `reads` says how much of a request is read
    before the answer, and of what follows it ("slowly" is a kilobyte a second, "then-closes" the
    head and no more); `keep` bounds the requests that are remembered.
    """

    def __init__(
        self,
        *,
        mode: str | None = None,
        tls: ssl.SSLContext | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        reads: Literal["all", "head", "nothing", "slowly", "then-closes"] = "all",
        redirect_to: str = "http://127.0.0.1:9/",
        keep: int = 20_000,
    ) -> None:
        self.mode = mode
        self.reads = reads
        self.redirect_to = redirect_to
        self.requests: deque[Seen] = deque(maxlen=keep)
        self.count = 0
        self.connections: deque[Connection] = deque(maxlen=keep)
        self.connection_count = 0
        self.wires: set[_Wire] = set()
        self._tls = tls
        self._address = (host, port)
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        host, port = self._address
        self._server = await asyncio.get_running_loop().create_server(
            lambda: _Wire(self), host, port, ssl=self._tls, backlog=1024
        )
        self._address = (host, self._server.sockets[0].getsockname()[1])
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._server is not None
        self._server.close()
        self.drop_connections()
        await self._server.wait_closed()

    @property
    def port(self) -> int:
        """The port it listens on."""
        return self._address[1]

    @property
    def url(self) -> str:
        """Its origin."""
        return f"{'https' if self._tls else 'http'}://{self._address[0]}:{self.port}"

    @property
    def open_connections(self) -> int:
        """How many clients are connected."""
        return len(self.wires)

    def drop_connections(self) -> None:
        """Close every connection at once, as a restart does."""
        for wire in tuple(self.wires):
            wire.abort()


class _Wire(asyncio.Protocol):
    """One connection: takes requests in turn, and carries their plans out."""

    def __init__(self, stub: FaultStub) -> None:
        self._stub = stub
        self._received = b""
        self._needed = 0  # bytes until the request is whole, 0: its head is not
        self._playing: asyncio.Task[None] | None = None
        self._drop_next = False
        self._writable = asyncio.Event()
        self._writable.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        plain = self._transport.get_extra_info("socket")
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._stub.connection_count += 1
        self._connection = Connection(self._stub.connection_count, time.monotonic())
        self._stub.connections.append(self._connection)
        self._stub.wires.add(self)
        if self._stub.reads == "slowly":
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SLOW_BUFFER)

    def data_received(self, data: bytes) -> None:
        if self._stub.reads == "nothing":
            self._transport.pause_reading()
            return
        if self._stub.reads == "then-closes":
            self._end(Ending.CLOSE)
            return
        if self._stub.reads == "slowly":
            self._transport.pause_reading()
            pause = len(data) / 1024 * _SLOW_READ
            asyncio.get_running_loop().call_later(pause, self._read_on)
        self._received = self._received + data if self._received else data
        if self._playing is None:
            self._take_requests()

    def _read_on(self) -> None:
        if not self._transport.is_closing():
            self._transport.resume_reading()

    def eof_received(self) -> None:
        self._note_end("client")

    def connection_lost(self, exc: Exception | None) -> None:
        self._note_end("client")
        self._stub.wires.discard(self)
        self._writable.set()
        if self._playing is not None:
            self._playing.cancel()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def abort(self) -> None:
        """Close at once."""
        self._note_end("stub")
        self._transport.abort()

    def _note_end(self, who: str) -> None:
        if self._connection.closed is None:
            self._connection.closed = time.monotonic()
            self._connection.closed_by = "stub" if who == "stub" else "client"

    def _take_requests(self) -> None:
        while self._received and self._playing is None and self._connection.closed is None:
            if not self._needed:
                end = self._received.find(b"\r\n\r\n")
                if end < 0:
                    return
                length = _LENGTH.search(self._received, 0, end)
                self._head_end = end
                self._needed = end + 4 + (int(length[1]) if length else 0)
            if self._stub.reads == "head":
                self._transport.pause_reading()
            elif len(self._received) < self._needed:
                return
            head = self._received[: self._head_end]
            body = self._received[self._head_end + 4 : self._needed]
            self._received = self._received[self._needed :]
            self._needed = 0
            self._answer(head, body)

    def _answer(self, head: bytes, body: bytes) -> None:
        stub = self._stub
        arrived = time.monotonic()
        call = _read_call(head, body, stub)
        seen = Seen(self._connection, head, body, arrived, call.model)
        self._connection.requests += 1
        stub.count += 1
        stub.requests.append(seen)
        if self._drop_next:
            self._end(Ending.CLOSE)
            return
        plan = modes.make_plan(call)
        if plan.delay or plan.pace or plan.endless or plan.drip_head:
            self._playing = asyncio.get_running_loop().create_task(self._play(plan, seen))
        else:
            self._transport.write(b"".join(write_reply(plan, arrived)))
            self._finish(plan, seen)

    async def _play(self, plan: Plan, seen: Seen) -> None:
        await asyncio.sleep(plan.delay)
        for first, piece in enumerate(write_reply(plan, seen.arrived)):
            if first and plan.pace:
                await asyncio.sleep(plan.pace)
            await self._write(piece)
        while plan.endless and plan.stop is Stop.AT_END:
            await asyncio.sleep(plan.pace)
            await self._write(frame(plan.endless, plan))
        self._playing = None
        self._finish(plan, seen)
        self._take_requests()

    async def _write(self, piece: bytes) -> None:
        self._transport.write(piece)
        await self._writable.wait()

    def _finish(self, plan: Plan, seen: Seen) -> None:
        if plan.stop is Stop.AT_END:
            seen.answered = time.monotonic()
        if plan.ending is Ending.REPEAT:
            again = b"".join(write_reply(plan, seen.arrived))
            asyncio.get_running_loop().call_later(_LATER, self._transport.write, again)
        eof_framed = choose_framing(plan) is Framing.EOF and plan.ending is Ending.KEEP
        self._end(Ending.CLOSE if eof_framed else plan.ending)

    def _end(self, ending: Ending) -> None:
        match ending:
            case Ending.KEEP | Ending.HANG | Ending.REPEAT:
                pass
            case Ending.DROP_NEXT:
                self._drop_next = True
            case Ending.CLOSE:
                self._note_end("stub")
                self._transport.close()
            case Ending.RESET:
                self._note_end("stub")
                plain = self._transport.get_extra_info("socket")
                plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
                self._transport.abort()


def _read_call(head: bytes, body: bytes, stub: FaultStub) -> Call:
    try:
        asked = _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        asked = _Asked()
    named = _AZURE_MODEL.search(head)
    model = asked.model or (named[1].decode() if named else "")
    texts = [one.content for one in asked.messages if isinstance(one.content, str)]
    options = asked.stream_options
    return Call(
        model=model if stub.mode is None else stub.mode,
        stream=bool(asked.stream),
        include_usage=options is not None and options.include_usage,
        prompt=" ".join(texts),
        last=texts[-1] if texts else "",
        headers=parse_headers(head),
        redirect_to=stub.redirect_to,
    )
