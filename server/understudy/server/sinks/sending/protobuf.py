"""Writes protobuf's wire format, as much of it as OTLP takes, and reads the little that it answers.

By hand, because a span of thirty attributes costs half of what the generated classes cost, and
because their package can then not be missing. A test holds all of it to those classes.
"""

import struct
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Final, TypeAlias

KeyValue: TypeAlias = bytes  # an attribute, without the tag of the message that it belongs to

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_DOUBLE: Final = struct.Struct("<d")
_FIXED: Final = struct.Struct("<Q")
_WIDTHS: Final = {_FIXED64: 8, _FIXED32: 4}
_SMALL: Final = tuple(bytes((number,)) for number in range(128))
_WORD: Final = 1 << 64


class WireError(ValueError):
    """Bytes that are no protobuf message."""


def varint(number: int) -> bytes:
    """Write a whole number in [-2^63, 2^64)."""
    if 0 <= number < 128:
        return _SMALL[number]
    number %= _WORD
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)


def tag(field: int, wire_type: int) -> bytes:
    """Write what a field begins with."""
    return varint(field << 3 | wire_type)


def message(field: int, *parts: bytes) -> bytes:
    """Write a field that holds bytes, a text, or the fields of another message."""
    body = parts[0] if len(parts) == 1 else b"".join(parts)
    return tag(field, _BYTES) + varint(len(body)) + body


def number(field: int, value: int) -> bytes:
    """Write a field that holds a whole number, a truth value or an enum."""
    return tag(field, _VARINT) + varint(value)


def fixed64(field: int, value: int) -> bytes:
    """Write a field that holds a whole number in [0, 2^64) in eight bytes."""
    return tag(field, _FIXED64) + _FIXED.pack(value)


def double(field: int, value: float) -> bytes:
    """Write a field that holds a fraction."""
    return tag(field, _FIXED64) + _DOUBLE.pack(value)


def utf8(text: str) -> bytes:
    """Write a text that others wrote: what is no character becomes one, and NUL goes.

    Receivers refuse a whole batch for a lone surrogate, and PostgreSQL behind them for a NUL.
    """
    try:
        data = text.encode()
    except UnicodeEncodeError:
        data = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").encode()
    return data.replace(b"\0", b"\xef\xbf\xbd") if b"\0" in data else data


@lru_cache(maxsize=1024)
def _name(key: str) -> bytes:
    return message(1, utf8(key))


def _attribute(key: str, value: bytes) -> KeyValue:
    return _name(key) + b"\x12" + varint(len(value)) + value


def text(key: str, value: str) -> KeyValue:
    """Write an attribute that is a text."""
    data = utf8(value)
    return _attribute(key, b"\x0a" + varint(len(data)) + data)


known_text: Final = lru_cache(maxsize=4096)(text)  # for values that come again: names, reasons


def whole(key: str, value: int) -> KeyValue:
    """Write an attribute that is a whole number; what 64 bits do not hold is cut to what they do."""
    return _attribute(key, b"\x18" + varint(max(-(2**63), min(value, 2**63 - 1))))


def real(key: str, value: float) -> KeyValue:
    """Write an attribute that is a fraction."""
    return _attribute(key, b"\x21" + _DOUBLE.pack(value))


@lru_cache(maxsize=256)
def truth(key: str, value: bool) -> KeyValue:
    """Write an attribute that is true or false."""
    return _attribute(key, b"\x10\x01" if value else b"\x10\x00")


def texts(key: str, values: Iterable[str]) -> KeyValue:
    """Write an attribute that is a list of texts."""
    return _attribute(key, message(5, *(message(1, message(1, utf8(one))) for one in values)))


def attributes(field: int, pairs: Iterable[KeyValue]) -> bytes:
    """Write attributes as the repeated field of a message."""
    begin = tag(field, _BYTES)
    return b"".join([begin + varint(len(pair)) + pair for pair in pairs])


def read_fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield the fields of a message, fixed ones as bytes. Raises WireError."""
    at = 0
    while at < len(data):
        key, at = _read_varint(data, at)
        field, wire_type = key >> 3, key & 7
        if wire_type == _VARINT:
            value, at = _read_varint(data, at)
            yield field, value
            continue
        if wire_type == _BYTES:
            size, at = _read_varint(data, at)
        elif wire_type in _WIDTHS:
            size = _WIDTHS[wire_type]
        else:
            raise WireError("a field of a kind that is not used")
        if at + size > len(data):
            raise WireError("a field that ends beyond its message")
        yield field, data[at : at + size]
        at += size


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            break
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value % _WORD, at
    raise WireError("a number without an end")
