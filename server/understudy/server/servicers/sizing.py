"""How many fields a message has, counted in its bytes before any of it is built.

Parsed, an empty message takes eighty times the two bytes that it is on the wire: 32 MiB of them
would be 2.5 GB, and compressed they would be 32 kB. What counts is the number of fields, however
deep: those of text and of bytes are skipped, those of messages looked into.
"""

from collections.abc import Mapping
from functools import cache

from google.protobuf.descriptor import Descriptor

# Messages of messages: a kind that is none of ours is never looked into.
_Kinds = Mapping[int, Descriptor]


def has_more_fields(data: bytes, kind: Descriptor, most: int) -> bool:
    """Return whether a message of this kind has more fields than that, at any depth.

    Bytes that are no message are for the parser to refuse: they are counted as far as they go.
    """
    left = most
    # Where reading goes on, where that part ends, and the kinds of its fields.
    waiting = [(0, len(data), _kinds(kind))]
    while waiting:
        at, end, kinds = waiting.pop()
        while at < end:
            left -= 1
            if left < 0:
                return True
            tag, at = _read_varint(data, at, end)
            match tag & 7:
                case 0:
                    _, at = _read_varint(data, at, end)
                case 1:
                    at += 8
                case 5:
                    at += 4
                case 2:
                    size, at = _read_varint(data, at, end)
                    if (inner := kinds.get(tag >> 3)) is not None:
                        waiting.append((at, min(at + size, end), _kinds(inner)))
                    at += size
                case _:  # a group's begin or end has no length; what is between is read on
                    pass
    return False


def _read_varint(data: bytes, at: int, end: int) -> tuple[int, int]:
    value = shift = 0
    while at < end:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128 or shift > 63:
            break
        shift += 7
    return value, at


@cache
def _kinds(kind: Descriptor) -> _Kinds:
    return {one.number: one.message_type for one in kind.fields if one.message_type is not None}
