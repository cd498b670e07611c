"""Server-sent events, cut out of bytes that arrive at any boundary. Pure.

Follows the WHATWG's rules (CR, LF and CRLF; comments; several `data` lines; a space after the
colon or none), less its reconnecting. What the data means is read elsewhere.
"""

from collections.abc import Iterator

from understudy.server.errors import Reason, UpstreamError

MAX_EVENT_BYTES = 4 * 1024 * 1024

Event = tuple[bytes, bytes]  # its name, empty for the usual one, and its data


class EventStream:
    """The events of one reply."""

    def __init__(self, limit: int = MAX_EVENT_BYTES) -> None:
        self._limit = limit
        self._line: list[bytes] = []  # pieces of the line that has not ended yet
        self._name = b""
        self._data: list[bytes] = []
        self._held = 0  # bytes in _line and _data
        self._after_cr = False  # a LF that comes next belongs to the line already ended

    def feed(self, data: bytes) -> Iterator[Event]:
        """Yield the events that these bytes complete.

        Raises UpstreamError when an event is larger than the limit.
        """
        if self._after_cr and data:
            self._after_cr = False
            data = data.removeprefix(b"\n")
        if not data:
            return
        self._after_cr = data.endswith(b"\r")
        lines = data.splitlines()
        rest = b"" if data.endswith((b"\n", b"\r")) else lines.pop()
        for line in lines:
            if self._line:
                line = b"".join((*self._line, line))
                self._held -= sum(map(len, self._line))
                self._line.clear()
            if not line:
                if self._data:
                    yield self._dispatch()
                self._name = b""
                continue
            self._take(line)
        if rest:
            self._line.append(rest)
            self._hold(len(rest))

    def finish(self) -> bytes:
        """Return the data of the event that the end of the reply cut off, most often empty.

        Such an event counts for nothing but as a terminator: servers forget the last blank line.
        """
        if self._line:
            self._take(b"".join(self._line))
        return b"\n".join(self._data)

    def _take(self, line: bytes) -> None:
        field, _, value = line.partition(b":")
        if field == b"data":
            value = value.removeprefix(b" ")
            self._data.append(value)
            self._hold(len(value))
        elif field == b"event":
            self._name = value.strip()

    def _hold(self, count: int) -> None:
        self._held += count
        if self._held > self._limit:
            raise UpstreamError(
                Reason.UPSTREAM_RESPONSE_TOO_LARGE,
                f"the provider sent an event of more than {self._limit} bytes",
            )

    def _dispatch(self) -> Event:
        event = self._name, self._data[0] if len(self._data) == 1 else b"\n".join(self._data)
        self._data.clear()
        self._held = 0
        return event
