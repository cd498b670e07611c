"""Reads the replies of Ollama: one JSON object, or a line of JSON for each piece. Pure.

A whole answer is a stream of one line, so that one reader serves both, whichever was asked for.
An answer is whole when a line has said `done`; a line with an `error` breaks it off.
"""

from collections.abc import Iterator, Mapping
from functools import partial

from understudy.server.domain.chat import Message
from understudy.server.domain.completion import Choice, Delta, Warning
from understudy.server.errors import Reason, UpstreamError
from understudy.server.ports import Reader
from understudy.server.providers.decoding import REPLACED_CHARS, decode
from understudy.server.providers.failures import classify_reported
from understudy.server.providers.faults import MAX_BODY_BYTES
from understudy.server.providers.framed import PieceReader, recognise
from understudy.server.providers.ndjson import MAX_LINE_BYTES, LineStream
from understudy.server.providers.ollama_replies import (
    REPLIES,
    WireReply,
    read_finish,
    read_message,
    read_odds,
    read_time,
    read_usage,
    reports_error,
)
from understudy.server.providers.recognising import RecognisingReader
from understudy.server.providers.reply_ends import MAX_REPLY_BYTES, empty, truncated


class OllamaReader(RecognisingReader):
    """Reads one reply of status 200, from either of Ollama's interfaces."""

    def __init__(self, stream: bool, status: int, headers: Mapping[str, str]) -> None:
        super().__init__(stream, status, headers, partial(_recognise, stream))


def _recognise(stream: bool, first: int) -> Reader:
    return recognise(first, partial(_LineReader, stream), otherwise="it is no JSON object")


class _LineReader(PieceReader):
    """Reads an answer line by line; a whole one is one line."""

    def __init__(self, stream: bool) -> None:
        super().__init__(stream)
        self._lines = LineStream(MAX_LINE_BYTES if stream else MAX_REPLY_BYTES)
        self._warnings: tuple[Warning, ...] = ()
        self._created = 0
        self._calls = 0
        self._spoken = False

    @property
    def _told(self) -> tuple[Warning, ...]:
        return self._warnings

    def _pieces(self, data: bytes) -> Iterator[Delta]:
        for line in self._lines.feed(data):
            yield self._read(line)
            if self.done:
                return

    def _end(self) -> None:
        if not self.done:
            self._take_last(self._lines.finish())

    def _take_last(self, line: bytes) -> None:
        """Take the line that the end of the reply ended, as the one of a whole answer does.

        After delivered pieces it may end the answer, but can say no more: nobody would hear it.
        """
        delta = None
        try:
            delta = self._assembly.add(self._read(line)) if line else None
        except UpstreamError as error:
            error.delivered = self._delivered
            if not (self._stream and error.reason is Reason.UPSTREAM_MALFORMED_RESPONSE):
                raise
        if not (self._stream or self._spoken):
            raise empty()
        if not self.done or (self._delivered and delta is not None and _has_words(delta)):
            raise truncated(self._delivered)

    def _read(self, line: bytes) -> Delta:
        wire, mended = decode(REPLIES, line)
        if reports_error(wire):
            body = line if len(line) <= MAX_BODY_BYTES else bytes(wire.error)
            raise classify_reported(body, delivered=self._delivered)
        if mended:
            self._warnings = (REPLACED_CHARS,)
        self._created = self._created or read_time(wire.created_at)
        self.done = bool(wire.done)
        return Delta(
            self._read_choices(wire),
            model=wire.model or "",
            created=self._created,
            usage=read_usage(wire) if self.done else None,
        )

    def _read_choices(self, wire: WireReply) -> tuple[Choice, ...]:
        message = read_message(wire, self._calls)
        if message is None:
            if not (self.done and self._spoken):
                return ()
            message = Message("")  # some leave it out where there is nothing more to say
        self._spoken = True
        if message.tool_calls:
            self._calls += len(message.tool_calls)
        return (Choice(0, message, read_finish(wire, self._calls > 0), read_odds(wire)),)


def _has_words(delta: Delta) -> bool:
    messages = [one.message for one in delta.choices]
    return any(one.content or one.reasoning_content or one.tool_calls for one in messages)
