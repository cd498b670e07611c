"""Reads a reply by its first byte: what all dialects' readers share. Pure.

Headers are not believed: asked for a stream some answer whole, and the other way round. Which
byte begins what, and what follows, is each dialect's own.
"""

from collections.abc import Callable, Mapping, Sequence

from understudy.server.domain.completion import Completion, Delta
from understudy.server.errors import UpstreamError
from understudy.server.ports import Reader
from understudy.server.providers.reply_ends import MAX_REPLY_BYTES, empty, too_large, truncated

_WHITESPACE = b" \t\r\n"


class RecognisingReader:
    """Hands a reply of bounded size to the reader that its first byte calls for.

    `recognise` is given that byte; it raises UpstreamError if no reply begins so.
    """

    def __init__(
        self,
        stream: bool,
        status: int,
        headers: Mapping[str, str],
        recognise: Callable[[int], Reader],
    ) -> None:
        self._stream = stream
        self._status = status
        self._recognise = recognise
        length = headers.get("content-length", "")
        self._declared = int(length) if length.isdecimal() and len(length) < 20 else 0
        self._size = 0
        self._framed: Reader | None = None

    @property
    def done(self) -> bool:
        """Whether the reply has said that it is over."""
        return self._framed is not None and self._framed.done

    def feed(self, data: bytes) -> Sequence[Delta]:
        """Take the next bytes; return the deltas that they complete."""
        try:
            return self._feed(data)
        except UpstreamError as error:
            error.status = self._status
            raise

    def finish(self) -> Completion:
        """Return the whole answer."""
        try:
            if self._framed is not None:
                return self._framed.finish()
            raise truncated() if self._stream else empty()
        except UpstreamError as error:
            error.status = self._status
            raise

    def _feed(self, data: bytes) -> Sequence[Delta]:
        self._size += len(data)
        if max(self._size, self._declared) > MAX_REPLY_BYTES:
            raise too_large()
        if self._framed is None:
            data = data.lstrip(_WHITESPACE)  # some keep the connection awake with it
            if not data:
                return ()
            self._framed = self._recognise(data[0])
        return self._framed.feed(data)
