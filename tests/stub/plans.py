"""A reply, planned: what is sent, how it travels, where it ends.

Pure values. The words that make plans are in `modes`; `faultstub` carries plans out.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto

from . import replies


class Ending(Enum):
    """What becomes of the connection after the last byte that is sent."""

    KEEP = auto()  # waits for the next request
    CLOSE = auto()  # FIN
    RESET = auto()  # RST
    HANG = auto()  # silence; the connection stays open until the client closes it
    DROP_NEXT = auto()  # waits for the next request, and closes without a word
    REPEAT = auto()  # says it all once more, unasked, a little later


class Stop(Enum):
    """How far a reply gets before its ending comes."""

    BEFORE_HEAD = auto()
    IN_HEAD = auto()
    IN_BODY = auto()  # half of it
    AT_END = auto()


class Framing(Enum):
    """How a client learns where the body ends."""

    LENGTH = auto()
    CHUNKED = auto()
    EOF = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What was asked, as far as a reply depends on it."""

    model: str = ""
    stream: bool = False
    include_usage: bool = False
    prompt: str = ""  # the messages' texts, joined by a space
    last: str = ""  # the last message's text
    headers: Mapping[str, str] = field(default_factory=dict[str, str])  # lower-case names
    redirect_to: str = "http://127.0.0.1:9/"


@dataclass(slots=True, kw_only=True)
class Plan:
    """A reply to be sent. Words change it in turn; `head` and `pieces` are what it comes to."""

    call: Call
    status: int = 200
    reason: bytes = b""
    headers: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    content: str = ""
    finish_reason: str = "stop"
    body: bytes | None = None  # instead of an answer
    events: list[bytes] | None = None  # instead of a streamed answer
    raw: bytes | None = None  # instead of a head and a body
    declared: int | None = None  # a Content-Length that may lie
    framing: Framing | None = None
    endless: bytes = b""  # sent again and again after the pieces
    delay: float = 0.0  # seconds before the first byte
    pace: float = 0.0  # seconds between pieces
    piece: int = 0  # bytes in a piece, 0: pieces as they come
    drip_head: bool = False  # the head in such pieces too
    stop: Stop = Stop.AT_END
    ending: Ending = Ending.KEEP

    @property
    def streamed(self) -> bool:
        """Whether the body is events: asked for, and no whole body put in their place."""
        return self.body is None and (self.call.stream or self.events is not None)

    def pieces(self) -> list[bytes]:
        """Return the body, in the pieces in which it is written."""
        if self.body is not None:
            return [self.body]
        if self.events is not None:
            return self.events
        if self.call.stream:
            return self.stream()
        message = {"role": "assistant", "content": self.content}
        return [replies.encode(self.completion(message))]

    def stream(self) -> list[bytes]:
        """Return the events of a streamed answer."""
        return replies.stream(
            self.call.model,
            self.content,
            prompt=self.call.prompt,
            finish_reason=self.finish_reason,
            include_usage=self.call.include_usage,
        )

    def completion(self, message: Mapping[str, object]) -> dict[str, object]:
        """Return a whole answer with this message."""
        return replies.completion(
            self.call.model, message, prompt=self.call.prompt, finish_reason=self.finish_reason
        )

    def fail(self, status: int, message: str, *, kind: str = "", code: str | None = None) -> None:
        """Answer with a status and OpenAI's error object."""
        self.status = status
        self.body = replies.encode(replies.error(message, kind=kind, code=code))

    def end(self, ending: Ending, stop: Stop = Stop.AT_END) -> None:
        """Let the connection end so, there."""
        self.ending = ending
        self.stop = stop


Word = Callable[[Plan, str], None]


def number(argument: str, default: int) -> int:
    """Read a word's argument."""
    return int(argument) if argument else default
