"""Server-sent events, cut out of bytes that arrive at any boundary. Pure.

Follows the WHATWG's rules (CR, LF and CRLF; comments; several `data` lines; a space after the
colon or none), less its reconnecting. What the data means is read elsewhere.
"""

from collections.abc import Iterator

from understudy.server.errors import Reason, UpstreamError

MAX_EVENT_BYTES = 4 * 1024 * 1024

_FIELDS = frozenset({b"", b"data", b"event", b"id", b"retry"})  # a comment has no name

Event = tuple[bytes, bytes]  # its name, empty for the usual one, and its data


class EventStream:
    """The events of one reply."""

    def __init__(self, limit: int = MAX_EVENT_BYTES) -> None:
        self.is_one = False  # whether anything was seen that only an event stream has
        self._limit = limit
        self._line = bytearray()  # the line that has not ended yet
        self._name = b""
        self._data: list[bytes] = []
        self._size = 0  # bytes in _data, line ends included
        self._after_cr = False  # a LF that comes next belongs to the line already ended

    def feed(self, data: bytes) -> Iterator[Event]:
        """Yield the events that these bytes complete.

        Raises UpstreamError when an event is larger than the limit.
        """
        if self._after_cr and data:
            data = data.removeprefix(b"\n")
            self._after_cr = False
        if not data:
            return
        self._after_cr = data.endswith(b"\r")
        lines = data.splitlines()
        rest = b"" if data.endswith((b"\n", b"\r")) else lines.pop()
        for line in lines:
            if self._line:
                line = bytes(self._line) + line
                self._line.clear()
            if line:
                self._check_size(len(line))
                self._take(line)
                continue
            if any(self._data):
                yield self._name, b"\n".join(self._data)
            self._clear()
        self._line += rest
        self._check_size(len(self._line))

    def finish(self) -> bytes:
        """Return the data of the event that the end of the reply cut off, most often none.

        Such an event counts for nothing but as a terminator: servers forget the last blank line.
        """
        if self._line:
            self._take(bytes(self._line))
        return b"\n".join(self._data)

    def _take(self, line: bytes) -> None:
        field, _, value = line.partition(b":")
        self.is_one = self.is_one or field in _FIELDS
        if field == b"data":
            value = value.removeprefix(b" ")
            self._data.append(value)
            self._size += len(value) + 1
        elif field == b"event":
            self._name = value.strip()

    def _check_size(self, more: int) -> None:
        if self._size + more > self._limit:
            raise UpstreamError(
                Reason.UPSTREAM_RESPONSE_TOO_LARGE,
                f"the provider sent an event of more than {self._limit} bytes",
            )

    def _clear(self) -> None:
        self._name = b""
        self._data.clear()
        self._size = 0
