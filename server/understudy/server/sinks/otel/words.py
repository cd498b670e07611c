"""Writes prompts and answers as the GenAI conventions have them: messages made of parts."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Final, TypeAlias

import msgspec
from msgspec import UNSET, Raw

from understudy.server.domain.chat import ChatCall, ContentPart, Message, ToolCall
from understudy.server.domain.completion import Choice
from understudy.server.sinks.otel.json_texts import write_json

_Part: TypeAlias = dict[str, object]
_ANY_JSON: Final = msgspec.json.Decoder(Raw)


def write_prompt(messages: Sequence[Message]) -> str:
    """Return what `gen_ai.input.messages` holds."""
    return write_json([{"role": one.role, "parts": list(_parts(one))} for one in messages])


def write_answers(choices: Sequence[Choice]) -> str:
    """Return what `gen_ai.output.messages` holds."""
    return write_json(
        [
            {
                "role": one.message.role or "assistant",
                "parts": list(_parts(one.message)),
                "finish_reason": one.finish_reason,
            }
            for one in choices
        ]
    )


def write_tools(chat: ChatCall) -> str:
    """Return what `gen_ai.tool.definitions` holds."""
    return write_json(chat.tools)


def _parts(message: Message) -> Iterator[_Part]:
    if message.reasoning_content:
        yield {"type": "reasoning", "content": message.reasoning_content}
    if message.role == "tool":
        answer = [message.content] if isinstance(message.content, str) else message.content
        response = "".join(_words(one) for one in answer or ())
        call_id = None if message.tool_call_id is UNSET else message.tool_call_id
        yield {"type": "tool_call_response", "id": call_id, "response": response}
    elif isinstance(message.content, str):
        yield {"type": "text", "content": message.content}
    else:
        yield from (_content_part(one) for one in message.content or ())
    if message.refusal:
        yield {"type": "refusal", "content": message.refusal}
    yield from (_tool_call(one) for one in message.tool_calls or ())


def _words(piece: str | ContentPart) -> str:
    if isinstance(piece, str):
        return piece
    return piece.text if isinstance(piece.text, str) else ""


def _content_part(part: ContentPart) -> _Part:
    if part.image_url:
        return _medium("image", part.image_url.url)
    if part.input_audio:
        kind = f"audio/{part.input_audio.format}"
        return _blob("audio", kind, part.input_audio.data)
    if part.file:
        if part.file.file_id:
            return {"type": "file", "modality": "document", "file_id": part.file.file_id}
        return _medium("document", part.file.file_data or "")
    if part.refusal:
        return {"type": "refusal", "content": part.refusal}
    return {"type": part.type or "text", "content": part.text or ""}


def _medium(modality: str, url: str) -> _Part:
    head, comma, data = url.partition(",")
    if comma and head.startswith("data:") and head.endswith(";base64"):
        return _blob(modality, head.removeprefix("data:").removesuffix(";base64"), data)
    return {"type": "uri", "modality": modality, "uri": url}


def _blob(modality: str, mime_type: str, data: str) -> _Part:
    return {"type": "blob", "modality": modality, "mime_type": mime_type, "content": data}


def _tool_call(call: ToolCall) -> _Part:
    function = call.function or None
    arguments: object = function.arguments if function else ""
    with suppress(msgspec.DecodeError, UnicodeEncodeError):  # models write what is no JSON, too
        arguments = _ANY_JSON.decode(function.arguments) if function else ""
    return {
        "type": "tool_call",
        "id": call.id or None,
        "name": (function.name if function else "") or "",
        "arguments": arguments,
    }
