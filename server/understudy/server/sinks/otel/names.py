"""The words of the GenAI conventions: how they call what we know of a call. Pure.

They are written out here because the conventions still move, and no package holds them any more.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from understudy.server.domain.chat import ChatCall, JsonValue
from understudy.server.sinks.sending.protobuf import KeyValue, known_text, real, whole

OPERATION: Final = "gen_ai.operation.name"
PROVIDER: Final = "gen_ai.provider.name"
SYSTEM: Final = "gen_ai.system"  # as it was called before, and many tools still do
REQUEST_MODEL: Final = "gen_ai.request.model"
RESPONSE_MODEL: Final = "gen_ai.response.model"
FINISH_REASONS: Final = "gen_ai.response.finish_reasons"
INPUT_TOKENS: Final = "gen_ai.usage.input_tokens"
OUTPUT_TOKENS: Final = "gen_ai.usage.output_tokens"
CACHE_READ: Final = "gen_ai.usage.cache_read.input_tokens"
CACHE_CREATION: Final = "gen_ai.usage.cache_creation.input_tokens"
REASONING_TOKENS: Final = "gen_ai.usage.reasoning.output_tokens"
TIME_TO_FIRST_CHUNK: Final = "gen_ai.response.time_to_first_chunk"
INPUT_MESSAGES: Final = "gen_ai.input.messages"
OUTPUT_MESSAGES: Final = "gen_ai.output.messages"
TOOL_DEFINITIONS: Final = "gen_ai.tool.definitions"
TOKEN_TYPE: Final = "gen_ai.token.type"
ERROR_TYPE: Final = "error.type"
HTTP_STATUS: Final = "http.response.status_code"

_PROVIDERS: Final = {
    "azure": "azure.ai.openai",
    "bedrock": "aws.bedrock",
    "cohere_chat": "cohere",
    "gemini": "gcp.gemini",
    "mistral": "mistral_ai",
    "codestral": "mistral_ai",
    "moonshot": "moonshot_ai",
    "ollama_chat": "ollama",
    "vertex_ai": "gcp.vertex_ai",
    "watsonx": "ibm.watsonx.ai",
    "xai": "x_ai",
}
_FRACTIONS: Final = ("temperature", "top_p", "frequency_penalty", "presence_penalty")
_NUMBERS: Final = {
    "max_tokens": "max_tokens",
    "max_completion_tokens": "max_tokens",
    "seed": "seed",
    "n": "choice.count",
}
_TERMS: Final = {
    "reasoning_effort": ("none", "minimal", "low", "medium", "high", "xhigh"),
    "service_tier": ("auto", "default", "flex", "priority", "scale"),
    "verbosity": ("low", "medium", "high"),
}


def name_provider(provider: str) -> str:
    """Return what the conventions call a provider, or our own name for it."""
    return _PROVIDERS.get(provider, provider)


def write_params(chat: ChatCall) -> Iterator[KeyValue]:
    """Yield the parameters that are numbers, and the kind of output; no words of a caller's."""
    for name in _FRACTIONS:
        value = chat.params.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool):
            yield real(f"gen_ai.request.{name}", float(value))
    for name, known in _NUMBERS.items():
        value = chat.params.get(name)
        if isinstance(value, int) and not isinstance(value, bool):
            yield whole(f"gen_ai.request.{known}", value)
    if chat.response_format:
        kind = "text" if chat.response_format.type == "text" else "json"
        yield known_text("gen_ai.output.type", kind)


def plain_params(params: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """Return those parameters that can hold no words of a caller's."""
    return {
        name: value
        for name, value in params.items()
        if isinstance(value, bool | int | float) or (name in _TERMS and value in _TERMS[name])
    }
