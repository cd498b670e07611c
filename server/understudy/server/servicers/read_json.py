"""Reads the JSON that belongs to the caller: checked for form, kept as written."""

from typing import cast

import msgspec
from google.protobuf.json_format import Error as JsonFormatError
from google.protobuf.json_format import MessageToDict
from google.protobuf.struct_pb2 import Struct as ProtoStruct
from msgspec import Raw

from understudy.server.domain.chat import Extra
from understudy.server.errors import RequestError

Json = str | float | list["Json"] | dict[str, "Json"] | None

_MEMBERS = msgspec.json.Decoder(dict[str, Raw])


def read_members(text: str, field: str, taken: frozenset[str] = frozenset()) -> Extra:
    """Return the members of a JSON object, each as written.

    Raises RequestError if the text is no object, or has a key that has a name in the contract.
    """
    try:
        members = _MEMBERS.decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeEncodeError) as error:
        raise RequestError(f"{field} is not the text of a JSON object: {error}", field=field) from (
            error
        )
    for key in members:
        if key in taken:
            raise RequestError(
                f"{key!r} has a field of its own; set that instead of a member of {field}",
                field=field,
            )
    return members


def read_object(text: str, field: str) -> Raw:
    """Return the text of a JSON object byte for byte. Raises RequestError if it is none."""
    read_members(text, field)
    return Raw(text.encode())


def struct_to_json(struct: ProtoStruct, field: str) -> Raw:
    """Return a struct as JSON. Numbers without a fraction are written as integers.

    Raises RequestError for what JSON has no word for: NaN and infinity.
    """
    try:
        plain = cast(Json, MessageToDict(struct))
    except (ValueError, JsonFormatError) as error:
        raise RequestError(f"{field} holds what is no JSON: {error}", field=field) from error
    return Raw(msgspec.json.encode(_whole(plain)))


def _whole(value: Json) -> Json:
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    if isinstance(value, dict):
        return {key: _whole(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_whole(inner) for inner in value]
    return value
