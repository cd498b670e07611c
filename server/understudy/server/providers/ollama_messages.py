"""Writes a conversation for Ollama: messages for `/api/chat`, a prompt for `/api/generate`. Pure.

Pictures go in base64 and tool calls with their arguments as objects. How closely a picture is to
be looked at (`detail`) has no word there and is left out. Sampling and the like: `ollama_wishes`.
"""

from base64 import b64encode
from collections.abc import Iterator, Sequence
from urllib.parse import unquote_to_bytes

import msgspec
from msgspec import UNSET, Raw, UnsetType
from msgspec.json import Decoder

from understudy.server.domain.chat import ContentPart, Message, ToolCall
from understudy.server.providers.leaving import Losses

Body = dict[str, object]

CHAT_HINT = "tools are for /api/chat; write ollama_chat/ for ollama/"

_BETWEEN_PARTS = "\n\n"  # as Ollama itself joins messages of one role
_ROLES = {"developer": "system", "function": "tool"}  # OpenAI's newer and older words
_HEADINGS = {"system": "System", "user": "User", "assistant": "Assistant"}
_OBJECTS = Decoder(dict[str, Raw])
_NO_ARGUMENTS = Raw(b"{}")


def write_messages(messages: Sequence[Message], losses: Losses) -> list[Body]:
    """Return the messages of a chat."""
    called: dict[str, str] = {}  # by id: who answers a call in Ollama says the function's name
    return [
        _write_message(one, f"messages[{at}]", called, losses) for at, one in enumerate(messages)
    ]


def write_prompt(messages: Sequence[Message], losses: Losses) -> Body:
    """Return `system`, `prompt` and `images`: the conversation as one text, as LiteLLM writes it."""
    head = 0
    while head < len(messages) and _role(messages[head]) == "system":
        head += 1
    system: list[str] = []
    turns: list[str] = []
    images: list[str] = []
    for at, one in enumerate(messages):
        path, role = f"messages[{at}]", _role(one)
        if role == "tool":
            losses.drop(path, CHAT_HINT)
            continue
        if one.tool_calls:
            losses.drop(f"{path}.tool_calls", CHAT_HINT)
        _check_name(one, path, losses)
        text, pictures = _read_content(one, path, losses)
        images += pictures
        if at < head:
            system.append(text)
        elif text:
            turns.append(f"### {_HEADINGS.get(role, role)}:\n{text}\n\n")
    body: Body = {"prompt": "".join(turns)}
    if system:
        body["system"] = _BETWEEN_PARTS.join(system)
    if images:
        body["images"] = images
    return body


def _role(message: Message) -> str:
    return _ROLES.get(message.role, message.role)


def _write_message(message: Message, path: str, called: dict[str, str], losses: Losses) -> Body:
    text, images = _read_content(message, path, losses)
    body: Body = {"role": _role(message), "content": text}
    if message.reasoning_content:
        body["thinking"] = message.reasoning_content
    if images:
        body["images"] = images
    if message.tool_calls:
        body["tool_calls"] = list(_write_calls(message.tool_calls, path, called, losses))
    if body["role"] == "tool":
        body.update(_name_answer(message, called))
    else:
        _check_name(message, path, losses)
    if message.extra is not UNSET:
        body.update((name, value) for name, value in message.extra.items() if name not in body)
    return body


def _check_name(message: Message, path: str, losses: Losses) -> None:
    if message.name:
        losses.drop(f"{path}.name", "it has no word for who is speaking")


def _name_answer(message: Message, called: dict[str, str]) -> Body:
    """Return which call a message answers: by its function, and for newer servers by its id."""
    body: Body = {}
    ident = message.tool_call_id or ""
    if name := message.name or called.get(ident, ""):
        body["tool_name"] = name
    if ident:
        body["tool_call_id"] = ident
    return body


def _write_calls(
    calls: Sequence[ToolCall], path: str, called: dict[str, str], losses: Losses
) -> Iterator[Body]:
    for at, one in enumerate(calls):
        place = f"{path}.tool_calls[{at}]"
        function = one.function
        if function is UNSET:
            losses.drop(place, "it calls functions only")
            continue
        body: Body = {}
        if one.id:
            body["id"] = one.id
            called[one.id] = function.name or ""
        arguments = _read_arguments(function.arguments)
        if arguments is None:
            losses.drop(f"{place}.function.arguments", "they must be a JSON object")
            arguments = _NO_ARGUMENTS
        body["function"] = {"name": function.name or "", "arguments": arguments}
        yield body


def _read_arguments(text: str) -> Raw | None:
    """Return arguments as they are, None if they are no object: models do not always write one."""
    if not text.strip():
        return _NO_ARGUMENTS
    try:
        raw = text.encode()
        _OBJECTS.decode(raw)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None
    return Raw(raw)


def _read_content(message: Message, path: str, losses: Losses) -> tuple[str, list[str]]:
    """Return the words of a message, and its pictures."""
    content: str | tuple[ContentPart, ...] | UnsetType | None = message.content
    if isinstance(content, str):
        return content, []
    if not content:
        return message.refusal or "", []
    texts: list[str] = []
    images: list[str] = []
    for at, part in enumerate(content):
        place = f"{path}.content[{at}]"
        if part.image_url is not UNSET:
            if (image := _read_image(part.image_url.url)) is not None:
                images.append(image)
            else:
                losses.drop(place, "it fetches no pictures; send them as data: URLs")
        elif (words := part.text or part.refusal) is not UNSET:
            texts.append(words)
        else:
            losses.drop(place, f"it has no word for content of type {part.type[:40]!r}")
    return _BETWEEN_PARTS.join(texts), images


def _read_image(url: str) -> str | None:
    """Return a picture in base64, None if the URL does not hold it."""
    scheme, _, rest = url.partition(":")
    kind, comma, data = rest.partition(",")
    if scheme.lower() != "data" or not comma:
        return None
    if kind.lower().endswith(";base64"):
        return data
    return b64encode(unquote_to_bytes(data)).decode()
