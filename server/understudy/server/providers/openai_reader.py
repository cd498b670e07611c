"""Reads the replies of OpenAI and those who follow it, framed as JSON or as events. Pure.

How a reply is framed is seen from its first byte, not believed from its headers: asked for a
stream some answer whole, and the other way round. A stream is whole when `[DONE]` was said, or
when every choice has said why it ended, for some servers forget the former.
"""

from collections.abc import Mapping, Sequence

from understudy.server.domain.completion import Completion, Delta, Warning
from understudy.server.errors import Reason, UpstreamError
from understudy.server.ports import Reader
from understudy.server.providers.assembly import Assembly
from understudy.server.providers.decoding import REPLACED_CHARS, decode, malformed, said
from understudy.server.providers.failures import classify_reported
from understudy.server.providers.faults import MAX_BODY_BYTES
from understudy.server.providers.openai_figures import read_created, read_usage
from understudy.server.providers.openai_replies import (
    REPLIES,
    WireReply,
    read_answer,
    read_id,
    read_piece,
)
from understudy.server.providers.sse import EventStream

MAX_REPLY_BYTES = 32 * 1024 * 1024

_WHITESPACE = b" \t\r\n"
_DONE = b"[DONE]"
_NEITHER = "it is neither JSON nor an event stream"


class OpenAiReader:
    """Reads one reply of status 200, whatever its framing turns out to be."""

    def __init__(self, stream: bool, status: int, headers: Mapping[str, str]) -> None:
        self._stream = stream
        self._status = status
        length = headers.get("content-length", "")
        self._declared = int(length) if length.isdecimal() and len(length) < 20 else 0
        self._size = 0
        self._framed: Reader | None = None

    @property
    def done(self) -> bool:
        """Whether `[DONE]` was said."""
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
            raise _truncated() if self._stream else _empty()
        except UpstreamError as error:
            error.status = self._status
            raise

    def _feed(self, data: bytes) -> Sequence[Delta]:
        self._size += len(data)
        if max(self._size, self._declared) > MAX_REPLY_BYTES:
            raise UpstreamError(
                Reason.UPSTREAM_RESPONSE_TOO_LARGE,
                f"the provider's answer is larger than {MAX_REPLY_BYTES} bytes",
            )
        if self._framed is None:
            data = data.lstrip(_WHITESPACE)  # some keep the connection awake with it
            if not data:
                return ()
            self._framed = self._recognise(data[0])
        return self._framed.feed(data)

    def _recognise(self, first: int) -> Reader:
        if first == ord("{"):
            return _WholeReader()
        if first in b":deir":  # a comment, or data, event, id, retry
            return _EventReader(self._stream)
        raise malformed("it is HTML" if first == ord("<") else _NEITHER)


class _WholeReader:
    """Reads an answer that comes as one JSON object."""

    done = False  # only its end says that it is over

    def __init__(self) -> None:
        self._body = bytearray()

    def feed(self, data: bytes) -> Sequence[Delta]:
        self._body += data
        return ()

    def finish(self) -> Completion:
        body = bytes(self._body)
        reply, mended = decode(REPLIES, body)
        if (fault := _fault(reply, body)) is not None:
            raise classify_reported(fault)
        choices = tuple(
            read_answer(one, one.message, position)
            for position, one in enumerate(reply.choices or ())
            if one.message is not None
        )
        if not choices or len(choices) < len(tuple(reply.choices or ())):
            raise _empty()
        return Completion(
            choices,
            read_id(reply.id),
            reply.model or "",
            read_created(reply.created),
            read_usage(reply.usage),
            reply.system_fingerprint or "",
            reply.service_tier or "",
            (REPLACED_CHARS,) if mended else (),
        )


class _EventReader:
    """Reads an answer that comes as events. Deltas are returned only if a stream was asked for."""

    def __init__(self, stream: bool) -> None:
        self._stream = stream
        self._events = EventStream()
        self._assembly = Assembly()
        self._warnings: tuple[Warning, ...] = ()
        self._delivered = 0
        self.done = False
        self._failure: UpstreamError | None = None

    def feed(self, data: bytes) -> Sequence[Delta]:
        if self._failure is not None:
            raise self._failure
        if self.done:
            return ()
        deltas: list[Delta] = []
        try:
            for name, event in self._events.feed(data):
                if event.strip() == _DONE:
                    self.done = True
                    break
                delta = self._assembly.add(self._read(name, event))
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
        if self._failure is not None:
            raise self._failure
        cut = not (self.done or self._assembly.is_finished)
        if cut and self._events.finish().strip() != _DONE:
            raise _truncated(self._delivered) if self._events.is_one else malformed(_NEITHER)
        completion = self._assembly.complete(self._warnings)
        if not completion.choices:
            raise _empty()
        return completion

    def _read(self, name: bytes, event: bytes) -> Delta:
        if name == b"error":
            raise classify_reported(event, delivered=self._delivered)
        chunk, mended = decode(REPLIES, event)
        if (fault := _fault(chunk, event)) is not None:
            raise classify_reported(fault, delivered=self._delivered)
        if mended:
            self._warnings = (REPLACED_CHARS,)
        return Delta(
            tuple(
                read_piece(one, message, position)
                for position, one in enumerate(chunk.choices or ())
                if (message := one.delta or one.message) is not None
            ),
            read_id(chunk.id),
            chunk.model or "",
            read_created(chunk.created),
            read_usage(chunk.usage),
            chunk.system_fingerprint or "",
            chunk.service_tier or "",
        )


def _fault(reply: WireReply, body: bytes) -> bytes | None:
    """Return the error that a reply of status 200 reports, if any."""
    if said(reply.error) and bytes(reply.error) not in _NO_FAULT:
        # Some say its kind beside it.
        return body if len(body) <= MAX_BODY_BYTES else bytes(reply.error)
    if reply.object == "error":
        return body
    for choice in reply.choices or ():
        if said(choice.error):
            return bytes(choice.error)
        if choice.finish_reason == "error":
            return b"{}"
    return None


_NO_FAULT = (b'""', b"{}", b"[]", b"false")


def _truncated(delivered: int = 0) -> UpstreamError:
    if delivered:
        return UpstreamError(
            Reason.UPSTREAM_STREAM_TRUNCATED,
            "the provider's stream ended early",
            delivered=delivered,
            metadata={"deltasDelivered": str(delivered)},
        )
    return UpstreamError(Reason.UPSTREAM_TRUNCATED, "the provider's stream ended early")


def _empty() -> UpstreamError:
    return UpstreamError(
        Reason.UPSTREAM_EMPTY_RESPONSE, "the provider's answer holds no choice with a message"
    )
