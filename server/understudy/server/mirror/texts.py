"""What an answer weighs in memory, and an answer without its text. Pure."""

from msgspec import UNSET, structs

from understudy.server.domain.chat import Message
from understudy.server.domain.completion import Choice, Completion, Warning

TEXT_NOT_KEPT = Warning(
    "TEXT_NOT_KEPT",
    "too many answers waited for their pairs, so the text of this one was not kept",
)

_ODDS = 200  # bytes that one token's odds take, about
_SHELL = 500  # bytes of an answer without text, about


def weigh(completion: Completion) -> int:
    """Return about how many bytes an answer takes."""
    return _SHELL + sum(map(_weigh_choice, completion.choices))


def without_text(completion: Completion) -> Completion:
    """Return the answer with its figures only."""
    choices = tuple(
        structs.replace(one, message=Message(one.message.role), logprobs=None)
        for one in completion.choices
    )
    warnings = (*completion.warnings, TEXT_NOT_KEPT)
    return structs.replace(completion, choices=choices, warnings=warnings)


def _weigh_choice(choice: Choice) -> int:
    message, odds = choice.message, choice.logprobs
    content = message.content
    if isinstance(content, tuple):
        size = sum(len(one.text) for one in content if one.text is not UNSET)
    else:
        size = len(content) if content else 0
    for text in (message.refusal, message.reasoning_content):
        size += 0 if text is UNSET else len(text)
    if message.tool_calls is not UNSET:
        size += sum(
            len(one.function.arguments) for one in message.tool_calls if one.function is not UNSET
        )
    if odds is not None:
        size += _ODDS * sum(1 + len(one.top_logprobs) for one in (*odds.content, *odds.refusal))
    return size
