"""What a line holds: LiteLLM's StandardLoggingPayload as far as we have it, and ours besides.

Values only, shaped as they are written; how a call becomes one is `lines`.
"""

from collections.abc import Mapping

from msgspec import Struct, field

from understudy.server.domain.chat import Message
from understudy.server.domain.completion import Choice, Usage
from understudy.server.domain.records import Role


class Response(Struct, frozen=True, kw_only=True):
    """An answer, as OpenAI writes it."""

    id: str
    created: int
    model: str
    choices: tuple[Choice, ...]
    usage: Usage | None
    object: str = "chat.completion"


class ErrorInformation(Struct, frozen=True, kw_only=True):
    """Why a call failed: HTTP's status as text, empty without one, our reason, and our words."""

    error_code: str
    error_class: str
    llm_provider: str
    error_message: str


class Metadata(Struct, frozen=True, kw_only=True):
    """What LiteLLM files under `metadata`: who called, and the labels that came along."""

    user_api_key_alias: str
    requester_metadata: Mapping[str, str]
    usage_object: Usage | None
    is_silent_experiment: bool


class Line(Struct, frozen=True, kw_only=True):
    """One upstream call. Times in seconds since 1970; `_us` is microseconds."""

    # LiteLLM's
    id: str
    trace_id: str  # the same for all calls of one request
    status: str  # success or failure
    stream: bool
    custom_llm_provider: str
    model: str
    model_id: str
    model_group: str
    response_cost: float | None  # US dollars
    prompt_tokens: int | None
    completion_tokens: int | None
    total_tokens: int | None
    start_time: float = field(name="startTime")
    end_time: float = field(name="endTime")
    completion_start_time: float = field(name="completionStartTime")
    response_time: float  # seconds
    metadata: Metadata
    end_user: str
    messages: tuple[Message, ...] | None
    response: Response | None
    error_str: str | None
    error_information: ErrorInformation | None
    model_parameters: Mapping[str, object]
    call_type: str = "acompletion"
    # ours
    pair_id: str
    role: Role
    is_silent_experiment: bool
    silent_model: str | None
    request_id: str
    caller: str
    traceparent: str | None
    experiment: str
    variant: str
    assignment: str
    epoch: int
    key_hash: str
    deployment: str
    served_model: str
    attempt: int
    reason: str
    upstream_status: int
    finish_reason: str
    started_us: int
    latency_us: int
    first_token_us: int | None
    cost_nano_usd: int | None
    cost_status: str
    cost_reason: str
    price_version: str
    request_bytes: int
    response_bytes: int
    effective_fraction: float | None
    config_revision: int
    overridden: bool
    warnings: tuple[str, ...]
