"""Sets fields of a proto message from plain values, and says by its path which one was wrong.

What belongs into which field is `messages` and `requests`. A value of `None` counts as not given.
No value is quoted in an error, since it may be a prompt; a misspelt key is.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar, cast

from google.protobuf.message import Message

M = TypeVar("M", bound=Message)
Setter = Callable[[M, object, str], None]


def assign(message: Message, name: str, value: object, path: str) -> None:
    """Set a scalar field. Raises TypeError or ValueError for what does not fit."""
    try:
        setattr(message, name, value)
    except (TypeError, ValueError) as error:
        raise _refuse(error, value, path) from None


def scalar(name: str) -> Setter[Message]:
    """Return what sets the scalar field of this name."""
    return lambda message, value, path: assign(message, name, value, path)


def fill(
    message: M, source: Mapping[str, object], path: str, setters: Mapping[str, Setter[M]]
) -> dict[str, object]:
    """Set every field that there is a setter for; return the other entries that are given."""
    others: dict[str, object] = {}
    for key, value in source.items():
        if value is None:
            continue
        if (setter := setters.get(key)) is None:
            others[key] = value
        else:
            setter(message, value, f"{path}.{key}")
    return others


def fill_map(target: object, source: object, path: str) -> None:
    """Set the entries of a map field. Raises TypeError or ValueError for what does not fit."""
    entries = cast("dict[str, object]", target)
    for key, value in read_mapping(source, path).items():
        try:
            entries[str(key)] = value
        except (TypeError, ValueError) as error:
            raise _refuse(error, value, f"{path}[{key!r}]") from None


def refuse_others(others: Iterable[str], path: str) -> None:
    """Raise ValueError if there is any key."""
    for key in others:
        raise ValueError(f"{path}: the key {key!r} is not known there")


def read_mapping(value: object, path: str) -> Mapping[str, object]:
    """Return a mapping as such. Raises TypeError for anything else."""
    if not isinstance(value, Mapping):
        raise TypeError(f"{path}: a dict is needed, not {type(value).__name__}")
    return cast("Mapping[str, object]", value)


def read_list(value: object, path: str) -> Sequence[object]:
    """Return the items of an iterable other than text. Raises TypeError for anything else."""
    kind = type(value).__name__
    if isinstance(value, (str, bytes, Mapping)) or not isinstance(value, Iterable):
        raise TypeError(f"{path}: a list is needed, not {kind}")
    return list(cast("Iterable[object]", value))


def write_json(value: object, path: str) -> str:
    """Return JSON text with keys in their order and integers as they are.

    Raises ValueError for NaN and infinities, TypeError for what JSON has no form for.
    """
    try:
        return json.dumps(
            value, ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_as_dict
        )
    except (TypeError, ValueError, RecursionError) as error:
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(f"{path}: {error}") from None


def _as_dict(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(cast("Mapping[str, object]", value))
    raise TypeError(f"{type(value).__name__} has no form in JSON")


def _refuse(error: Exception, value: object, path: str) -> Exception:
    if isinstance(error, UnicodeError):
        return ValueError(f"{path}: the text holds a lone surrogate, which cannot be sent")
    if isinstance(error, ValueError):
        return ValueError(f"{path}: the number is out of range")
    return TypeError(f"{path}: {type(value).__name__} is not what belongs there")
