"""Upstream calls as sinks are told of them, for the tests of the bucket."""

import secrets

from msgspec import Raw
from msgspec.structs import replace

from understudy.server.domain.chat import (
    ChatCall,
    FunctionDefinition,
    JsonValue,
    Message,
    Tool,
)
from understudy.server.domain.completion import Choice, Usage
from understudy.server.domain.costs import CostStatus
from understudy.server.domain.records import Record, Role, TextState
from understudy.server.domain.request import TraceContext
from understudy.server.domain.tellings import Asked, Generation

STARTED = 1_790_000_000_123_456  # 2026-09-21 14:13:20.123456 UTC

_RECORD = Record(
    id="",
    pair_id="",
    role=Role.PRIMARY,
    request_id="ticket-7",
    caller="billing",
    metadata={"team": "blue"},
    experiment="exp-1",
    variant="b",
    group="gpt-3.5-turbo",
    deployment="gpt-3.5-turbo/0",
    provider="azure",
    model="chatgpt-v-2",
    served_model="gpt-3.5-turbo-0125",
    attempt=1,
    reason="",
    upstream_status=200,
    started=STARTED,
    latency=1_500_000,
    first_token=250_000,
    usage=Usage(10, 5, 15),
    cost=27_500,
    finish_reason="stop",
    request_bytes=120,
    response_bytes=480,
    streamed=True,
    effective_fraction=None,
    revision=3,
    text_state=TextState.NOT_CAPTURED,
    overridden=False,
    cost_status=CostStatus.EXACT,
)


def call(
    id: str = "",
    *,
    prompt: str = "how are you?",
    answer: str = "fine",
    role: Role = Role.PRIMARY,
    reason: str = "",
    schema: bytes = b'{"type":"object"}',
    labels: dict[str, str] | None = None,
    **params: JsonValue,
) -> Generation:
    """Return a call with words; a failed one, if there is a reason."""
    id = id or secrets.token_hex(8)
    messages = (Message("user", prompt),)
    failed = {"usage": None, "cost": None, "cost_status": CostStatus.UNKNOWN} if reason else {}
    record = replace(_RECORD, id=id, pair_id=f"pair-{id}", role=role, reason=reason, **failed)
    if labels is not None:
        record = replace(record, metadata=labels)
    tool = Tool("function", FunctionDefinition("look_up", parameters=Raw(schema)))
    return Generation(
        record=record,
        asked=Asked(
            pair_id=record.pair_id,
            user="user-9",
            trace=TraceContext("a" * 32, "b" * 16),
            chat=ChatCall(messages, {"temperature": 0.5, **params}, tools=(tool,)),
        ),
        messages=messages,
        choices=None if reason else (Choice(0, Message("assistant", answer), "stop"),),
        message="the provider answered 503" if reason else "",
    )


def calls(count: int) -> list[Generation]:
    """Return so many calls, all different."""
    return [call() for _ in range(count)]


def ids(told: list[Generation]) -> list[str]:
    """Return the ids of calls, in order."""
    return [one.record.id for one in told]
