"""How many tokens there were, where the provider does not say: a stream that was cut, Petals. Pure.

Text is taken to have a token for every four bytes of UTF-8, about what the usual tokenizers make
of English and of other languages, whose characters have more bytes. Pictures, recordings and
documents have no such ratio; each is taken for as many tokens as a picture commonly has.
"""

from typing import Final

from msgspec import UNSET, UnsetType

from understudy.server.domain.chat import ChatCall, Message
from understudy.server.domain.completion import Completion, Delta, Usage

BYTES_PER_TOKEN: Final = 4
TOKENS_PER_MESSAGE: Final = 4  # which mark where it begins and ends, and its role
TOKENS_PER_ATTACHMENT: Final = 1_000

_WORDS: Final = frozenset({"text", "refusal"})


def estimate_usage(call: ChatCall, answer_bytes: int) -> Usage:
    """Return about how many tokens a prompt and an answer of so many bytes have."""
    return add_answer(estimate_prompt(call), answer_bytes)


def add_answer(prompt_tokens: int, answer_bytes: int) -> Usage:
    """Return about how many tokens there were in all, with an answer of so many bytes."""
    answer = -(-max(answer_bytes, 0) // BYTES_PER_TOKEN)
    return Usage(prompt_tokens, answer, prompt_tokens + answer)


def estimate_prompt(call: ChatCall) -> int:
    """Return about how many tokens a prompt has, its tools included."""
    size = sum(_size(one) for one in call.messages)
    for tool in call.tools:
        if tool.function is not UNSET:
            size += _length(tool.function.name) + _length(tool.function.description)
            parameters = tool.function.parameters
            size += 0 if parameters is UNSET else len(bytes(parameters))
    marks = TOKENS_PER_MESSAGE * len(call.messages)
    return -(-size // BYTES_PER_TOKEN) + marks + TOKENS_PER_ATTACHMENT * count_attachments(call)


def count_attachments(call: ChatCall) -> int:
    """Return how many pictures, recordings and documents a prompt has."""
    return sum(
        part.type not in _WORDS
        for message in call.messages
        if isinstance(message.content, tuple)
        for part in message.content
    )


def measure_answer(completion: Completion) -> int:
    """Return how many bytes of UTF-8 a whole answer has, for `estimate_usage`."""
    return sum(_size(choice.message) for choice in completion.choices)


def measure_piece(delta: Delta) -> int:
    """Return how many bytes of UTF-8 a piece of an answer has. Quick: streams have many."""
    size = 0
    for choice in delta.choices:
        size += _size(choice.message)
    return size


def _size(message: Message) -> int:
    size = _length(message.refusal) + _length(message.reasoning_content)
    if isinstance(message.content, tuple):
        size += sum(_length(part.text) + _length(part.refusal) for part in message.content)
    else:
        size += _length(message.content)
    for call in () if message.tool_calls is UNSET else message.tool_calls:
        if call.function is not UNSET:
            size += _length(call.function.name) + _length(call.function.arguments)
    return size


def _length(text: str | UnsetType | None) -> int:
    if not isinstance(text, str):
        return 0
    # Half of a surrogate pair, which JSON can hold, is no reason to fail here.
    return len(text) if text.isascii() else len(text.encode(errors="replace"))
