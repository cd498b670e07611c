"""Arbitrary JSON, bytes and protobuf messages, from a given chance. Pure.

Arbitrary, but not all noise: what is refused at the door finds nothing behind it.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import cast

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

_DEEPEST = 5

_TEXTS = (
    "",
    "hi",
    "user",
    "assistant",
    "tool",
    "system",
    "function",
    "auto",
    "text",
    "json_object",
    "json_schema",
    "a\r\nb: c",
    "\x00\x1b[31m\u2028\u202e",
    "é🎭\ufffe",
    "https://example.com/a.png",
    "data:image/png;base64,iVBORw0KGgo=",
    "data:,",
    "data:image/png;base64,***",
    "http://[::1",
    "%%%\\",
    "word " * 300,
    "[DONE]",
)
_NUMBERS = (
    *(0, 1, -1, 2, 0.5, 127, 128, 2**31 - 1, -(2**31), 2**31, 2**53, 2**63),
    *(1.5, 1e308, 10**30, 10**400, -(10**400)),
)
_TOKENS = (
    b"null",
    b"true",
    b"{}",
    b"[]",
    b'""',
    b"{",
    b"]",
    b'"',
    b",",
    b"\\",
    b"\\ud800",
    b"\\u0000",
    b"\x00",
    b"\xff\xfe",
    b"\xed\xa0\x80",
    b"\xef\xbb\xbf",
    b"NaN",
    b"-Infinity",
    b"1e999",
    b"-0",
    b"9" * 400,
    b"[" * 3000,
    b'{"a":' * 2000,
    b"\n",
    b"\r",
    b"\r\n\r\n",
    b"\n\n",
    b"data:",
    b"data: [DONE]\n\n",
    b"event: error\n",
    b": comment\n\n",
    b"id:",
    b"retry: 1\n",
)
_NO_ITEMS: Sequence[object] = []
_NO_MEMBERS: Mapping[str, object] = {}
_PLAIN_JSON: Sequence[object] = (
    *(None, True, False, "", "x", 0, -1, 1.5, 10**25),
    *(_NO_ITEMS, _NO_MEMBERS, [_NO_ITEMS]),
)


def text(chance: Random) -> str:
    """Return some text."""
    if chance.random() < 0.9:
        return chance.choice(_TEXTS)
    points = [chance.randrange(0x11_0000) for _ in range(chance.randrange(40))]
    return "".join(chr(one) for one in points if not 0xD800 <= one < 0xE000)


def json_value(chance: Random, depth: int = 0) -> object:
    """Return some value that JSON can carry."""
    kind = chance.random()
    if depth > 3 or kind < 0.5:
        return chance.choice(_PLAIN_JSON)
    if kind < 0.65:
        return text(chance)
    if kind < 0.75:
        return chance.choice(_NUMBERS)
    if kind < 0.87:
        return [json_value(chance, depth + 1) for _ in range(chance.randrange(4))]
    return {text(chance): json_value(chance, depth + 1) for _ in range(chance.randrange(4))}


def mutate_json(chance: Random, value: object) -> object:
    """Return the value with some of its parts replaced, dropped or said twice."""
    if chance.random() < 0.06:
        return json_value(chance)
    if isinstance(value, dict):
        members = cast(dict[str, object], value).items()
        return {key: mutate_json(chance, one) for key, one in members if chance.random() > 0.03}
    if isinstance(value, list):
        items = [mutate_json(chance, one) for one in cast(list[object], value)]
        return items * chance.randrange(3) if chance.random() < 0.03 else items
    return value


def mutate_bytes(chance: Random, data: bytes) -> bytes:
    """Return the bytes with some of them changed, dropped, repeated or cut off."""
    made = bytearray(data)
    for _ in range(chance.randrange(1, 5)):
        at = chance.randrange(len(made) + 1)
        end = min(len(made), at + chance.randrange(1, 60))
        change = chance.randrange(6)
        if change == 0:
            del made[at:end]
        elif change == 1:
            made[at:at] = made[at:end] * chance.randrange(1, 4)
        elif change == 2:
            del made[at:]
        elif change == 3 and at < len(made):
            made[at] = chance.randrange(256)
        else:
            made[at:at] = chance.choice(_TOKENS)
    return bytes(made)


def cut(chance: Random, data: bytes) -> list[bytes]:
    """Return the bytes in pieces."""
    kind = chance.randrange(4)
    if kind == 0:
        return [data]
    if kind == 1:
        return [data[at : at + 1] for at in range(len(data))]
    edges = sorted(chance.randrange(len(data) + 1) for _ in range(chance.randrange(1, 9)))
    return [data[a:b] for a, b in zip([0, *edges], [*edges, len(data)], strict=True)]


def message(chance: Random, kind: Descriptor, depth: int = 0) -> Message:
    """Return some message of a type."""
    made = GetMessageClass(kind)()
    share = chance.choice((0.15, 0.4, 0.8))
    oneofs: set[str] = set()
    for field in kind.fields:
        group = field.containing_oneof.name if field.containing_oneof else field.name
        group = _EXCLUSIVE.get(group, group)
        if group in oneofs or chance.random() > _wish(field, share):
            continue
        if chance.random() < 0.98:
            oneofs.add(group)
        _fill(chance, made, field, depth)
    return made


def wire(chance: Random, kind: Descriptor) -> bytes:
    """Return bytes that are, or nearly are, a message of a type: unknown fields, broken text."""
    data = message(chance, kind).SerializeToString()
    luck = chance.random()
    if luck < 0.1:
        data += b"\xf2\x7f\x03abc" + b"\xf8\x7f\x01"  # fields that nobody knows
    if luck > 0.85:
        data = mutate_bytes(chance, data)
    elif luck > 0.8:
        data = data.replace(b"hi", b"\xff\xc0")
    return data


# What is a oneof in all but name.
_EXCLUSIVE = {"content_parts": "content", "_content": "content"}

# Values that are in the range of their field.
_IN_RANGE: Mapping[str, Sequence[float]] = {
    "temperature": (0, 0.5, 2),
    "top_p": (0.1, 1),
    "n": (1, 2, 128),
    "max_tokens": (1, 5, 2**31 - 1),
    "max_completion_tokens": (1, 5, 2**31 - 1),
    "presence_penalty": (-2, 0, 1.5),
    "frequency_penalty": (-2, 0, 1.5),
    "top_logprobs": (0, 5, 20),
}


def _wish(field: FieldDescriptor, share: float) -> float:
    return {"messages": 0.97, "role": 0.97, "content": 0.7, "model": 0.9}.get(field.name, share)


def _fill(chance: Random, made: Message, field: FieldDescriptor, depth: int) -> None:
    if field.message_type is not None:
        if depth < _DEEPEST:
            _fill_message(chance, made, field, field.message_type, depth)
    elif field.is_repeated:
        values = [_scalar(chance, field) for _ in range(chance.randrange(4))]
        getattr(made, field.name).extend(values)
    else:
        setattr(made, field.name, _scalar(chance, field))


def _fill_message(
    chance: Random, made: Message, field: FieldDescriptor, kind: Descriptor, depth: int
) -> None:
    if kind.GetOptions().map_entry:
        entry = kind.fields_by_name
        for _ in range(chance.randrange(4)):
            key = _scalar(chance, entry["key"])
            held = getattr(made, field.name)
            inner = entry["value"].message_type
            if inner is None:
                held[key] = _scalar(chance, entry["value"])
            else:
                held[key].CopyFrom(message(chance, inner, depth + 1))
    elif field.is_repeated:
        least = 1 if field.name == "messages" else 0
        some = [message(chance, kind, depth + 1) for _ in range(chance.randrange(least, 4))]
        getattr(made, field.name).extend(some)
    else:
        getattr(made, field.name).CopyFrom(message(chance, kind, depth + 1))


def _scalar(chance: Random, field: FieldDescriptor) -> object:
    if field.name in _IN_RANGE and chance.random() < 0.95:
        return chance.choice(_IN_RANGE[field.name])
    kinds: Mapping[int, Callable[[], object]] = {
        FieldDescriptor.CPPTYPE_STRING: lambda: _string(chance, field),
        FieldDescriptor.CPPTYPE_BOOL: lambda: chance.random() < 0.5,
        FieldDescriptor.CPPTYPE_ENUM: lambda: chance.choice((0, 1, 2, 3, 77)),
        FieldDescriptor.CPPTYPE_DOUBLE: lambda: _double(chance),
        FieldDescriptor.CPPTYPE_FLOAT: lambda: _double(chance) % 1e30,
        FieldDescriptor.CPPTYPE_INT32: lambda: chance.choice((0, 1, 2, 100, -1, 2**31 - 1)),
        FieldDescriptor.CPPTYPE_UINT32: lambda: chance.choice((0, 1, 2, 100, 2**32 - 1)),
        FieldDescriptor.CPPTYPE_INT64: lambda: chance.choice((0, 1, -1, 2**63 - 1, -(2**63))),
        FieldDescriptor.CPPTYPE_UINT64: lambda: chance.choice((0, 1, 2**64 - 1)),
    }
    return kinds[field.cpp_type]()


def _double(chance: Random) -> float:
    odd = (float("nan"), float("inf"), -float("inf"), 1e308, -1.0)
    return chance.choice(odd) if chance.random() < 0.1 else chance.choice((0.0, 0.5, 1.0, 2.0))


def _string(chance: Random, field: FieldDescriptor) -> object:
    name = field.name
    if field.type == FieldDescriptor.TYPE_BYTES:
        return text(chance).encode()
    if name.endswith("_json") and chance.random() < 0.9:
        value = {text(chance): json_value(chance) for _ in range(chance.randrange(4))}
        return json.dumps(value)
    if name == "role" and chance.random() < 0.95:
        return chance.choice(("system", "user", "assistant", "tool", "developer", "function"))
    if name == "model" and chance.random() < 0.9:
        return "g"
    if name == "request_id" and chance.random() < 0.9:
        return "r-1"
    if name == "mode" and chance.random() < 0.9:
        return chance.choice(("auto", "none", "required"))
    if name in ("type", "name") and chance.random() < 0.8:
        return chance.choice(("function", "text", "json_schema", "json_object"))
    if name == "reasoning_effort" and chance.random() < 0.8:
        return chance.choice(("none", "minimal", "low", "medium", "high"))
    if name == "arguments" and chance.random() < 0.6:
        return json.dumps(json_value(chance))
    return text(chance)
