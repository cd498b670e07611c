"""The parameters of a call by name and type, for type checkers and editors.

How each becomes a field of the request is `requests`.
"""

from collections.abc import Iterable, Mapping
from typing import Literal, TypeAlias, TypedDict

from understudy.v1.chat_pb2 import ChatMessage, ResponseFormat, Tool, ToolChoice
from understudy.v1.completion_pb2 import CreateCompletionRequest

MessageInput: TypeAlias = ChatMessage | Mapping[str, object]
"""A message: a dict in OpenAI's shape, or the proto message."""

MirrorMode: TypeAlias = CreateCompletionRequest.MirrorMode.ValueType
SplitMode: TypeAlias = CreateCompletionRequest.SplitMode.ValueType


class CallParameters(TypedDict, total=False):
    """What every completion may be given besides its target. `None` counts as not given.

    The first rows are ours, the others OpenAI's. What has no name here belongs into `extra_body`.
    """

    timeout: float | None
    """Seconds for the whole call, repeats and pieces included; by default the client's."""
    request_id: str | None
    """Your own label for logs, up to 128 printable ASCII characters."""
    metadata: Mapping[str, str] | None
    """Labels for routing and records. Never sent to a provider."""
    mirror_mode: Literal["never"] | MirrorMode | None
    """"never" keeps this prompt from silent models and from storage."""
    extra_body: Mapping[str, object] | None
    """Provider fields without a name here, passed on as written."""

    temperature: float | None
    top_p: float | None
    n: int | None
    stop: str | Iterable[str] | None
    max_tokens: int | None
    max_completion_tokens: int | None
    presence_penalty: float | None
    frequency_penalty: float | None
    logit_bias: Mapping[str, float] | Mapping[int, float] | None
    logprobs: bool | None
    top_logprobs: int | None
    seed: int | None
    tools: Iterable[Tool | Mapping[str, object]] | None
    tool_choice: str | ToolChoice | Mapping[str, object] | None
    parallel_tool_calls: bool | None
    response_format: ResponseFormat | Mapping[str, object] | None
    reasoning_effort: str | None
    verbosity: str | None
    service_tier: str | None
    store: bool | None
    user: str | None


class Parameters(CallParameters, total=False):
    """`CallParameters`, and what else may name the target instead of `model`."""

    models: Mapping[str, float] | None
    """Relative weights by model group; the server draws."""
    experiment: str | None
    """The id of an experiment to follow."""
    split_mode: Literal["register", "override"] | SplitMode | None
    """What `models` means beside `experiment`."""
    control: str | None
    """The variant that is the control when registering."""
