"""Turns messages, tools and formats in OpenAI's shape into proto messages.

A proto message is taken as it is, at every level. A key that has no field of its own goes, as
written, into `extra_json`, where the message has that; elsewhere it is refused, so that nothing is
lost silently. Parameters of a whole call are `requests`; the way back is `replies`.
"""

from collections.abc import Mapping
from typing import Final, TypeVar

from google.protobuf.message import Message

from understudy.client.fields import (
    Setter,
    assign,
    fill,
    read_list,
    read_mapping,
    refuse_others,
    scalar,
    write_json,
)
from understudy.v1.chat_pb2 import (
    ChatMessage,
    ContentPart,
    FunctionCall,
    ImageUrl,
    InputAudio,
    InputFile,
    ResponseFormat,
    Tool,
    ToolCall,
    ToolChoice,
)

M = TypeVar("M", bound=Message)

_PARTS: Final = ("text", "image_url", "input_audio", "file", "refusal")


def build_message(source: object, path: str) -> ChatMessage:
    """Return a message. Raises TypeError or ValueError, naming the path of the fault."""
    if isinstance(source, ChatMessage):
        return source
    message = ChatMessage()
    others = fill(message, read_mapping(source, path), path, _MESSAGE)
    _keep(message, others, path)
    return message


def build_tool(source: object, path: str) -> Tool:
    """Return a tool. Raises TypeError or ValueError, naming the path of the fault."""
    if isinstance(source, Tool):
        return source
    tool = Tool()
    _keep(tool, fill(tool, read_mapping(source, path), path, _TOOL), path)
    return tool


def build_tool_choice(source: object, path: str) -> ToolChoice:
    """Return which function to call: by mode, or `{"type": "function", "function": {"name": …}}`."""
    if isinstance(source, ToolChoice):
        return source
    choice = ToolChoice()
    if isinstance(source, str):
        assign(choice, "mode", source, path)
        return choice
    mapping = read_mapping(source, path)
    if mapping.get("type", "function") != "function":
        raise ValueError(f"{path}: only a function can be chosen")
    refuse_others(mapping.keys() - {"type", "function"}, path)
    function = read_mapping(mapping.get("function"), f"{path}.function")
    refuse_others(function.keys() - {"name"}, f"{path}.function")
    assign(choice, "function", function.get("name"), f"{path}.function.name")
    return choice


def build_format(source: object, path: str) -> ResponseFormat:
    """Return the shape of the answer."""
    if isinstance(source, ResponseFormat):
        return source
    shape = ResponseFormat()
    refuse_others(fill(shape, read_mapping(source, path), path, _FORMAT), path)
    return shape


def _keep(message: ChatMessage | ContentPart | ToolCall | Tool, others: object, path: str) -> None:
    if others:
        assign(message, "extra_json", write_json(others, path), path)


def _set_content(message: ChatMessage, value: object, path: str) -> None:
    if isinstance(value, str):
        assign(message, "content", value, path)
        return
    parts = read_list(value, path)
    if not parts:
        raise ValueError(f"{path}: a list of parts must not be empty")
    message.content_parts.extend(
        _build_part(part, f"{path}[{index}]") for index, part in enumerate(parts)
    )


def _build_part(source: object, path: str) -> ContentPart:
    if isinstance(source, ContentPart):
        return source
    part = ContentPart()
    mapping = read_mapping(source, path)
    given = [name for name in _PARTS if mapping.get(name) is not None]
    if len(given) > 1:
        raise ValueError(f"{path}: {' and '.join(given)} are parts of their own")
    _keep(part, fill(part, mapping, path, _PART), path)
    return part


def _set_image_url(part: ContentPart, value: object, path: str) -> None:
    if isinstance(value, str):  # some SDKs write the URL alone
        assign(part.image_url, "url", value, path)
    else:
        _set_all(part.image_url, value, path, _IMAGE_URL)


def _set_tool_calls(message: ChatMessage, value: object, path: str) -> None:
    message.tool_calls.extend(
        _build_call(call, f"{path}[{index}]") for index, call in enumerate(read_list(value, path))
    )


def _build_call(source: object, path: str) -> ToolCall:
    if isinstance(source, ToolCall):
        return source
    call = ToolCall()
    _keep(call, fill(call, read_mapping(source, path), path, _TOOL_CALL), path)
    return call


def _set_all(
    target: Message, value: object, path: str, setters: Mapping[str, Setter[Message]]
) -> None:
    if isinstance(value, type(target)):
        target.CopyFrom(value)
        return
    target.SetInParent()
    refuse_others(fill(target, read_mapping(value, path), path, setters), path)


def _set_json(name: str) -> Setter[Message]:
    """Return what sets a field of JSON text from the object that it is the text of."""
    return lambda message, value, path: assign(
        message, name, write_json(read_mapping(value, path), path), path
    )


_IMAGE_URL: Final[Mapping[str, Setter[Message]]] = {
    name: scalar(name) for name in ImageUrl.DESCRIPTOR.fields_by_name
}
_INPUT_AUDIO: Final[Mapping[str, Setter[Message]]] = {
    name: scalar(name) for name in InputAudio.DESCRIPTOR.fields_by_name
}
_INPUT_FILE: Final[Mapping[str, Setter[Message]]] = {
    name: scalar(name) for name in InputFile.DESCRIPTOR.fields_by_name
}
_FUNCTION_CALL: Final[Mapping[str, Setter[Message]]] = {
    name: scalar(name) for name in FunctionCall.DESCRIPTOR.fields_by_name
}
_FUNCTION: Final[Mapping[str, Setter[Message]]] = {
    "name": scalar("name"),
    "description": scalar("description"),
    "parameters": _set_json("parameters_json"),
    "strict": scalar("strict"),
}
_JSON_SCHEMA: Final[Mapping[str, Setter[Message]]] = {
    "name": scalar("name"),
    "description": scalar("description"),
    "schema": _set_json("schema_json"),
    "strict": scalar("strict"),
}
_TOOL: Final[Mapping[str, Setter[Tool]]] = {
    "type": scalar("type"),
    "function": lambda tool, value, path: _set_all(tool.function, value, path, _FUNCTION),
}
_FORMAT: Final[Mapping[str, Setter[ResponseFormat]]] = {
    "type": scalar("type"),
    "json_schema": lambda shape, value, path: _set_all(
        shape.json_schema, value, path, _JSON_SCHEMA
    ),
}
_TOOL_CALL: Final[Mapping[str, Setter[ToolCall]]] = {
    "id": scalar("id"),
    "type": scalar("type"),
    "function": lambda call, value, path: _set_all(call.function, value, path, _FUNCTION_CALL),
    "index": scalar("index"),
}
_PART: Final[Mapping[str, Setter[ContentPart]]] = {
    "type": scalar("type"),
    "text": scalar("text"),
    "image_url": _set_image_url,
    "input_audio": lambda part, value, path: _set_all(part.input_audio, value, path, _INPUT_AUDIO),
    "file": lambda part, value, path: _set_all(part.file, value, path, _INPUT_FILE),
    "refusal": scalar("refusal"),
}
_MESSAGE: Final[Mapping[str, Setter[ChatMessage]]] = {
    "role": scalar("role"),
    "content": _set_content,
    "name": scalar("name"),
    "tool_calls": _set_tool_calls,
    "tool_call_id": scalar("tool_call_id"),
    "refusal": scalar("refusal"),
    "reasoning_content": scalar("reasoning_content"),
}
