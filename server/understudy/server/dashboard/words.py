"""Prompts and answers as a page shows them: what was said, piece by piece, cut where it is long."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from msgspec import UNSET
from msgspec.json import encode

from understudy.server.domain.chat import ContentPart, Message, ToolCall
from understudy.server.domain.completion import Choice

SHOWN: Final = 4_000  # characters of a piece, until all of it is asked for
SHOWN_AT_MOST: Final = 1 << 20  # characters of a page that was asked for all
MOST_PIECES: Final = 200
_MOST_ARGUMENTS: Final = 64 << 10  # characters that are read as JSON


@dataclass(frozen=True, slots=True)
class Piece:
    """Something that was said. `left` is how many characters of it are not shown."""

    title: str
    text: str
    left: int = 0


@dataclass(frozen=True, slots=True)
class Pieces:
    """What was said. `left` is how many pieces are not shown."""

    shown: tuple[Piece, ...]
    left: int = 0

    @property
    def is_cut(self) -> bool:
        """Whether there is more."""
        return self.left > 0 or any(one.left for one in self.shown)


def show_prompt(messages: Sequence[Message], *, whole: bool = False) -> Pieces:
    """Return the pieces of a prompt."""
    said = [
        (" ".join(filter(None, (one.role, title))), text)
        for one in messages
        for title, text in _say(one)
    ]
    return _cut(said, whole=whole)


def show_answer(choices: Sequence[Choice], *, whole: bool = False) -> Pieces:
    """Return the pieces of an answer."""
    is_one = len(choices) == 1
    said = [
        (" ".join(filter(None, ("" if is_one else f"choice {one.index}", title))), text)
        for one in choices
        for title, text in _say(one.message)
    ]
    return _cut(said, whole=whole)


def first_text(choices: Sequence[Choice]) -> str:
    """Return what the first choice of an answer says, its calls of tools apart."""
    choice = min(choices, key=lambda one: one.index, default=None)
    if choice is None:
        return ""
    return "\n".join(text for title, text in _say(choice.message) if title in ("", "refusal"))


def first_calls(choices: Sequence[Choice]) -> str:
    """Return the calls of tools in the first choice, spelled so that equal ones are equal."""
    choice = min(choices, key=lambda one: one.index, default=None)
    if choice is None or choice.message.tool_calls is UNSET:
        return ""
    return "\n".join(sorted(map(_say_call, choice.message.tool_calls)))


def in_order(text: str) -> str | None:
    """Return JSON with its keys sorted, a value a line; `None` if it is none, or too long."""
    if len(text) > _MOST_ARGUMENTS or text.lstrip()[:1] not in ("{", "["):
        return None
    try:
        return json.dumps(json.loads(text), indent=1, sort_keys=True, ensure_ascii=False)
    except (ValueError, RecursionError):
        return None


def _say(message: Message) -> Iterator[tuple[str, str]]:
    if message.reasoning_content is not UNSET and message.reasoning_content:
        yield "reasoning", message.reasoning_content
    content = message.content
    if isinstance(content, tuple):
        yield from map(_say_part, content)
    elif content is not UNSET and content is not None:
        yield "", content
    if message.refusal is not UNSET and message.refusal:
        yield "refusal", message.refusal
    if message.tool_calls is not UNSET:
        for call in message.tool_calls:
            yield "calls", _say_call(call)


def _say_part(part: ContentPart) -> tuple[str, str]:
    if part.text is not UNSET:
        return "", part.text
    if part.refusal is not UNSET:
        return "refusal", part.refusal
    return part.type, encode(part).decode()


def _say_call(call: ToolCall) -> str:
    function = call.function
    if function is UNSET:
        return encode(call).decode()
    name = "" if function.name is UNSET else function.name
    return f"{name} {in_order(function.arguments) or function.arguments}"


def _cut(said: Sequence[tuple[str, str]], *, whole: bool) -> Pieces:
    room = SHOWN_AT_MOST
    shown: list[Piece] = []
    for title, text in said[:MOST_PIECES]:
        length = min(room, len(text) if whole else SHOWN)
        shown.append(Piece(title, text[:length], max(0, len(text) - length)))
        room -= min(length, len(text))
    return Pieces(tuple(shown), max(0, len(said) - MOST_PIECES))
