"""Reads filters: a part of AIP-160, small enough to be told in one sentence.

Terms such as `latency > 2s`, joined by AND, OR and NOT, with brackets; as AIP-160 has it, OR binds
tighter than AND. Whatever is wrong is told with its place.
"""

import difflib
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from understudy.server.domain.record_queries import (
    EVERYTHING,
    METADATA,
    WORDS,
    AllOf,
    AnyOf,
    Condition,
    Kind,
    Not,
    Operator,
    Term,
)
from understudy.server.errors import RequestError

LONGEST: Final = 2000  # characters
MOST_TERMS: Final = 50
DEEPEST: Final = 20  # brackets and NOTs

_LARGEST: Final = 2**63 - 1
_TOKEN: Final = re.compile(
    r"""\s*(?:(?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
          |(?P<operator><=|>=|!=|=|<|>)
          |(?P<bracket>[()])
          |(?P<word>[^\s()=<>!"']+)
          |(?P<stray>\S))""",
    re.VERBOSE | re.DOTALL,
)
_LABEL: Final = re.compile(r"[\w.-]{1,64}", re.ASCII)
_DURATION: Final = re.compile(r"(-?[0-9]{1,15}(?:\.[0-9]{1,9})?)(ms|s|m|h)", re.ASCII)
_MICROSECONDS: Final = {"ms": 1e3, "s": 1e6, "m": 60e6, "h": 3600e6}
_EQUALITY: Final = frozenset({Operator.EQUAL, Operator.UNEQUAL})
_ORDERED: Final = frozenset({Kind.INSTANT, Kind.DURATION, Kind.INTEGER, Kind.REAL})


def read_filter(text: str, fields: Mapping[str, Kind], *, labels: bool = False) -> Condition:
    """Return what a filter means. Raises RequestError.

    `fields` are those that it may name; with `labels`, also `metadata.KEY`.
    """
    if not text.strip():
        return EVERYTHING
    if len(text) > LONGEST:
        raise RequestError(f"filter is longer than {LONGEST} characters", field="filter")
    if "\0" in text:
        raise RequestError("filter holds a NUL character", field="filter")
    return _Parser(text, fields, labels).read()


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    place: int  # from 1


class _Parser:
    """Reads one filter, token by token."""

    def __init__(self, text: str, fields: Mapping[str, Kind], labels: bool) -> None:
        self._fields = fields
        self._labels = labels
        self._tokens = [
            _Token(
                match.lastgroup or "",
                match[match.lastgroup or 0],
                match.start(match.lastindex or 0) + 1,
            )
            for match in _TOKEN.finditer(text)
        ]
        self._end = _Token("end", "the end", len(text) + 1)
        self._at = 0
        self._terms = 0

    def read(self) -> Condition:
        """Return the whole of it."""
        condition = self._read_all(0)
        if (left := self._peek()).kind != "end":
            raise _fault(left, f"{left.text!r} is one too many; join terms by AND or OR")
        return condition

    def _read_all(self, depth: int) -> Condition:
        parts = [self._read_any(depth)]
        while self._take_word("AND"):
            parts.append(self._read_any(depth))
        return parts[0] if len(parts) == 1 else AllOf(tuple(parts))

    def _read_any(self, depth: int) -> Condition:
        parts = [self._read_one(depth)]
        while self._take_word("OR"):
            parts.append(self._read_one(depth))
        return parts[0] if len(parts) == 1 else AnyOf(tuple(parts))

    def _read_one(self, depth: int) -> Condition:
        token = self._peek()
        if depth > DEEPEST:
            raise _fault(token, f"more than {DEEPEST} brackets and NOTs inside each other")
        if self._take_word("NOT"):
            return Not(self._read_one(depth + 1))
        if token.kind == "bracket" and token.text == "(":
            self._at += 1
            inside = self._read_all(depth + 1)
            closing = self._next()
            if closing.text != ")" or closing.kind != "bracket":
                raise _fault(closing, "a closing bracket is missing")
            return inside
        return self._read_term()

    def _read_term(self) -> Term:
        name = self._next()
        if name.kind != "word":
            raise _fault(name, f"a field is needed here, not {name.text!r}")
        self._terms += 1
        if self._terms > MOST_TERMS:
            raise _fault(name, f"more than {MOST_TERMS} terms")
        kind = self._find_kind(name)
        sign = self._next()
        if sign.kind != "operator":
            raise _fault(sign, f"one of = != < <= > >= is needed after {name.text!r}")
        operator = Operator(sign.text)
        if operator not in _EQUALITY and kind not in _ORDERED:
            raise _fault(sign, f"{name.text!r} can be compared by = and != only")
        value = self._next()
        if value.kind not in ("word", "text"):
            raise _fault(value, f"a value is needed after {name.text} {operator}")
        return Term(name.text, operator, _READERS[kind](value, name.text, kind))

    def _find_kind(self, name: _Token) -> Kind:
        kind = self._fields.get(name.text)
        if kind is not None:
            return kind
        label = name.text.removeprefix(METADATA)
        if self._labels and name.text.startswith(METADATA) and _LABEL.fullmatch(label):
            return Kind.TEXT
        near = difflib.get_close_matches(name.text, self._fields, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(self._fields)}"
        raise _fault(name, f"{name.text!r} is no field; {hint}")

    def _peek(self) -> _Token:
        return self._tokens[self._at] if self._at < len(self._tokens) else self._end

    def _next(self) -> _Token:
        token = self._peek()
        self._at += 1
        return token

    def _take_word(self, word: str) -> bool:
        token = self._peek()
        if token.kind == "word" and token.text == word:
            self._at += 1
            return True
        return False


def _fault(token: _Token, message: str) -> RequestError:
    return RequestError(f"filter, at character {token.place}: {message}", field="filter")


def _plain(token: _Token) -> str:
    if token.kind == "text":
        return re.sub(r"\\(.)", r"\1", token.text[1:-1], flags=re.DOTALL)
    return token.text


def _read_text(token: _Token, name: str, kind: Kind) -> str:
    return _plain(token)


def _read_word(token: _Token, name: str, kind: Kind) -> str:
    known = WORDS[kind]
    word = _plain(token).removeprefix(f"{kind.name}_")
    if word not in known:
        raise _fault(token, f"{name} is one of {', '.join(sorted(known))}")
    return word


def _read_flag(token: _Token, name: str, kind: Kind) -> bool:
    word = _plain(token)
    if word not in ("true", "false"):
        raise _fault(token, f"{name} is true or false")
    return word == "true"


def _read_integer(token: _Token, name: str, kind: Kind) -> int:
    if not re.fullmatch(r"-?[0-9]{1,19}", _plain(token), re.ASCII):
        raise _fault(token, f"{name} is a whole number")
    return _bounded(int(_plain(token)), token)


def _read_real(token: _Token, name: str, kind: Kind) -> float:
    try:
        number = float(_plain(token))
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise _fault(token, f"{name} is a number")
    return number


def _read_duration(token: _Token, name: str, kind: Kind) -> int:
    match = _DURATION.fullmatch(_plain(token))
    if match is None:
        raise _fault(token, f"{name} is a duration such as 2s, 1.5s or 350ms")
    return _bounded(round(float(match[1]) * _MICROSECONDS[match[2]]), token)


def _read_instant(token: _Token, name: str, kind: Kind) -> int:
    try:
        instant = datetime.fromisoformat(_plain(token))
        if instant.tzinfo is None:
            instant = instant.replace(tzinfo=UTC)
        return round(instant.timestamp() * 1e6)
    except (ValueError, OverflowError):
        raise _fault(token, f'{name} is an instant such as "2026-11-20T12:00:00Z"') from None


def _bounded(number: int, token: _Token) -> int:
    if abs(number) > _LARGEST:
        raise _fault(token, f"{token.text} is too large")
    return number


_READERS: Final[Mapping[Kind, Callable[[_Token, str, Kind], str | int | float | bool]]] = {
    Kind.TEXT: _read_text,
    Kind.ROLE: _read_word,
    Kind.OUTCOME: _read_word,
    Kind.COST_STATUS: _read_word,
    Kind.FLAG: _read_flag,
    Kind.INTEGER: _read_integer,
    Kind.REAL: _read_real,
    Kind.DURATION: _read_duration,
    Kind.INSTANT: _read_instant,
}
