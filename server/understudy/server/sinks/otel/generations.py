"""What a span says of an upstream call, in the words of the GenAI conventions and in ours."""

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Final

from understudy.server.domain.completion import Usage
from understudy.server.domain.costs import NANO
from understudy.server.domain.records import Record, Role, TextState
from understudy.server.domain.tellings import Generation
from understudy.server.sinks.otel import names
from understudy.server.sinks.otel.json_texts import LONGEST
from understudy.server.sinks.otel.spans import Kind, write_span
from understudy.server.sinks.otel.traces import find_counterpart, place_generation
from understudy.server.sinks.otel.words import write_answers, write_prompt, write_tools
from understudy.server.sinks.sending.protobuf import (
    KeyValue,
    known_text,
    real,
    text,
    texts,
    truth,
    whole,
)

MOST_LABELS: Final = 64  # of a request that a span shows
_MICRO: Final = 1_000_000


def write_generation(told: Generation) -> bytes:
    """Return the span of an upstream call."""
    record = told.record
    return write_span(
        place_generation(record, told.asked),
        f"chat {record.model}",
        Kind.CLIENT,
        record.started,
        record.started + record.latency,
        _pairs(told),
        failure=told.message or record.reason if record.reason else None,
        links=find_counterpart(record, told.asked),
    )


def _pairs(told: Generation) -> Iterator[KeyValue]:
    record, chat = told.record, told.asked.chat
    provider = names.name_provider(record.provider)
    yield known_text(names.OPERATION, "chat")
    yield known_text(names.PROVIDER, provider)
    yield known_text(names.SYSTEM, provider)
    yield known_text(names.REQUEST_MODEL, record.model)
    if record.served_model:
        yield known_text(names.RESPONSE_MODEL, record.served_model)
    if chat is not None:
        yield from names.write_params(chat)
    yield truth("gen_ai.request.stream", record.streamed)
    if record.usage is not None:
        yield from _tokens(record.usage)
    if told.choices:
        yield texts(names.FINISH_REASONS, [one.finish_reason for one in told.choices])
    elif record.finish_reason:
        yield texts(names.FINISH_REASONS, [record.finish_reason])
    if record.first_token is not None:
        yield real(names.TIME_TO_FIRST_CHUNK, record.first_token / _MICRO)
    if record.reason:
        yield known_text(names.ERROR_TYPE, record.reason)
    if record.upstream_status:
        yield whole(names.HTTP_STATUS, record.upstream_status)
    yield from _own(record)
    yield from labels("understudy.metadata.", told.asked.labels)
    yield from _words(told)


def _tokens(usage: Usage) -> Iterator[KeyValue]:
    yield whole(names.INPUT_TOKENS, usage.prompt_tokens)
    yield whole(names.OUTPUT_TOKENS, usage.completion_tokens)
    if (prompt := usage.prompt_tokens_details) is not None:
        if prompt.cached_tokens:
            yield whole(names.CACHE_READ, prompt.cached_tokens)
        if prompt.cache_creation_tokens:
            yield whole(names.CACHE_CREATION, prompt.cache_creation_tokens)
    if (answer := usage.completion_tokens_details) is not None and answer.reasoning_tokens:
        yield whole(names.REASONING_TOKENS, answer.reasoning_tokens)


def _own(record: Record) -> Iterator[KeyValue]:
    yield text("understudy.pair_id", record.pair_id)
    yield text("understudy.record_id", record.id)
    yield known_text("understudy.role", record.role)
    yield truth("understudy.is_silent_experiment", record.role is Role.SILENT)
    yield known_text("understudy.group", record.group)
    yield known_text("understudy.deployment", record.deployment)
    yield whole("understudy.attempt", record.attempt)
    yield whole("understudy.revision", record.revision)
    if record.experiment:
        yield known_text("understudy.experiment", record.experiment)
    if record.variant:
        yield known_text("understudy.variant", record.variant)
    if record.request_id:
        yield text("understudy.request_id", record.request_id)
    if record.caller:
        yield known_text("understudy.caller", record.caller)
    if record.cost is not None:
        yield real("understudy.cost_usd", record.cost / NANO)
    yield known_text("understudy.cost_status", record.cost_status)
    if record.effective_fraction is not None:
        yield real("understudy.effective_fraction", record.effective_fraction)


def labels(prefix: str, given: Mapping[str, str]) -> Iterator[KeyValue]:
    """Yield a caller's labels, so many of them as anybody reads."""
    for key, value in islice(given.items(), MOST_LABELS):
        yield text(prefix + key, value)


def _words(told: Generation) -> Iterator[KeyValue]:
    state, found = told.record.text_state, list[tuple[str, str]]()
    if told.messages is not None:
        found.append((names.INPUT_MESSAGES, write_prompt(told.messages)))
        if told.asked.chat is not None and told.asked.chat.tools:
            found.append((names.TOOL_DEFINITIONS, write_tools(told.asked.chat)))
    if told.choices is not None:
        found.append((names.OUTPUT_MESSAGES, write_answers(told.choices)))
    for name, value in found:
        if len(value) > LONGEST:
            state = TextState.TOO_LONG
        else:
            yield text(name, value)
    yield known_text("understudy.text_state", state)
