"""What a caller says to a model: messages, tools, parameters, in OpenAI's terms.

These are values only. Reading them from the wire belongs to `servicers`, writing them in a
provider's language to `providers`.

They are msgspec structs rather than dataclasses because one prompt may hold hundreds of them:
they are built ten times faster, and JSON is written from them without a copy. `UNSET` means that
the caller did not say; it never reaches a provider.
"""

from collections.abc import Mapping

from msgspec import UNSET, Raw, Struct, UnsetType

JsonScalar = str | int | float | bool | None
# Raw is JSON text of the caller's own, passed on byte for byte.
JsonValue = JsonScalar | Raw | list[str] | dict[str, float] | dict[str, object] | list[object]
Extra = Mapping[str, Raw]


class ImageUrl(Struct, frozen=True, gc=False):
    """A picture, by https or data URL."""

    url: str
    detail: str | UnsetType = UNSET


class InputAudio(Struct, frozen=True, gc=False):
    """A recording, in base64."""

    data: str
    format: str


class InputFile(Struct, frozen=True, gc=False):
    """A document, inline or by the provider's id."""

    file_data: str | UnsetType = UNSET
    file_id: str | UnsetType = UNSET
    filename: str | UnsetType = UNSET


class ContentPart(Struct, frozen=True):
    """A piece of a message's content."""

    type: str
    text: str | UnsetType = UNSET
    image_url: ImageUrl | UnsetType = UNSET
    input_audio: InputAudio | UnsetType = UNSET
    file: InputFile | UnsetType = UNSET
    refusal: str | UnsetType = UNSET
    extra: Extra | UnsetType = UNSET


class FunctionCall(Struct, frozen=True, gc=False):
    """A function and the arguments that the model wrote for it, not always valid JSON."""

    name: str | UnsetType = UNSET
    arguments: str = ""


class ToolCall(Struct, frozen=True):
    """A function that the model wants called, or in a stream a piece of that."""

    id: str | UnsetType = UNSET
    type: str | UnsetType = UNSET
    function: FunctionCall | UnsetType = UNSET
    index: int | UnsetType = UNSET
    extra: Extra | UnsetType = UNSET


class Message(Struct, frozen=True):
    """One message of a conversation, or in a stream a piece of one.

    `content` is `None` where the message says that it has none, as one with tool calls does.
    """

    role: str
    content: str | tuple[ContentPart, ...] | UnsetType | None = UNSET
    name: str | UnsetType = UNSET
    tool_calls: tuple[ToolCall, ...] | UnsetType = UNSET
    tool_call_id: str | UnsetType = UNSET
    refusal: str | UnsetType = UNSET
    reasoning_content: str | UnsetType = UNSET
    extra: Extra | UnsetType = UNSET


class FunctionDefinition(Struct, frozen=True):
    """A function that the model may call; `parameters` is JSON schema, as the caller wrote it."""

    name: str
    description: str | UnsetType = UNSET
    parameters: Raw | UnsetType = UNSET
    strict: bool | UnsetType = UNSET


class Tool(Struct, frozen=True):
    """A tool that the model may use."""

    type: str
    function: FunctionDefinition | UnsetType = UNSET
    extra: Extra | UnsetType = UNSET


class FunctionName(Struct, frozen=True):
    """A function, by name."""

    name: str


class NamedTool(Struct, frozen=True):
    """The choice of one function."""

    function: FunctionName
    type: str = "function"


class JsonSchema(Struct, frozen=True):
    """A named JSON schema; `schema` is as the caller wrote it."""

    name: str
    description: str | UnsetType = UNSET
    schema: Raw | UnsetType = UNSET
    strict: bool | UnsetType = UNSET


class ResponseFormat(Struct, frozen=True):
    """The shape that the answer must have."""

    type: str
    json_schema: JsonSchema | UnsetType = UNSET


class ChatCall(Struct, frozen=True):
    """One prompt, as every dialect gets it.

    `params` holds what the caller set of OpenAI's scalar parameters, under OpenAI's names
    (`temperature`, `stop`, `seed` …); `extra` what has no name in the contract.
    """

    messages: tuple[Message, ...]
    params: Mapping[str, JsonValue]
    tools: tuple[Tool, ...] = ()
    tool_choice: str | NamedTool | UnsetType = UNSET
    response_format: ResponseFormat | UnsetType = UNSET
    extra: Extra = {}
    stream: bool = False
