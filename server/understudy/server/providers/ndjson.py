"""Lines of JSON, cut out of bytes that arrive at any boundary. Pure.

A line ends with LF; a CR before it and lines of nothing but white space count for nothing, and the
last line need not end. What a line means is read elsewhere.
"""

from collections.abc import Iterator

from understudy.server.errors import Reason, UpstreamError

MAX_LINE_BYTES = 4 * 1024 * 1024

_WHITESPACE = b" \t\r"


class LineStream:
    """The lines of one reply."""

    def __init__(self, limit: int = MAX_LINE_BYTES) -> None:
        self._limit = limit
        self._line = bytearray()  # the line that has not ended yet

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield the lines that these bytes complete, without white space around them.

        Raises UpstreamError when a line is larger than the limit.
        """
        *lines, rest = data.split(b"\n")
        for line in lines:
            self._check_size(len(line))
            if self._line:
                line = bytes(self._line) + line
                self._line.clear()
            if line := line.strip(_WHITESPACE):
                yield line
        self._check_size(len(rest))
        self._line += rest

    def finish(self) -> bytes:
        """Return the line that the end of the reply ended, most often none."""
        line = bytes(self._line).strip(_WHITESPACE)
        self._line.clear()
        return line

    def _check_size(self, more: int) -> None:
        if len(self._line) + more > self._limit:
            raise UpstreamError(
                Reason.UPSTREAM_RESPONSE_TOO_LARGE,
                f"the provider sent a line of more than {self._limit} bytes",
            )
