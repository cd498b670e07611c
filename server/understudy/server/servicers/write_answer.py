"""Writes domain answers as messages for the caller. No decision is made here."""

from collections.abc import Iterable
from typing import Final

from msgspec import UNSET, json

from understudy.server.domain.chat import Message, ToolCall
from understudy.server.domain.completion import (
    Choice,
    Completion,
    Delta,
    Logprobs,
    Routing,
    TokenLogprob,
    Usage,
    Warning,
)
from understudy.server.domain.costs import Cost, CostStatus
from understudy.v1 import chat_pb2, completion_pb2

_STATUSES: Final = {
    CostStatus.EXACT: completion_pb2.Cost.STATUS_EXACT,
    CostStatus.ESTIMATED: completion_pb2.Cost.STATUS_ESTIMATED,
    CostStatus.UNKNOWN: completion_pb2.Cost.STATUS_UNKNOWN,
}


def write_completion(
    completion: Completion, routing: Routing
) -> completion_pb2.CreateCompletionResponse:
    """Return a whole answer as the caller reads it."""
    return completion_pb2.CreateCompletionResponse(
        id=completion.id,
        model=completion.model,
        created=completion.created,
        choices=[
            completion_pb2.Choice(
                index=one.index,
                message=_write_message(one.message),
                finish_reason=one.finish_reason,
                logprobs=_write_logprobs(one.logprobs),
            )
            for one in completion.choices
        ],
        usage=_write_usage(completion.usage),
        routing=write_routing(routing),
        cost=write_cost(completion.cost),
        warnings=_write_warnings(completion.warnings),
        system_fingerprint=completion.system_fingerprint,
        service_tier=completion.service_tier,
    )


def write_delta(delta: Delta, routing: Routing | None) -> completion_pb2.StreamCompletionResponse:
    """Return a piece of an answer; the first one brings its routing."""
    return completion_pb2.StreamCompletionResponse(
        id=delta.id,
        model=delta.model,
        created=delta.created,
        choices=[_write_piece(one) for one in delta.choices],
        routing=write_routing(routing) if routing is not None else None,
        system_fingerprint=delta.system_fingerprint,
        service_tier=delta.service_tier,
    )


def write_last_piece(
    completion: Completion, routing: Routing | None
) -> completion_pb2.StreamCompletionResponse:
    """Return what a stream ends with: usage, cost and warnings, and no more words."""
    return completion_pb2.StreamCompletionResponse(
        id=completion.id,
        model=completion.model,
        created=completion.created,
        usage=_write_usage(completion.usage),
        routing=write_routing(routing) if routing is not None else None,
        cost=write_cost(completion.cost),
        warnings=_write_warnings(completion.warnings),
        system_fingerprint=completion.system_fingerprint,
        service_tier=completion.service_tier,
    )


def write_routing(routing: Routing) -> completion_pb2.Routing:
    """Return who answered."""
    return completion_pb2.Routing(
        request_id=routing.request_id,
        pair_id=routing.pair_id,
        experiment=routing.experiment,
        variant=routing.variant,
        model_group=routing.group,
        deployment=routing.deployment,
        provider=routing.provider,
        model=routing.model,
        attempts=routing.attempts,
        config_revision=routing.revision,
    )


def write_cost(cost: Cost) -> completion_pb2.Cost:
    """Return what something cost; what is unknown has no amount."""
    return completion_pb2.Cost(nano_usd=cost.nano_usd, status=_STATUSES[cost.status])


def _write_piece(choice: Choice) -> completion_pb2.ChoiceDelta:
    return completion_pb2.ChoiceDelta(
        index=choice.index,
        delta=_write_message(choice.message),
        finish_reason=choice.finish_reason,
        logprobs=_write_logprobs(choice.logprobs),
    )


def _write_message(message: Message) -> chat_pb2.ChatMessage:
    content = message.content
    wire = chat_pb2.ChatMessage(
        role=message.role, content=content if isinstance(content, str) else None
    )
    if message.tool_calls is not UNSET:
        wire.tool_calls.extend(_write_call(one) for one in message.tool_calls)
    if message.refusal is not UNSET:
        wire.refusal = message.refusal
    if message.reasoning_content is not UNSET:
        wire.reasoning_content = message.reasoning_content
    return wire


def _write_call(call: ToolCall) -> chat_pb2.ToolCall:
    wire = chat_pb2.ToolCall(
        id=call.id if call.id is not UNSET else "",
        type=call.type if call.type is not UNSET else "",
        index=call.index if call.index is not UNSET else None,
    )
    if call.function is not UNSET:
        wire.function.arguments = call.function.arguments
        if call.function.name is not UNSET:
            wire.function.name = call.function.name
    if call.extra is not UNSET:
        wire.extra_json = json.encode(call.extra).decode(errors="replace")
    return wire


def _write_logprobs(logprobs: Logprobs | None) -> chat_pb2.Logprobs | None:
    if logprobs is None:
        return None
    return chat_pb2.Logprobs(
        content=_write_tokens(logprobs.content), refusal=_write_tokens(logprobs.refusal)
    )


def _write_tokens(tokens: Iterable[TokenLogprob]) -> list[chat_pb2.TokenLogprob]:
    return [
        chat_pb2.TokenLogprob(
            token=one.token,
            logprob=one.logprob,
            bytes=one.bytes,
            top_logprobs=[
                chat_pb2.TopLogprob(token=top.token, logprob=top.logprob, bytes=top.bytes)
                for top in one.top_logprobs
            ],
        )
        for one in tokens
    ]


def _write_usage(usage: Usage | None) -> chat_pb2.Usage | None:
    if usage is None:
        return None
    wire = chat_pb2.Usage(
        prompt_tokens=usage.prompt_tokens,
        completion_tokens=usage.completion_tokens,
        total_tokens=usage.total_tokens,
    )
    if (prompt := usage.prompt_tokens_details) is not None:
        wire.prompt_tokens_details.cached_tokens = prompt.cached_tokens
        wire.prompt_tokens_details.audio_tokens = prompt.audio_tokens
        wire.prompt_tokens_details.cache_creation_tokens = prompt.cache_creation_tokens
    if (answer := usage.completion_tokens_details) is not None:
        details = wire.completion_tokens_details
        details.reasoning_tokens = answer.reasoning_tokens
        details.audio_tokens = answer.audio_tokens
        details.accepted_prediction_tokens = answer.accepted_prediction_tokens
        details.rejected_prediction_tokens = answer.rejected_prediction_tokens
    return wire


def _write_warnings(warnings: Iterable[Warning]) -> list[completion_pb2.Warning]:
    return [completion_pb2.Warning(reason=one.reason, message=one.message) for one in warnings]
