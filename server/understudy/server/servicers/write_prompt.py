"""Writes prompts as messages: the way back from `read_chat`."""

from msgspec import UNSET, UnsetType, json

from understudy.server.domain.chat import ContentPart, Extra, Message, ToolCall
from understudy.v1 import chat_pb2


def write_prompt(message: Message) -> chat_pb2.ChatMessage:
    """Return one message of a prompt as its caller sent it."""
    content = message.content
    wire = chat_pb2.ChatMessage(
        role=message.role,
        content=content if isinstance(content, str) else None,
        content_parts=[_write_part(one) for one in content] if isinstance(content, tuple) else [],
        name=_set(message.name),
        tool_calls=[_write_call(one) for one in message.tool_calls or ()],
        tool_call_id=_set(message.tool_call_id),
        reasoning_content=_set(message.reasoning_content),
        extra_json=_write_extra(message.extra),
    )
    if message.refusal is not UNSET:
        wire.refusal = message.refusal
    return wire


def _write_part(part: ContentPart) -> chat_pb2.ContentPart:
    wire = chat_pb2.ContentPart(type=part.type, extra_json=_write_extra(part.extra))
    if part.text is not UNSET:
        wire.text = part.text
    elif part.refusal is not UNSET:
        wire.refusal = part.refusal
    elif part.image_url is not UNSET:
        wire.image_url.url = part.image_url.url
        wire.image_url.detail = _set(part.image_url.detail)
    elif part.input_audio is not UNSET:
        wire.input_audio.data = part.input_audio.data
        wire.input_audio.format = part.input_audio.format
    elif part.file is not UNSET:
        wire.file.file_data = _set(part.file.file_data)
        wire.file.file_id = _set(part.file.file_id)
        wire.file.filename = _set(part.file.filename)
    return wire


def _write_call(call: ToolCall) -> chat_pb2.ToolCall:
    wire = chat_pb2.ToolCall(
        id=_set(call.id),
        type=_set(call.type),
        index=None if call.index is UNSET else call.index,
        extra_json=_write_extra(call.extra),
    )
    if call.function is not UNSET:
        wire.function.name = _set(call.function.name)
        wire.function.arguments = call.function.arguments
    return wire


def _write_extra(extra: Extra | UnsetType) -> str:
    return json.encode(extra).decode() if extra else ""


def _set(text: str | UnsetType) -> str:
    return "" if text is UNSET else text
