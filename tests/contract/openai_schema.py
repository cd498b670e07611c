"""What OpenAI's interface takes, field by field, and what others who speak it refuse of that.

Written from the providers' own documentation and not from our tables, so that each can catch the
other's mistakes.
"""

import json
from typing import Literal, TypeAlias, TypeVar

import msgspec
from msgspec import UNSET, Struct, UnsetType

T = TypeVar("T")
Opt: TypeAlias = T | UnsetType
Json = dict[str, object]


class Image(Struct, forbid_unknown_fields=True):
    url: str
    detail: Opt[Literal["auto", "low", "high"]] = UNSET


class Audio(Struct, forbid_unknown_fields=True):
    data: str
    format: Literal["wav", "mp3"]


class File(Struct, forbid_unknown_fields=True):
    file_data: Opt[str] = UNSET
    file_id: Opt[str] = UNSET
    filename: Opt[str] = UNSET


class TextPart(Struct, tag_field="type", tag="text", forbid_unknown_fields=True):
    text: str


class ImagePart(Struct, tag_field="type", tag="image_url", forbid_unknown_fields=True):
    image_url: Image


class AudioPart(Struct, tag_field="type", tag="input_audio", forbid_unknown_fields=True):
    input_audio: Audio


class FilePart(Struct, tag_field="type", tag="file", forbid_unknown_fields=True):
    file: File


class ThinkingPart(Struct, tag_field="type", tag="thinking", forbid_unknown_fields=True):
    thinking: list[TextPart]


class Function(Struct, forbid_unknown_fields=True):
    name: str
    arguments: str


class Call(Struct, forbid_unknown_fields=True):
    id: str
    type: Literal["function"]
    function: Function


class System(Struct, tag_field="role", tag="system", forbid_unknown_fields=True):
    content: str | list[TextPart]
    name: Opt[str] = UNSET


class User(Struct, tag_field="role", tag="user", forbid_unknown_fields=True):
    content: str | list[TextPart | ImagePart | AudioPart | FilePart]
    name: Opt[str] = UNSET


class Assistant(Struct, tag_field="role", tag="assistant", forbid_unknown_fields=True):
    content: Opt[str | list[TextPart | ThinkingPart] | None] = UNSET
    name: Opt[str] = UNSET
    refusal: Opt[str | None] = UNSET
    tool_calls: Opt[list[Call]] = UNSET
    reasoning_content: Opt[str] = UNSET
    reasoning: Opt[str] = UNSET


class Tool(Struct, tag_field="role", tag="tool", forbid_unknown_fields=True):
    content: str | list[TextPart]
    tool_call_id: str


class Definition(Struct, forbid_unknown_fields=True):
    name: str
    description: Opt[str] = UNSET
    parameters: Opt[Json] = UNSET
    strict: Opt[bool | None] = UNSET


class Offered(Struct, forbid_unknown_fields=True):
    type: Literal["function"]
    function: Definition


class Name(Struct, forbid_unknown_fields=True):
    name: str


class Chosen(Struct, forbid_unknown_fields=True):
    type: Literal["function"]
    function: Name


class Schema(Struct, forbid_unknown_fields=True):
    name: str
    description: Opt[str] = UNSET
    schema: Opt[Json] = UNSET
    strict: Opt[bool | None] = UNSET


class Format(Struct, forbid_unknown_fields=True):
    type: Literal["text", "json_object", "json_schema"]
    json_schema: Opt[Schema] = UNSET


class StreamOptions(Struct, forbid_unknown_fields=True):
    include_usage: bool


class Include(Struct, forbid_unknown_fields=True):
    include: bool


class Body(Struct, forbid_unknown_fields=True):
    """A chat request, as OpenAI documents it; the last fields are others' own."""

    model: str
    messages: list[System | User | Assistant | Tool]
    stream: Opt[bool] = UNSET
    stream_options: Opt[StreamOptions] = UNSET
    temperature: Opt[float] = UNSET
    top_p: Opt[float] = UNSET
    n: Opt[int] = UNSET
    stop: Opt[str | list[str]] = UNSET
    max_tokens: Opt[int] = UNSET
    max_completion_tokens: Opt[int] = UNSET
    presence_penalty: Opt[float] = UNSET
    frequency_penalty: Opt[float] = UNSET
    logit_bias: Opt[dict[str, int]] = UNSET
    logprobs: Opt[bool] = UNSET
    top_logprobs: Opt[int] = UNSET
    seed: Opt[int] = UNSET
    user: Opt[str] = UNSET
    tools: Opt[list[Offered]] = UNSET
    tool_choice: Opt[Literal["none", "auto", "required"] | Chosen] = UNSET
    parallel_tool_calls: Opt[bool] = UNSET
    response_format: Opt[Format] = UNSET
    reasoning_effort: Opt[str] = UNSET
    verbosity: Opt[str] = UNSET
    service_tier: Opt[str] = UNSET
    store: Opt[bool] = UNSET
    random_seed: Opt[int] = UNSET  # Mistral
    usage: Opt[Include] = UNSET  # OpenRouter


_BODIES = msgspec.json.Decoder(Body)
# Whose they are: for everybody else they are unknown.
_OWNED = {"random_seed": {"mistral"}, "usage": {"openrouter"}}
_ODDS = {"logprobs", "top_logprobs", "logit_bias"}
_REFUSED: dict[str, set[str]] = {
    "cerebras": {"frequency_penalty", "logit_bias", "presence_penalty", "service_tier"},
    "gemini": {"frequency_penalty", "presence_penalty", "seed"},
    "groq": _ODDS,
    "mistral": {
        *_ODDS, "max_completion_tokens", "seed", "service_tier", "store", "stream_options", "user",
        "verbosity",
    },
}  # fmt: skip
_REFUSED_IN_MESSAGES: dict[str, set[str]] = {
    "cerebras": {"reasoning_content"},
    "groq": {"name", "reasoning_content"},
    "mistral": {"name", "reasoning", "reasoning_content"},
}


def read_body(provider: str, data: bytes) -> tuple[Body | None, str]:
    """Return the request, or None and why the provider refuses it."""
    try:
        body = _BODIES.decode(data)
    except msgspec.DecodeError as error:
        return None, str(error)
    said: Json = json.loads(data)
    strange = {name for name, owners in _OWNED.items() if provider not in owners}
    if refused := (strange | _REFUSED.get(provider, set())) & said.keys():
        return None, f"property {min(refused)!r} is unsupported"
    for message in body.messages:
        names = {name for name in message.__struct_fields__ if getattr(message, name) is not UNSET}
        if refused := _REFUSED_IN_MESSAGES.get(provider, set()) & names:
            return None, f"property {min(refused)!r} of a message is unsupported"
    if provider == "groq" and body.n not in (UNSET, 1):
        return None, "n must be 1"
    if body.stream_options is not UNSET and body.stream is not True:
        return None, "stream_options is for streams"
    return body, ""
