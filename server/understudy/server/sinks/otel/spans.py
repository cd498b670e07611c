"""Writes spans as OTLP has them, and requests that carry them. What is in a span others decide."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from understudy.server.sinks.sending.protobuf import (
    KeyValue,
    WireError,
    attributes,
    fixed64,
    message,
    number,
    read_fields,
    utf8,
)

_SAMPLED: Final = 0x01
_PARENT_KNOWN, _PARENT_REMOTE = 0x100, 0x200  # bits of a span's flags
_ERROR: Final = 2  # a status code
_FLAGS, _LINK_FLAGS = b"\x85\x01", b"\x35"  # fields 16 and 6, four bytes wide
MOST_EXPLAINED: Final = 1_000  # characters of what a span says of its failure


class Kind(IntEnum):
    """Which side of a call a span is."""

    INTERNAL = 1
    SERVER = 2
    CLIENT = 3


@dataclass(frozen=True, slots=True)
class Place:
    """Where a span is: its trace, itself, its parent. Ids in lower-case hexadecimal digits.

    `parent` is empty for a trace's first span; `remote` says that the parent is another process's.
    """

    trace_id: str
    span_id: str
    parent: str = ""
    remote: bool = False
    state: str = ""


def write_span(
    place: Place,
    name: str,
    kind: Kind,
    started: int,
    ended: int,
    pairs: Iterable[KeyValue],
    *,
    failure: str | None = None,
    links: Sequence[Place] = (),
) -> bytes:
    """Write a span. Instants are microseconds since 1970 UTC.

    `failure` is what went wrong, in words or in none; `None` where nothing did.
    """
    flags = _SAMPLED | _PARENT_KNOWN | (_PARENT_REMOTE if place.remote else 0)
    parts = [
        message(1, bytes.fromhex(place.trace_id)),
        message(2, bytes.fromhex(place.span_id)),
        message(5, utf8(name)),
        number(6, kind),
        fixed64(7, max(started, 0) * 1_000),
        fixed64(8, max(ended, started, 0) * 1_000),
        attributes(9, pairs),
        _FLAGS + flags.to_bytes(4, "little"),
    ]
    if place.state:
        parts.append(message(3, utf8(place.state)))
    if place.parent:
        parts.append(message(4, bytes.fromhex(place.parent)))
    parts += [_write_link(link) for link in links]
    if failure is not None:
        parts.append(message(15, message(2, utf8(failure[:MOST_EXPLAINED])), number(3, _ERROR)))
    return b"".join(parts)


def _write_link(place: Place) -> bytes:
    flags = _SAMPLED | _PARENT_KNOWN
    return message(
        13,
        message(1, bytes.fromhex(place.trace_id)),
        message(2, bytes.fromhex(place.span_id)),
        message(3, utf8(place.state)) if place.state else b"",
        _LINK_FLAGS + flags.to_bytes(4, "little"),
    )


def write_resource(pairs: Iterable[KeyValue]) -> bytes:
    """Write who sends all this, as a field of what carries it."""
    return message(1, attributes(1, pairs))


def write_scope(name: str, version: str) -> bytes:
    """Write what made the spans, as a field of what carries them."""
    return message(1, message(1, utf8(name)), message(2, utf8(version)))


def write_request(resource: bytes, scope: bytes, items: Sequence[bytes]) -> bytes:
    """Write an export request of spans, or of metrics: they differ only in what the items are."""
    return message(1, resource, message(2, scope, *(message(2, item) for item in items)))


def count_rejected(reply: bytes) -> int:
    """Return how many items an export response says were not taken; 0 where it says nothing."""
    try:
        for field, value in read_fields(reply):
            if field == 1 and isinstance(value, bytes):
                for inner, rejected in read_fields(value):
                    if inner == 1 and isinstance(rejected, int):
                        return rejected
    except WireError:
        pass  # such as a page of a proxy's, sent with status 200
    return 0
