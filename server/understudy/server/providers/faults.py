"""What a provider says when it refuses: the many shapes of an error's body, read as one. Pure.

OpenAI's and Azure's objects, vLLM's flat ones, the bare strings of Hugging Face's servers and of
xAI, FastAPI's details, Gemini's lists, Mistral's and OpenRouter's errors within errors, a proxy's
page of HTML. What follows from them is decided in `failures`.
"""

import re
from dataclasses import dataclass
from html import unescape
from typing import TypeVar

from msgspec import Raw, Struct
from msgspec.json import Decoder

from understudy.server.errors import UpstreamError
from understudy.server.providers.bounded import Bounded
from understudy.server.providers.decoding import decode, said
from understudy.server.providers.redaction import scrub

MAX_BODY_BYTES = 64 * 1024
LONGEST_TEXT = 4096  # characters that are looked at
LONGEST_EXCERPT = 300  # characters that are passed on
_DEEPEST = 4  # errors within errors

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Fault:
    """An error as its provider tells it. `words` are its type and codes, in lower case.

    `text` is cleaned of control characters but not of credentials: quote `excerpt` only.
    """

    text: str = ""
    words: frozenset[str] = frozenset()
    status: int = 0  # the HTTP status that the body names, 0 if none

    @property
    def excerpt(self) -> str:
        """A short quotation without credentials, empty if there is nothing to quote."""
        return _cut(scrub(self.text), LONGEST_EXCERPT)


class _WireFault(Struct):
    error: Raw = Raw()
    message: Raw = Raw()
    msg: Raw = Raw()
    detail: Raw = Raw()
    type: Raw = Raw()
    code: Raw = Raw()
    error_type: Raw = Raw()
    status: Raw = Raw()
    http_status_code: Raw = Raw()
    innererror: Raw = Raw()
    metadata: Raw = Raw()


class _WireMetadata(Struct):
    raw: str | None = None
    reasons: Raw = Raw()


_FAULTS = Decoder(_WireFault)
_LISTS = Decoder(Bounded[_WireFault])
_METADATA = Decoder(_WireMetadata)
_STRINGS = Decoder(str)
_SCALARS = Decoder(str | int | float | bool | None)
_TITLE = re.compile(r"<title[^>]{0,100}>([^<]{1,500})", re.IGNORECASE)


def read_fault(body: bytes) -> Fault:
    """Return what an error's body says, as far as it can be made out. Never raises."""
    text = body[:MAX_BODY_BYTES].decode(errors="replace")
    fault = _read(text.strip().encode(), depth=0)
    if fault is None:
        if "<html" in text[:LONGEST_TEXT].lower():
            title = _TITLE.search(text)
            text = unescape(title[1]) if title else ""
        fault = Fault(text)
    return Fault(_clean(_cut(fault.text, LONGEST_TEXT)), fault.words, fault.status)


def _read(body: bytes, depth: int) -> Fault | None:
    """Return what a JSON value says, None if it is none."""
    if depth > _DEEPEST:
        return None
    if body.startswith(b"{"):
        wire = _try(_FAULTS, body)
        return None if wire is None else _merge(wire, depth)
    if body.startswith(b"["):
        first = next(iter(_try(_LISTS, body) or ()), None)
        return None if first is None else _merge(first, depth)
    text = _try(_STRINGS, body) or ""
    inner = _read(text.encode(), depth + 1) if text.startswith("{") else None
    return inner or (Fault(text) if text else None)


def _merge(wire: _WireFault, depth: int) -> Fault:
    """Join what an object says with what the objects within it say."""
    texts = [_scalar(wire.message), _scalar(wire.msg)]
    named = {_scalar(one).lower() for one in (wire.type, wire.code, wire.error_type, wire.status)}
    words = {one for one in named if not one.isdecimal()}
    numbers = (_scalar(one) for one in (wire.code, wire.status, wire.http_status_code))
    status = next((found for one in numbers if (found := _http(one))), 0)
    metadata = _try(_METADATA, wire.metadata) if said(wire.metadata) else None
    if metadata is not None and said(metadata.reasons):
        words.add("moderation")
    further = (metadata.raw or "") if metadata is not None else ""
    within = [
        bytes(one) for one in (wire.error, wire.detail, wire.innererror, wire.message) if said(one)
    ]
    for inner in (*within, further.encode()):
        fault = _read(inner, depth + 1)
        if fault is not None:
            if fault.words or fault.status:  # a message that is itself an error, written as text
                texts = [one for one in texts if not one.lstrip().startswith("{")]
            texts.append(fault.text)
            words |= fault.words
            status = status or fault.status
    if not further.startswith("{"):
        texts.append(further)
    text = ": ".join(dict.fromkeys(one for one in texts if one))
    return Fault(text, frozenset(words - {""}), status)


def _try(decoder: Decoder[T], data: bytes | Raw) -> T | None:
    try:
        return decode(decoder, data)[0]
    except UpstreamError:
        return None


def _scalar(raw: Raw) -> str:
    value = _try(_SCALARS, raw) if said(raw) else None
    return "" if value is None else str(value)


def _http(text: str) -> int:
    return int(text) if len(text) == 3 and text.isdecimal() and text[0] in "45" else 0


def _clean(text: str) -> str:
    """Return the text in one line, without what could forge another or move a cursor."""
    if not text.isprintable():
        text = "".join(one if one.isprintable() else " " * one.isspace() for one in text)
    return " ".join(text.split())


def _cut(text: str, most: int) -> str:
    """Cut at a space, so that no half of a credential is left that nobody would recognise."""
    if len(text) <= most:
        return text
    head = text[: most - 1]
    return head[: max(head.rfind(" "), 0)].rstrip() + "…"
