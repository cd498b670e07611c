"""Reads Anthropic's replies, framed as JSON or as events. Pure.

A stream is whole when `message_stop` was said, or when the message has said why it ended. Events
and blocks of a kind that is not known are passed over, as Anthropic asks of its readers.
"""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import TypeVar

from msgspec import Raw
from msgspec.json import Decoder

from understudy.server.domain.chat import Message
from understudy.server.domain.completion import Choice, Completion, Delta, Warning
from understudy.server.ports import Reader
from understudy.server.providers.anthropic_blocks import Blocks
from understudy.server.providers.anthropic_replies import (
    BLOCKS,
    DELTAS,
    EVENTS,
    MESSAGES,
    Counts,
    WireEvent,
    WireMessage,
    read_finish_reason,
    read_message,
)
from understudy.server.providers.decoding import REPLACED_CHARS, decode, malformed, said
from understudy.server.providers.failures import classify_reported
from understudy.server.providers.framed import NEITHER, PieceReader, WholeReader, recognise
from understudy.server.providers.recognising import RecognisingReader
from understudy.server.providers.reply_ends import empty, truncated
from understudy.server.providers.sse import EventStream

T = TypeVar("T")


class AnthropicReader(RecognisingReader):
    """Reads one reply of status 200, whatever its framing turns out to be."""

    def __init__(self, stream: bool, status: int, headers: Mapping[str, str]) -> None:
        super().__init__(stream, status, headers, partial(_recognise, stream))


def _recognise(stream: bool, first: int) -> Reader:
    return recognise(first, _WholeReader, partial(_EventReader, stream))


class _WholeReader(WholeReader):
    def _read(self, body: bytes) -> Completion:
        reply, mended = decode(MESSAGES, body)
        if reply.type == "error" or said(reply.error):
            raise classify_reported(body)
        if reply.content is None:
            raise empty()
        counts = Counts()
        counts.take(reply.usage)
        message = read_message(reply.content)
        return Completion(
            (Choice(0, message, read_finish_reason(reply.stop_reason)),),
            reply.id or "",
            reply.model or "",
            usage=counts.read(),
            warnings=(REPLACED_CHARS,) if mended else (),
        )


class _EventReader(PieceReader):
    def __init__(self, stream: bool) -> None:
        super().__init__(stream)
        self._events = EventStream()
        self._blocks = Blocks()
        self._counts = Counts()
        self._head = Delta(())
        self._warnings: tuple[Warning, ...] = ()

    @property
    def _told(self) -> tuple[Warning, ...]:
        return self._warnings

    def _pieces(self, data: bytes) -> Iterator[Delta]:
        for name, event in self._events.feed(data):
            piece = self._read(name, event)
            if piece is not None:
                yield piece
            if self.done:
                return

    def _end(self) -> None:
        if not (self.done or self._assembly.is_finished or self._has_cut_off_stop()):
            raise truncated(self._delivered) if self._events.is_one else malformed(NEITHER)

    def _read(self, name: bytes, data: bytes) -> Delta | None:
        """Return what an event adds, None if nothing."""
        event = WireEvent("error") if name == b"error" else self._decode(EVENTS, data)
        match event.type:
            case "message_start":
                return self._start(self._decode(MESSAGES, event.message))
            case "content_block_start":
                block = self._decode(BLOCKS, event.content_block)
                message = self._blocks.begin(event.index or 0, block)
            case "content_block_delta":
                grown = self._decode(DELTAS, event.delta)
                message = self._blocks.grow(event.index or 0, grown)
            case "content_block_stop":
                message = self._blocks.end(event.index or 0)
            case "message_delta":
                self._counts.take(event.usage)
                reason = read_finish_reason(self._decode(DELTAS, event.delta).stop_reason)
                return self._piece(Choice(0, Message(""), reason))
            case "error":
                raise classify_reported(data, delivered=self._delivered)
            case _:
                self.done = event.type == "message_stop"
                return None
        return None if message is None else self._piece(Choice(0, message))

    def _start(self, message: WireMessage) -> Delta:
        self._counts.take(message.usage)
        self._head = Delta((), message.id or "", message.model or "")
        return self._piece(Choice(0, Message("assistant")))

    def _piece(self, choice: Choice) -> Delta:
        return Delta((choice,), self._head.id, self._head.model, usage=self._counts.read())

    def _decode(self, decoder: Decoder[T], data: bytes | Raw) -> T:
        value, mended = decode(decoder, data)
        if mended:
            self._warnings = (REPLACED_CHARS,)
        return value

    def _has_cut_off_stop(self) -> bool:
        """Return whether the end was said but for its last blank line."""
        return b'"message_stop"' in self._events.finish()
