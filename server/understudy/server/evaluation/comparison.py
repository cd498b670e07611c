"""How two answers to one prompt differ, in numbers that may be kept where texts may not. Pure.

Every measure takes linear time, and is bounded: it runs beside calls that must not wait. Which
answer is the better one is not said here.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise

import msgspec
from msgspec import UNSET

from understudy.server.domain.chat import Message, ToolCall
from understudy.server.domain.completion import Completion
from understudy.server.domain.mirroring import Comparison
from understudy.server.evaluation.conformance import MOST_JSON, conforms, is_json

MOST_WORDS_IN = 32 << 10  # characters that are taken apart into words
_MOST_ARGUMENTS = 64 << 10  # characters of a call's arguments that are read

# Scripts without spaces are taken by the character, all others by the word.
_UNSPACED = "\u0e00-\u0eff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_WORD = re.compile(rf"[{_UNSPACED}]|[^\W_{_UNSPACED}]+")


def compare(primary: Completion, silent: Completion, schema: bytes | None = None) -> Comparison:
    """Return how the first choices of two answers differ.

    `schema` is the JSON schema that the caller asked the answer to have.
    """
    ours, theirs = _first_message(primary), _first_message(silent)
    text, other = _text(ours), _text(theirs)
    same_calls = _compare_calls(_calls(ours), _calls(theirs))
    normalized_equal, similarity = _compare_words(text, other)
    return Comparison(
        equal=text == other and same_calls is not False,
        normalized_equal=normalized_equal and same_calls is not False,
        primary_length=len(text),
        silent_length=len(other),
        both_json=_compare_syntax(text, other),
        primary_schema_valid=None if schema is None else conforms(text, schema),
        silent_schema_valid=None if schema is None else conforms(other, schema),
        same_tool_calls=same_calls,
        similarity=similarity,
    )


def _first_message(completion: Completion) -> Message | None:
    choice = min(completion.choices, key=lambda one: one.index, default=None)
    return None if choice is None else choice.message


def _text(message: Message | None) -> str:
    """Return what the model said, be it a refusal."""
    if message is None:
        return ""
    content = message.content
    if isinstance(content, tuple):
        content = "".join(one.text for one in content if one.text is not UNSET)
    if not content:
        return "" if message.refusal is UNSET else message.refusal
    return content


def _calls(message: Message | None) -> Sequence[ToolCall]:
    if message is None or message.tool_calls is UNSET:
        return ()
    return message.tool_calls


def _compare_syntax(text: str, other: str) -> bool | None:
    """Return whether both are JSON; None if neither is, or one is too long to say."""
    if max(len(text), len(other)) > MOST_JSON:
        return None
    ours, theirs = is_json(text), is_json(other)
    return (ours and theirs) if ours or theirs else None


def _compare_words(text: str, other: str) -> tuple[bool, float | None]:
    """Return whether the words are the same, and how similar their sequence is.

    Long texts are the same only if they are equal, and else of unknown similarity.
    """
    if text == other:
        return True, 1.0
    if max(len(text), len(other)) > MOST_WORDS_IN:
        return False, None
    ours, theirs = _WORD.findall(text.casefold()), _WORD.findall(other.casefold())
    if not ours and not theirs:  # nothing but signs, which then are what counts
        return "".join(text.split()) == "".join(other.split()), 0.0
    if ours == theirs:
        return True, 1.0
    return False, _overlap(ours, theirs)


def _overlap(ours: Sequence[str], theirs: Sequence[str]) -> float:
    """Return the Dice coefficient of the pairs of neighbouring words."""
    if min(len(ours), len(theirs)) < 2:
        return _dice(ours, theirs)
    return _dice(pairwise(ours), pairwise(theirs))


def _dice(ours: Iterable[object], theirs: Iterable[object]) -> float:
    left, right = Counter(ours), Counter(theirs)
    total = left.total() + right.total()
    return 2 * (left & right).total() / total if total else 0.0


def _compare_calls(ours: Sequence[ToolCall], theirs: Sequence[ToolCall]) -> bool | None:
    """Return whether the same functions are called, in whatever order, with the same arguments.

    None where there is no call, or one whose arguments are too long to read.
    """
    if not ours and not theirs:
        return None
    if len(ours) != len(theirs):
        return False
    if any(len(_arguments(one)) > _MOST_ARGUMENTS for one in (*ours, *theirs)):
        return None
    return Counter(map(_canonical, ours)) == Counter(map(_canonical, theirs))


def _arguments(call: ToolCall) -> str:
    return "" if call.function is UNSET else call.function.arguments


def _canonical(call: ToolCall) -> tuple[str, bytes]:
    """Return the call in the one way in which equal calls are spelled alike."""
    name = "" if call.function is UNSET or call.function.name is UNSET else call.function.name
    arguments = _arguments(call)
    try:
        return name, msgspec.json.encode(_ARGUMENTS.decode(arguments or "{}"), order="sorted")
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return name, arguments.encode(errors="replace")


def _number(text: str) -> int | float:
    """Read a number so that 1, 1.0 and 1e0 are one."""
    value = float(text)
    return int(value) if value.is_integer() else value


_ARGUMENTS = msgspec.json.Decoder(float_hook=_number)
