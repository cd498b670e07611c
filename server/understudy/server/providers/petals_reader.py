"""Reads what Petals answers: a text, or the traceback of a Python program that failed. Pure.

It counts no tokens, so there is no usage, and it does not say why an answer ended, which is taken
for a stop. All failures come with status 200; what they mean is guessed from the last line of the
traceback, and nothing else of it is passed on.
"""

import re
from collections.abc import Mapping

import msgspec
from msgspec import Struct
from msgspec.json import Decoder

from understudy.server.domain.chat import Message
from understudy.server.domain.completion import Choice, Completion
from understudy.server.errors import UpstreamError
from understudy.server.ports import Reader
from understudy.server.providers.decoding import REPLACED_CHARS, decode
from understudy.server.providers.failures import classify_reported
from understudy.server.providers.framed import WholeReader, recognise
from understudy.server.providers.recognising import RecognisingReader
from understudy.server.providers.reply_ends import empty


class _WireReply(Struct, gc=False):
    ok: bool = True
    outputs: str | None = None
    traceback: str | None = None


_REPLIES = Decoder(_WireReply)


class PetalsReader(RecognisingReader):
    """Reads one reply of status 200."""

    def __init__(self, status: int, headers: Mapping[str, str]) -> None:
        super().__init__(False, status, headers, _recognise)


def _recognise(first: int) -> Reader:
    return recognise(first, _WholeReader, otherwise="it is not JSON")


class _WholeReader(WholeReader):
    def _read(self, body: bytes) -> Completion:
        reply, mended = decode(_REPLIES, body)
        if not reply.ok or reply.traceback:
            raise _classify(reply.traceback or "")
        if reply.outputs is None:
            raise empty()
        text = reply.outputs.removeprefix(" ")  # it goes on behind the colon of the prompt
        return Completion(
            (Choice(0, Message("assistant", text), "stop"),),
            warnings=(REPLACED_CHARS,) if mended else (),
        )


# The status that a Python error would have had, had Petals named one.
_STATUSES = (
    (re.compile(r"KeyError\b"), 404),  # a model that it does not serve
    (re.compile(r"(?:\w+\.)*(?:MissingBlocksError|NoPeersError)\b"), 503),
    (re.compile(r"(?:\w+\.)*\w*Timeout\w*\b"), 504),
    (re.compile(r"(?:ValueError|TypeError|AssertionError)\b"), 400),
)
_RAISED = re.compile(r"[A-Za-z_][\w.]*(?:Error|Exception|Timeout|Exit)\b")
_LONGEST_END = 4096  # characters of a traceback that are looked at
_TOO_LONG = re.compile(r"maximum length exceeded|exceeds pre-allocated maximum", re.IGNORECASE)


def _classify(traceback: str) -> UpstreamError:
    """Return the failure that a traceback ends with; the rest is the server's own affair."""
    lines = traceback[-_LONGEST_END:].strip().split("\n")
    last = next((one for one in reversed(lines) if _RAISED.match(one)), lines[-1])
    status = next((status for pattern, status in _STATUSES if pattern.match(last)), 500)
    kind = "context_length_exceeded" if _TOO_LONG.search(last) else ""
    fault = {"message": last, "type": kind, "code": str(status)}
    return classify_reported(msgspec.json.encode(fault))
