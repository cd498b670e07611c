"""Reads the replies of OpenAI and those who follow it, framed as JSON or as events. Pure.

How a reply is framed is seen from its first byte, not believed from its headers: asked for a
stream some answer whole, and the other way round. A stream is whole when `[DONE]` was said, or
when every choice has said why it ended, for some servers forget the former.
"""

from collections.abc import Iterable, Iterator, Mapping
from functools import partial

from understudy.server.domain.completion import Completion, Delta, Warning
from understudy.server.ports import Reader
from understudy.server.providers.decoding import REPLACED_CHARS, decode, malformed, said
from understudy.server.providers.failures import classify_reported
from understudy.server.providers.faults import MAX_BODY_BYTES
from understudy.server.providers.framed import NEITHER, PieceReader, WholeReader, recognise
from understudy.server.providers.openai_figures import read_cost, read_created, read_usage
from understudy.server.providers.openai_replies import (
    REPLIES,
    WireMessage,
    WireReply,
    left_out,
    read_answer,
    read_groq,
    read_id,
    read_piece,
)
from understudy.server.providers.recognising import RecognisingReader
from understudy.server.providers.reply_ends import empty, truncated
from understudy.server.providers.sse import EventStream

_DONE = b"[DONE]"
_MOST_WARNINGS = 8
_LONGEST_KIND = 40


class OpenAiReader(RecognisingReader):
    """Reads one reply of status 200, whatever its framing turns out to be."""

    def __init__(self, stream: bool, status: int, headers: Mapping[str, str]) -> None:
        super().__init__(stream, status, headers, partial(_recognise, stream))


def _recognise(stream: bool, first: int) -> Reader:
    return recognise(first, _WholeReader, partial(_EventReader, stream))


class _WholeReader(WholeReader):
    def _read(self, body: bytes) -> Completion:
        reply, mended = decode(REPLIES, body)
        if (fault := _fault(reply, body)) is not None:
            raise classify_reported(fault)
        choices = tuple(
            read_answer(one, one.message, position)
            for position, one in enumerate(reply.choices or ())
            if one.message is not None
        )
        if not choices or len(choices) < len(tuple(reply.choices or ())):
            raise empty()
        warnings = _Warnings()
        warnings.take(mended, (one.message for one in reply.choices or ()))
        return Completion(
            choices,
            read_id(reply.id),
            reply.model or "",
            read_created(reply.created),
            read_usage(reply.usage),
            reply.system_fingerprint or "",
            reply.service_tier or "",
            warnings.told,
            read_cost(reply.usage),
        )


class _EventReader(PieceReader):
    def __init__(self, stream: bool) -> None:
        super().__init__(stream)
        self._events = EventStream()
        self._warnings = _Warnings()

    @property
    def _told(self) -> tuple[Warning, ...]:
        return self._warnings.told

    def _pieces(self, data: bytes) -> Iterator[Delta]:
        for name, event in self._events.feed(data):
            if event.strip() == _DONE:
                self.done = True
                return
            yield self._read(name, event)

    def _end(self) -> None:
        cut = not (self.done or self._assembly.is_finished)
        if cut and self._events.finish().strip() != _DONE:
            raise truncated(self._delivered) if self._events.is_one else malformed(NEITHER)

    def _read(self, name: bytes, event: bytes) -> Delta:
        if name == b"error" or (event.startswith(b"[") and b'"error"' in event):  # Gemini's list
            raise classify_reported(event, delivered=self._delivered)
        chunk, mended = decode(REPLIES, event)
        if (fault := _fault(chunk, event)) is not None:
            raise classify_reported(fault, delivered=self._delivered)
        self._warnings.take(mended, (one.delta or one.message for one in chunk.choices or ()))
        usage = chunk.usage if said(chunk.usage) else read_groq(chunk).usage
        return Delta(
            tuple(
                read_piece(one, message, position)
                for position, one in enumerate(chunk.choices or ())
                if (message := one.delta or one.message) is not None
            ),
            read_id(chunk.id),
            chunk.model or "",
            read_created(chunk.created),
            read_usage(usage),
            chunk.system_fingerprint or "",
            chunk.service_tier or "",
            read_cost(usage),
        )


class _Warnings:
    """What of a reply could not be passed on, each kind once."""

    def __init__(self) -> None:
        self._told: dict[str, Warning] = {}

    @property
    def told(self) -> tuple[Warning, ...]:
        return tuple(self._told.values())

    def take(self, mended: bool, messages: Iterable[WireMessage | None]) -> None:
        if mended:
            self._told[""] = REPLACED_CHARS
        for message in messages:
            for kind in () if message is None else left_out(message):
                if len(self._told) < _MOST_WARNINGS:
                    self._told.setdefault(kind, _drop(kind[:_LONGEST_KIND]))


def _drop(kind: str) -> Warning:
    return Warning(
        "DROPPED_CONTENT",
        f"the model answered with content of the kind {kind!r}, which has no place in an answer "
        "here, so it was dropped",
    )


def _fault(reply: WireReply, body: bytes) -> bytes | None:
    """Return the error that a reply of status 200 reports, if any."""
    if said(reply.error) and bytes(reply.error) not in _NO_FAULT:
        # Some say its kind beside it.
        return body if len(body) <= MAX_BODY_BYTES else bytes(reply.error)
    if reply.object == "error":
        return body
    if said(error := read_groq(reply).error):
        return bytes(error)
    for choice in reply.choices or ():
        if said(choice.error):
            return bytes(choice.error)
        if choice.finish_reason == "error":
            return b"{}"
    return None


_NO_FAULT = (b'""', b"{}", b"[]", b"false")
