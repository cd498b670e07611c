"""Tells whether a text is JSON, and whether it has the shape that its schema asks for. Pure.

Schemas come from callers, and texts from models; neither is trusted. What would take long to
check is not checked, because checking holds up the whole process: a schema of a kilobyte can ask
for a billion steps.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import NoReturn, TypeAlias, cast

import msgspec
from jsonschema_rs import ReferencingError, RegexOptions, ValidationError, validator_for

MOST_JSON = 256 << 10  # characters of a text that are looked at
_MOST_SCHEMA = 64 << 10  # bytes
_MOST_STEPS = 2_000_000  # parts of the schema, each reference followed, times characters
_DEEPEST = 32  # schemas within schemas

# What may check the same value again and again for each schema around it.
_COSTLY = frozenset(
    {"unevaluatedProperties", "unevaluatedItems", "$dynamicRef", "$recursiveRef", "$id", "id"}
)

_SYNTAX = msgspec.json.Decoder(msgspec.Raw)
_VALUES = msgspec.json.Decoder()
_REGEXES = RegexOptions(size_limit=256 << 10)  # an engine without backtracking: linear in time
_REPETITION = re.compile(r"\{(\d{1,4})?(?:,(\d{1,4})?)?\}")

_Json: TypeAlias = dict[str, "_Json"] | list["_Json"] | str | int | float | bool | None


def is_json(text: str) -> bool | None:
    """Return whether a text is JSON, None if it is too long to say."""
    if len(text) > MOST_JSON:
        return None
    try:
        _SYNTAX.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return False
    return True


def conforms(text: str, schema: bytes) -> bool | None:
    """Return whether a text is JSON of the schema's shape.

    None where the schema is none, or would cost too much.
    """
    checked = _read(schema)
    if checked is None or checked[1] * len(text) > _MOST_STEPS:
        return None
    try:
        return checked[0](_VALUES.decode(text))
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return False
    except ValueError:  # nested more deeply than the validator follows
        return None


@lru_cache(maxsize=64)
def _read(schema: bytes) -> tuple[Callable[[_Json], bool], int] | None:
    """Return what checks a schema, and how many parts it has once all references are followed."""
    if len(schema) > _MOST_SCHEMA:
        return None
    try:
        value = cast(_Json, _VALUES.decode(schema))
        if not isinstance(value, dict | bool):
            return None
        parts = _Parts(value).count(value)
        validator = validator_for(value, pattern_options=_REGEXES, retriever=_refuse)
    except (_TooMuchError, msgspec.DecodeError, UnicodeError, RecursionError):
        return None
    except (ValidationError, ReferencingError, ValueError):  # it is no schema
        return None
    return validator.is_valid, parts


def _refuse(uri: str) -> NoReturn:
    raise ValueError(f"no schema is fetched: {uri}")


def _weigh(pattern: _Json) -> int:
    """Return about how many states a pattern has; what it repeats counts each time."""
    if not isinstance(pattern, str):
        return 0
    states = len(pattern)
    for least, most in _REPETITION.findall(pattern):
        states *= max(int(most or least or 1), 1)
    return states


class _TooMuchError(Exception):
    """The schema would take long to check."""


class _Parts:
    """Counts the parts of a schema, those that it refers to counted each time."""

    def __init__(self, root: _Json) -> None:
        self._root = root
        self._known: dict[str, int | None] = {}  # None: being counted, so that it refers to itself

    def count(self, value: _Json, depth: int = 0) -> int:
        """Return how many parts there are. Raises where they may be without end."""
        if depth > _DEEPEST:
            raise _TooMuchError
        if isinstance(value, list):
            return 1 + sum(self.count(one, depth + 1) for one in value)
        if not isinstance(value, dict):
            return 1
        if not _COSTLY.isdisjoint(value):
            raise _TooMuchError
        total = 1 + sum(self.count(one, depth + 1) for one in value.values())
        total += _weigh(value.get("pattern"))
        patterns = value.get("patternProperties")
        if isinstance(patterns, dict):
            total += sum(map(_weigh, patterns))
        reference = value.get("$ref")
        if isinstance(reference, str):
            total += self._follow(reference, depth)
        if total > _MOST_STEPS:
            raise _TooMuchError
        return total

    def _follow(self, reference: str, depth: int) -> int:
        if reference not in self._known:
            self._known[reference] = None
            self._known[reference] = self.count(self._find(reference), depth + 1)
        parts = self._known[reference]
        if parts is None:
            raise _TooMuchError
        return parts

    def _find(self, reference: str) -> _Json:
        if reference != "#" and not reference.startswith("#/"):
            raise _TooMuchError  # it is elsewhere, or behind an anchor
        found = self._root
        for step in reference.split("/")[1:]:
            name = step.replace("~1", "/").replace("~0", "~")
            if not isinstance(found, dict) or name not in found:
                raise _TooMuchError
            found = found[name]
        return found
