"""Writes a conversation as Anthropic has it: a system prompt, and turns made of blocks. Pure.

What OpenAI's interface spreads over roles and fields becomes blocks: words, tool calls, and the
results of those; pictures and documents are written in `anthropic_media`. Consecutive messages of
one speaker are one turn. What the system says stands apart, in order, wherever in the conversation
it was said. Text that shows nothing is refused there, so it is left out; so is the reasoning of
earlier answers, which counts only with a signature that OpenAI's interface has no place for.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

from msgspec import UNSET, DecodeError, Raw, Struct, UnsetType
from msgspec.json import Decoder

from understudy.server.domain.chat import ContentPart, Extra, Message, ToolCall
from understudy.server.errors import Reason, RequestError
from understudy.server.providers.anthropic_media import Block, write_file, write_image
from understudy.server.providers.leaving import Losses


class Turn(Struct, frozen=True):
    """What one side says before the other does."""

    role: str
    content: list[Block]


_ROLES: Mapping[str, str] = MappingProxyType(
    {
        "system": "system",
        "developer": "system",
        "user": "user",
        "assistant": "assistant",
        "tool": "user",
    }
)
_CACHE_CONTROL = "cache_control"
_NO_ID_CHARACTER = re.compile(r"[^a-zA-Z0-9_-]")
_OBJECTS = Decoder(dict[str, Raw])


def write_conversation(
    messages: Sequence[Message], losses: Losses
) -> tuple[list[Block], list[Turn]]:
    """Return the blocks of the system prompt, and the turns.

    Raises RequestError for a conversation that nobody can have there.
    """
    system: list[Block] = []
    turns: list[Turn] = []
    for index, message in enumerate(messages):
        path = f"messages[{index}]"
        role = _ROLES.get(message.role)
        if role is None:
            losses.drop(path, f"it has no role {message.role!r}")
            continue
        blocks = _write_message(message, path, losses)
        if role == "system":
            system += blocks
        elif turns and turns[-1].role == role:
            turns[-1].content.extend(blocks)
        elif blocks:
            turns.append(Turn(role, blocks))
    if not turns or turns[0].role != "user":
        raise RequestError(
            "Anthropic's conversations begin with what a user says; "
            "put a user's message after the system's",
            field="messages",
            reason=Reason.UNSUPPORTED_PARAMETER,
        )
    return system, turns


def _write_message(message: Message, path: str, losses: Losses) -> list[Block]:
    if message.role == "tool":
        return [_write_result(message, path, losses)]
    if message.name is not UNSET:
        losses.drop(f"{path}.name")
    blocks = list(_write_content(message, path, losses))
    if message.refusal is not UNSET:
        blocks += _write_text(message.refusal)
    if message.tool_calls is not UNSET:
        for at, call in enumerate(message.tool_calls):
            blocks += _write_call(call, f"{path}.tool_calls[{at}]", losses)
    for name, value in _extra(message.extra).items():
        if name != _CACHE_CONTROL:
            losses.drop(f"{path}.{name}")
        elif blocks:
            blocks[-1] = {**blocks[-1], name: value}  # it marks all that comes before
    return blocks


def _write_result(message: Message, path: str, losses: Losses) -> Block:
    if message.tool_call_id is UNSET:
        raise RequestError(
            f"{path} does not say which tool call it answers", field=f"{path}.tool_call_id"
        )
    result: Block = {"type": "tool_result", "tool_use_id": _write_id(message.tool_call_id)}
    if isinstance(message.content, str):
        if message.content:
            result["content"] = message.content
    elif blocks := list(_write_content(message, path, losses)):
        result["content"] = blocks
    result.update(_extra(message.extra))
    return result


def _write_content(message: Message, path: str, losses: Losses) -> Iterator[Block]:
    content = message.content
    if isinstance(content, str):
        yield from _write_text(content)
    elif isinstance(content, tuple):
        says_only = _ROLES[message.role] == "system"
        for at, part in enumerate(content):
            where = f"{path}.content[{at}]"
            if says_only and part.type != "text":
                losses.drop(where, "a system prompt is text")
            else:
                yield from _write_part(part, where, losses)


def _write_part(part: ContentPart, path: str, losses: Losses) -> Iterator[Block]:
    extra = _extra(part.extra)
    if part.text is not UNSET:
        blocks = _write_text(part.text)
    elif part.refusal is not UNSET:
        blocks = _write_text(part.refusal)
    elif part.image_url is not UNSET:
        blocks = write_image(part.image_url, path, losses)
    elif part.file is not UNSET:
        blocks = write_file(part.file, path, losses)
    elif part.input_audio is not UNSET:
        losses.drop(path, "it has no ear")
        return
    else:
        blocks = [{"type": part.type}]  # one of Anthropic's own
    for block in blocks:
        yield {**block, **extra}


def _write_text(text: str) -> list[Block]:
    return [{"type": "text", "text": text}] if text and not text.isspace() else []


def _write_call(call: ToolCall, path: str, losses: Losses) -> Iterator[Block]:
    function = call.function
    if function is UNSET or function.name is UNSET:
        losses.drop(path, "it calls no function")
        return
    if call.id is UNSET:
        raise RequestError(f"{path} has no id", field=f"{path}.id")
    yield {
        "type": "tool_use",
        "id": _write_id(call.id),
        "name": function.name,
        "input": _read_arguments(function.arguments, f"{path}.function.arguments"),
        **_extra(call.extra),
    }


def _read_arguments(text: str, path: str) -> object:
    """Return the arguments as they were written, an object for none."""
    if not text or text.isspace():
        return {}
    try:
        _OBJECTS.decode(text)
    except (DecodeError, UnicodeEncodeError, RecursionError):
        raise RequestError(
            f"{path} is no JSON object, and Anthropic takes no other", field=path
        ) from None
    return Raw(text.encode())


def _write_id(text: str) -> str:
    """Return an id in the characters that Anthropic takes; other providers' models use more."""
    return _NO_ID_CHARACTER.sub("_", text)


def _extra(extra: Extra | UnsetType) -> Extra:
    return {} if extra is UNSET else extra
