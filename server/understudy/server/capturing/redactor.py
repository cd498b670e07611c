"""Replaces what an operator's patterns find in the texts of a call. Pure.

The engine is RE2, whose time grows with the text and never with the pattern's nesting: a prompt
is anybody's, and must not be able to stop what reads it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar, cast

import msgspec
import re2  # type: ignore[import-untyped]
from msgspec import Raw, Struct, structs

from understudy.server.domain.chat import FunctionCall, Message
from understudy.server.domain.completion import Choice

# Each match may look ahead to the end, so that the time is bounded by their number as well: by
# that of matches times bytes of text. A text with more is replaced whole.
MOST_WORK: Final = 1 << 30
LONGEST_PATTERN: Final = 4_096  # characters
DEEPEST: Final = 200  # levels of JSON; what is deeper is replaced whole

T = TypeVar("T")


class PatternError(ValueError):
    """A pattern that cannot be used. The message follows the path of the fault."""


class _Match(Protocol):
    def start(self) -> int: ...
    def end(self) -> int: ...


class _Compiled(Protocol):
    def finditer(self, text: bytes) -> Iterable[_Match]: ...


class _Options(Protocol):
    log_errors: bool


class _Engine(Protocol):
    """What is used of RE2, which brings no types."""

    error: type[Exception]

    def Options(self) -> _Options: ...
    def compile(self, pattern: str, options: _Options) -> _Compiled: ...


_RE2: Final = cast(_Engine, re2)


@dataclass(frozen=True, slots=True)
class Pattern:
    """A regular expression in RE2's syntax, and what stands in place of each match, as it is.

    Raises PatternError for what RE2 refuses, and for what matches the empty text.
    """

    pattern: str
    replace: str = "[redacted]"

    def __post_init__(self) -> None:
        compiled = _compile(self.pattern)
        if next(iter(compiled.finditer(b"")), None) is not None:
            raise PatternError("matches the empty text, and so everywhere")


class Redactor:
    """Patterns, one applied after the other. Without any it changes nothing and is false."""

    def __init__(self, patterns: Iterable[Pattern] = ()) -> None:
        self._patterns = [
            (_compile(one.pattern), one.replace.encode(errors="replace")) for one in patterns
        ]

    def __bool__(self) -> bool:
        return bool(self._patterns)

    def text(self, text: str) -> str:
        """Return a text with every match replaced."""
        if not self._patterns or not text:
            return text
        before = data = text.encode(errors="replace")
        for compiled, replace in self._patterns:
            data = _replaced(compiled, replace, data)
        return text if data is before else data.decode(errors="replace")

    def labels(self, labels: Mapping[str, str]) -> dict[str, str]:
        """Return a caller's labels with every match replaced, in keys as well."""
        return {self.text(key): self.text(value) for key, value in labels.items()}

    def messages(self, messages: tuple[Message, ...]) -> tuple[Message, ...]:
        """Return a prompt with every match replaced, in each string that it holds."""
        return self.value(messages)

    def choices(self, choices: tuple[Choice, ...]) -> tuple[Choice, ...]:
        """Return answers with every match replaced.

        Where something was, log probabilities are left out: they spell the answer out by tokens.
        """
        if not self._patterns:
            return choices
        return tuple(self._choice(one) for one in choices)

    def value(self, value: T) -> T:
        """Return a value with every match replaced in each string below it; others stay."""
        if not self._patterns:
            return value
        return cast(T, self._walk(value, 0))

    def _choice(self, choice: Choice) -> Choice:
        message = self.value(choice.message)
        if message is choice.message:
            return choice
        return structs.replace(choice, message=message, logprobs=None)

    def _walk(self, value: object, depth: int) -> object:
        if isinstance(value, str):
            return self.text(value)
        if depth > DEEPEST:
            return None if isinstance(value, Struct | Raw | Mapping | list | tuple) else value
        if isinstance(value, FunctionCall):
            value = _changed(value, "arguments", self._arguments(value.arguments))
        if isinstance(value, Struct):
            for name in value.__struct_fields__:
                before = getattr(value, name)
                value = _changed(value, name, self._walk(before, depth + 1))
            return value
        if isinstance(value, Raw):
            return self._raw(value)
        if isinstance(value, Mapping):
            return self._mapping(cast("Mapping[object, object]", value), depth)
        if isinstance(value, tuple | list):
            items = cast("tuple[object, ...] | list[object]", value)
            redacted = [self._walk(one, depth + 1) for one in items]
            if all(new is old for new, old in zip(redacted, items, strict=True)):
                return items
            return redacted if isinstance(value, list) else tuple(redacted)
        return value

    def _mapping(self, value: Mapping[object, object], depth: int) -> Mapping[object, object]:
        redacted = {
            self._walk(key, depth + 1): self._walk(one, depth + 1) for key, one in value.items()
        }
        same = len(redacted) == len(value) and all(
            key is old and one is value[old]
            for (key, one), old in zip(redacted.items(), value, strict=True)
        )
        return value if same else redacted

    def _raw(self, raw: Raw) -> Raw:
        """Return JSON with every match in its strings replaced, however they are escaped."""
        try:
            before: object = msgspec.json.decode(raw)
        except (ValueError, RecursionError):
            return Raw(b"null")
        after = self._walk(before, 1)
        return raw if after is before else Raw(msgspec.json.encode(after))

    def _arguments(self, text: str) -> str:
        """Return what a model wrote for a function, mostly JSON, whose escapes hide nothing."""
        if "\\" not in text:
            return text  # as text, like any other
        try:
            before: object = msgspec.json.decode(text)
        except (ValueError, RecursionError):
            return text
        after = self._walk(before, 1)
        return text if after is before else msgspec.json.encode(after).decode()


def _changed(value: Struct, name: str, after: object) -> Struct:
    before: object = getattr(value, name)
    return value if after is before else structs.replace(value, **{name: after})


def _compile(pattern: str) -> _Compiled:
    if len(pattern) > LONGEST_PATTERN:
        raise PatternError(f"has more than {LONGEST_PATTERN} characters")
    options = _RE2.Options()
    options.log_errors = False  # they would go to stderr, the pattern with them
    try:
        return _RE2.compile(pattern, options)
    except _RE2.error as error:
        why = error.args[0] if error.args else ""
        told = why.decode(errors="replace") if isinstance(why, bytes) else str(why)
        raise PatternError(f"is no pattern that RE2 takes: {told}") from None


def _replaced(compiled: _Compiled, replace: bytes, data: bytes) -> bytes:
    """Return the bytes with every match replaced: the very same ones if there is none."""
    pieces: list[bytes] = []
    end = 0
    most = MOST_WORK // len(data) if data else 0
    for number, match in enumerate(compiled.finditer(data)):
        start, stop = match.start(), match.end()
        if start == stop:
            continue  # a pattern such as `\b` finds no text
        if number >= most:
            return replace
        pieces += (data[end:start], replace)
        end = stop
    if not pieces:
        return data
    pieces.append(data[end:])
    return b"".join(pieces)
