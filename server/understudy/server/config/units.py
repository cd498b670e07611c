"""Reads the scalars of a configuration: numbers, durations, sizes. Pure.

Every function takes what YAML or the environment holds and raises UnreadableError with words that
follow the path of the fault, such as `must not be negative`. The value itself is never repeated
here: whoever reports the fault knows whether it may be shown.
"""

import re
from math import isfinite
from typing import Annotated, Literal

from pydantic import BeforeValidator

_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,4})?")
_QUANTITY = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)\s*([A-Za-z]+)")

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_BYTES = {
    "B": 1,
    "kB": 10**3,
    "KB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "TB": 10**12,
    "KiB": 2**10,
    "MiB": 2**20,
    "GiB": 2**30,
    "TiB": 2**40,
}
_LONGEST_NUMBER = 100  # characters; beyond, a number is a mistake or an attack
_LONGEST_DURATION = 3650 * 86400.0
_LARGEST_SIZE = 2**60


class UnreadableError(ValueError):
    """A value that is not what its key wants. The message follows the path of the fault."""


def number(value: object) -> float:
    """Return a finite number, also from numeric text such as the environment holds."""
    if isinstance(value, str):
        text = value.strip()
        if len(text) > _LONGEST_NUMBER or not _NUMBER.fullmatch(text):
            raise UnreadableError("must be a number")
        value = float(text)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UnreadableError("must be a number")
    try:
        result = float(value)
    except OverflowError:
        raise UnreadableError("must be finite") from None
    if not isfinite(result):
        raise UnreadableError("must be finite")
    return result


def weight(value: object) -> float:
    """Return a number that is not negative."""
    result = number(value)
    if result < 0:
        raise UnreadableError("must not be negative")
    return result


def fraction(value: object) -> float:
    """Return a number in [0, 1]."""
    result = number(value)
    if not 0 <= result <= 1:
        raise UnreadableError("must be between 0 and 1")
    return result


def whole(value: object) -> int:
    """Return a whole number."""
    result = number(value)
    if not result.is_integer() or abs(result) >= 2**53:
        raise UnreadableError("must be a whole number")
    return int(result)


def count(value: object) -> int:
    """Return a whole number, 0 or more."""
    result = whole(value)
    if result < 0:
        raise UnreadableError("must not be negative")
    return result


def positive_count(value: object) -> int:
    """Return a whole number, 1 or more."""
    result = whole(value)
    if result < 1:
        raise UnreadableError("must be 1 or more")
    return result


def port(value: object) -> int:
    """Return a port; 0 means a free one."""
    result = whole(value)
    if not 0 <= result <= 65535:
        raise UnreadableError("must be between 0 and 65535; 0 is a free port")
    return result


def duration(value: object) -> float:
    """Return seconds from `500ms`, `30s`, `2m`, `24h`, `30d` or a number of seconds."""
    seconds = _quantity(value, _SECONDS, "must be a duration such as 500ms, 30s, 2m, 24h or 30d")
    if seconds > _LONGEST_DURATION:
        raise UnreadableError("must be at most 3650d")
    return seconds


def positive_duration(value: object) -> float:
    """Return seconds, more than 0."""
    seconds = duration(value)
    if seconds <= 0:
        raise UnreadableError("must be more than 0")
    return seconds


def threshold(value: object) -> float | None:
    """Return seconds, more than 0, or None for `off`: null would mean the default."""
    return None if switch(value) == "off" else positive_duration(value)


def size(value: object) -> int:
    """Return bytes from `64MiB`, `10GiB`, `1MB` or a number of bytes."""
    result = _quantity(value, _BYTES, "must be a size such as 512KiB, 64MiB or 10GiB")
    if not 1 <= result <= _LARGEST_SIZE:
        raise UnreadableError("must be at least one byte and at most 1048576TiB")
    if not result.is_integer():
        raise UnreadableError("must be a whole number of bytes")
    return int(result)


def message_size(value: object) -> int:
    """Return bytes that fit into one gRPC message."""
    result = size(value)
    if result >= 2**31:
        raise UnreadableError("must be less than 2GiB, gRPC's own limit")
    return result


def flag(value: object) -> bool:
    """Return a truth value, also from the words that the environment holds."""
    if isinstance(value, str) and value.strip().lower() in ("true", "false"):
        return value.strip().lower() == "true"
    if not isinstance(value, bool):
        raise UnreadableError("must be true or false")
    return value


def switch(value: object) -> object:
    """Return `on` and `off` for what YAML makes of them."""
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else value


def name(value: object) -> str:
    """Return text that people can read in a line: not empty, no control characters."""
    if not isinstance(value, str):
        raise UnreadableError("must be text; put it in quotes")
    if not value or not value.isprintable():
        raise UnreadableError("must be text without line breaks or control characters")
    return value


def _quantity(value: object, units: dict[str, float] | dict[str, int], wrong: str) -> float:
    factor: float = 1
    if isinstance(value, str):
        match = _QUANTITY.fullmatch(value.strip()[:_LONGEST_NUMBER])
        if match:
            if match[2] not in units:
                raise UnreadableError(wrong)
            value, factor = match[1], units[match[2]]
    try:
        result = number(value) * factor
    except UnreadableError:
        raise UnreadableError(wrong) from None
    if result < 0:
        raise UnreadableError("must not be negative")
    return result


Flag = Annotated[bool, BeforeValidator(flag)]
Name = Annotated[str, BeforeValidator(name)]
Port = Annotated[int, BeforeValidator(port)]
PositiveCount = Annotated[int, BeforeValidator(positive_count)]
Switch = Annotated[Literal["auto", "on", "off"], BeforeValidator(switch)]
Weight = Annotated[float, BeforeValidator(weight)]
Seconds = Annotated[float, BeforeValidator(duration)]
PositiveSeconds = Annotated[float, BeforeValidator(positive_duration)]
Bytes = Annotated[int, BeforeValidator(size)]
MessageBytes = Annotated[int, BeforeValidator(message_size)]
Threshold = Annotated[float | None, BeforeValidator(threshold)]
