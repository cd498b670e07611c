"""Reads messages, tools and formats from the wire, or says which field is wrong."""

from collections.abc import Sequence

from msgspec import UNSET, Raw, UnsetType

from understudy.server.domain.chat import (
    ContentPart,
    Extra,
    FunctionCall,
    FunctionDefinition,
    FunctionName,
    ImageUrl,
    InputAudio,
    InputFile,
    JsonSchema,
    Message,
    NamedTool,
    ResponseFormat,
    Tool,
    ToolCall,
)
from understudy.server.errors import RequestError
from understudy.server.servicers.read_json import read_members, read_object, struct_to_json
from understudy.v1 import chat_pb2

MOST_MESSAGES = 10_000
MOST_PIECES = 10_000  # content parts and tool calls, of all messages together
MOST_TOOLS = 1024

_MESSAGE_FIELDS = frozenset(chat_pb2.ChatMessage.DESCRIPTOR.fields_by_name)
_PART_FIELDS = frozenset(chat_pb2.ContentPart.DESCRIPTOR.fields_by_name)
_CALL_FIELDS = frozenset(chat_pb2.ToolCall.DESCRIPTOR.fields_by_name)
_TOOL_FIELDS = frozenset(chat_pb2.Tool.DESCRIPTOR.fields_by_name)
_MAY_BE_SILENT = frozenset({"assistant"})
_TOOL_MODES = frozenset({"none", "auto", "required"})


def read_messages(wire: Sequence[chat_pb2.ChatMessage]) -> tuple[Message, ...]:
    """Return the conversation. Raises RequestError for an empty one or a message without words."""
    if not wire:
        raise RequestError("messages is empty; a prompt has at least one message", field="messages")
    if len(wire) > MOST_MESSAGES:
        raise RequestError(
            f"messages has {len(wire)} entries; at most {MOST_MESSAGES} are taken",
            field="messages",
        )
    pieces = sum(len(one.content_parts) + len(one.tool_calls) for one in wire)
    if pieces > MOST_PIECES:
        raise RequestError(
            f"messages have {pieces} parts and tool calls; at most {MOST_PIECES} are taken",
            field="messages",
        )
    return tuple(_read_message(one, index) for index, one in enumerate(wire))


def _read_message(wire: chat_pb2.ChatMessage, index: int) -> Message:
    role = wire.role
    if not role:
        raise RequestError(
            f"messages[{index}].role is empty; say who speaks: system, user, assistant, tool",
            field=f"messages[{index}].role",
        )
    content: str | tuple[ContentPart, ...] | None = None
    if wire.HasField("content"):
        content = wire.content
    if parts := wire.content_parts:
        if content is not None:
            raise RequestError(
                f"messages[{index}] has content and content_parts; one of them is enough",
                field=f"messages[{index}].content_parts",
            )
        path = f"messages[{index}].content_parts"
        content = tuple(_read_part(one, f"{path}[{at}]") for at, one in enumerate(parts))
    if content is None and role not in _MAY_BE_SILENT:
        raise RequestError(
            f"messages[{index}] has no content; only an assistant's may have none",
            field=f"messages[{index}].content",
        )
    calls = wire.tool_calls
    return Message(
        role,
        content,
        wire.name or UNSET,
        tuple(
            _read_call(one, f"messages[{index}].tool_calls[{at}]") for at, one in enumerate(calls)
        )
        if calls
        else UNSET,
        wire.tool_call_id or UNSET,
        wire.refusal if wire.HasField("refusal") else UNSET,
        wire.reasoning_content or UNSET,
        _read_extra(wire.extra_json, f"messages[{index}].extra_json", _MESSAGE_FIELDS),
    )


def _read_extra(text: str, field: str, taken: frozenset[str]) -> Extra | UnsetType:
    return read_members(text, field, taken) if text else UNSET


def _read_part(wire: chat_pb2.ContentPart, path: str) -> ContentPart:
    kind = wire.WhichOneof("part")
    extra = _read_extra(wire.extra_json, f"{path}.extra_json", _PART_FIELDS)
    if kind is None and extra is UNSET:
        raise RequestError(f"{path} is empty; set text, image_url or another part", field=path)
    return ContentPart(
        wire.type or kind or "text",
        text=wire.text if kind == "text" else UNSET,
        image_url=ImageUrl(wire.image_url.url, wire.image_url.detail or UNSET)
        if kind == "image_url"
        else UNSET,
        input_audio=InputAudio(wire.input_audio.data, wire.input_audio.format)
        if kind == "input_audio"
        else UNSET,
        file=InputFile(
            wire.file.file_data or UNSET, wire.file.file_id or UNSET, wire.file.filename or UNSET
        )
        if kind == "file"
        else UNSET,
        refusal=wire.refusal if kind == "refusal" else UNSET,
        extra=extra,
    )


def _read_call(wire: chat_pb2.ToolCall, path: str) -> ToolCall:
    return ToolCall(
        wire.id or UNSET,
        wire.type or "function",
        FunctionCall(wire.function.name, wire.function.arguments)
        if wire.HasField("function")
        else UNSET,
        UNSET,  # an index is for streams only
        _read_extra(wire.extra_json, f"{path}.extra_json", _CALL_FIELDS),
    )


def read_tools(wire: Sequence[chat_pb2.Tool]) -> tuple[Tool, ...]:
    """Return the tools. Raises RequestError for a function without a name, or a bad schema."""
    if len(wire) > MOST_TOOLS:
        raise RequestError(
            f"tools has {len(wire)} entries; at most {MOST_TOOLS} are taken", field="tools"
        )
    return tuple(_read_tool(one, f"tools[{index}]") for index, one in enumerate(wire))


def _read_tool(wire: chat_pb2.Tool, path: str) -> Tool:
    extra = _read_extra(wire.extra_json, f"{path}.extra_json", _TOOL_FIELDS)
    if not wire.HasField("function"):
        if extra is UNSET:
            raise RequestError(f"{path} has no function", field=f"{path}.function")
        return Tool(wire.type or "function", extra=extra)
    function = wire.function
    if not function.name:
        raise RequestError(f"{path}.function has no name", field=f"{path}.function.name")
    parameters: Raw | UnsetType = UNSET
    if function.HasField("parameters"):
        parameters = struct_to_json(function.parameters, f"{path}.function.parameters")
    elif function.HasField("parameters_json"):
        parameters = read_object(function.parameters_json, f"{path}.function.parameters_json")
    return Tool(
        wire.type or "function",
        FunctionDefinition(
            function.name,
            function.description or UNSET,
            parameters,
            function.strict if function.HasField("strict") else UNSET,
        ),
        extra,
    )


def read_tool_choice(wire: chat_pb2.ToolChoice) -> str | NamedTool:
    """Return the mode or the named function. Raises RequestError for an unknown mode."""
    if wire.WhichOneof("choice") == "function":
        return NamedTool(FunctionName(wire.function))
    if wire.mode not in _TOOL_MODES:
        raise RequestError(
            f"tool_choice.mode is {wire.mode!r}; it is none, auto or required, "
            "and tool_choice.function names a function",
            field="tool_choice.mode",
        )
    return wire.mode


def read_format(wire: chat_pb2.ResponseFormat) -> ResponseFormat:
    """Return the answer's shape. Raises RequestError for a bad schema."""
    if not wire.type:
        raise RequestError(
            "response_format.type is empty; it is text, json_object or json_schema",
            field="response_format.type",
        )
    if not wire.HasField("json_schema"):
        return ResponseFormat(wire.type)
    schema = wire.json_schema
    text: Raw | UnsetType = UNSET
    if schema.HasField("schema"):
        text = struct_to_json(schema.schema, "response_format.json_schema.schema")
    elif schema.HasField("schema_json"):
        text = read_object(schema.schema_json, "response_format.json_schema.schema_json")
    return ResponseFormat(
        wire.type,
        JsonSchema(
            schema.name,
            schema.description or UNSET,
            text,
            schema.strict if schema.HasField("strict") else UNSET,
        ),
    )
