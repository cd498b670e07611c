"""Says what is left of a telling at a level of `capture`. Pure.

`content` is all that was handed in, `redacted` the same with the operator's patterns applied, and
`metadata` ids, figures and names without a word of prompts, tools, answers or opinions.
"""

from collections.abc import Iterable
from typing import Final, Literal, TypeAlias

from msgspec import structs

from understudy.server.capturing.redactor import Redactor
from understudy.server.domain.chat import ChatCall
from understudy.server.domain.feedback import Feedback
from understudy.server.domain.tellings import Answered, Asked, Generation, Telling

Capture: TypeAlias = Literal["metadata", "redacted", "content"]

# Parameters whose values are words of OpenAI's, and not of a caller's.
_NAMED: Final = frozenset({"reasoning_effort", "service_tier", "verbosity"})


class Levels:
    """The levels of one batch of tellings, each made when it is first wanted. For one thread."""

    def __init__(self, tellings: tuple[Telling, ...], redactor: Redactor) -> None:
        self._redactor = redactor
        self._made: dict[Capture, tuple[Telling, ...]] = {"content": tellings}

    def at(self, capture: Capture) -> tuple[Telling, ...]:
        """Return the batch as it may be told at a level. Without patterns nothing is redacted:
        what is `redacted` is then as bare as `metadata`.
        """
        if capture == "redacted" and not self._redactor:
            capture = "metadata"
        made = self._made.get(capture)
        if made is None:
            redactor = self._redactor if capture == "redacted" else None
            made = self._made[capture] = tuple(_Level(redactor).show(self._made["content"]))
        return made


class _Level:
    """One level of one batch. Calls share what they asked, so that it is made once."""

    def __init__(self, redactor: Redactor | None) -> None:
        self._redactor = redactor
        self._asked: dict[int, Asked] = {}

    def show(self, tellings: Iterable[Telling]) -> Iterable[Telling]:
        for telling in tellings:
            if isinstance(telling, Generation):
                yield self._generation(telling)
            elif isinstance(telling, Answered):
                yield structs.replace(telling, asked=self._share(telling.asked))
            elif not isinstance(telling, Feedback) or not isinstance(telling.value, str):
                yield telling
            elif self._redactor is not None:
                yield structs.replace(telling, value=self._redactor.text(telling.value))

    def _generation(self, told: Generation) -> Generation:
        asked = self._share(told.asked)
        redactor = self._redactor
        if redactor is None:
            return structs.replace(told, asked=asked, messages=None, choices=None)
        return structs.replace(
            told,
            asked=asked,
            messages=None if told.messages is None else redactor.messages(told.messages),
            choices=None if told.choices is None else redactor.choices(told.choices),
        )

    def _share(self, asked: Asked) -> Asked:
        known = self._asked.get(id(asked))
        if known is None:
            chat = asked.chat
            if chat is not None:
                chat = bare(chat) if self._redactor is None else self._redactor.value(chat)
            known = self._asked[id(asked)] = structs.replace(asked, chat=chat)
        return known


def bare(chat: ChatCall) -> ChatCall:
    """Return a prompt without its words: the numbers and switches among its parameters."""
    return ChatCall(
        (),
        {
            name: value
            for name, value in chat.params.items()
            if isinstance(value, int | float) or name in _NAMED
        },
        stream=chat.stream,
    )
