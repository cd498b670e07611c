"""What readers of whole replies, and readers of pieces, share whatever the dialect. Pure.

A reader of a dialect says what a body, or the next bytes of a stream, mean; here is what follows:
which deltas are handed on, what a failure in the middle does, and when an answer is none.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence

from understudy.server.domain.completion import Completion, Delta, Warning
from understudy.server.errors import UpstreamError
from understudy.server.ports import Reader
from understudy.server.providers.assembly import Assembly
from understudy.server.providers.decoding import malformed
from understudy.server.providers.reply_ends import empty

NEITHER = "it is neither JSON nor an event stream"


def recognise(
    first: int,
    whole: Callable[[], Reader],
    pieces: Callable[[], Reader] | None = None,
    otherwise: str = NEITHER,
) -> Reader:
    """Return the reader that a reply's first byte calls for.

    Raises UpstreamError, which says `otherwise`, if no reply begins so.
    """
    if first == ord("{"):
        return whole()
    if pieces is not None and first in b":deir":  # a comment, or data, event, id, retry
        return pieces()
    raise malformed("it is HTML" if first == ord("<") else otherwise)


class WholeReader(ABC):
    """Reads an answer that comes as one body."""

    done = False  # only its end says that it is over

    def __init__(self) -> None:
        self._body = bytearray()

    def feed(self, data: bytes) -> Sequence[Delta]:
        """Take the next bytes."""
        self._body += data
        return ()

    def finish(self) -> Completion:
        """Return the answer."""
        return self._read(bytes(self._body))

    @abstractmethod
    def _read(self, body: bytes) -> Completion:
        """Return the answer that a body is. Raises UpstreamError if it is none."""


class PieceReader(ABC):
    """Reads an answer that comes in pieces. Deltas are returned only if a stream was asked for."""

    def __init__(self, stream: bool) -> None:
        self._stream = stream
        self._assembly = Assembly()
        self._delivered = 0
        self._failure: UpstreamError | None = None
        self.done = False

    def feed(self, data: bytes) -> Sequence[Delta]:
        """Take the next bytes; return the deltas that they complete."""
        if self._failure is not None:
            raise self._failure
        if self.done:
            return ()
        deltas: list[Delta] = []
        try:
            for piece in self._pieces(data):
                delta = self._assembly.add(piece)
                if delta is not None and self._stream:
                    self._delivered += 1
                    deltas.append(delta)
        except UpstreamError as error:
            error.delivered = self._delivered
            # What came before the failure is delivered first, wherever the packets were cut.
            self._failure = error
            if not deltas:
                raise
        return deltas

    def finish(self) -> Completion:
        """Return the answer."""
        if self._failure is not None:
            raise self._failure
        self._end()
        completion = self._assembly.complete(self._told)
        if not completion.choices:
            raise empty()
        return completion

    @property
    @abstractmethod
    def _told(self) -> tuple[Warning, ...]:
        """What of the reply could not be passed on."""

    @abstractmethod
    def _pieces(self, data: bytes) -> Iterator[Delta]:
        """Yield what the next bytes add, and set `done` where that is the end.

        Raises UpstreamError as soon as the reply is known to be no answer.
        """

    @abstractmethod
    def _end(self) -> None:
        """Take the end of the reply. Raises UpstreamError if it came too early."""
