"""What Langfuse is told of an upstream call, in its own attributes."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Final

from understudy.server.domain.completion import Choice, Usage
from understudy.server.domain.costs import NANO
from understudy.server.domain.records import Record, Role
from understudy.server.domain.tellings import Answered, Asked, Generation
from understudy.server.errors import Reason
from understudy.server.sinks.langfuse.checking import mirror_environment
from understudy.server.sinks.langfuse.steering import (
    Wishes,
    find_trace_id,
    other_labels,
    place_call,
    place_refusal,
    read_wishes,
)
from understudy.server.sinks.otel.generations import MOST_LABELS
from understudy.server.sinks.otel.json_texts import LONGEST, write_json
from understudy.server.sinks.otel.names import plain_params
from understudy.server.sinks.otel.spans import Kind, Place, write_span
from understudy.server.sinks.sending.protobuf import KeyValue, known_text, text, texts, truth, whole

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_USUAL_NAME: Final = "understudy.completion"
_ABOUT_CALL: Final = "langfuse.observation.metadata."
_ABOUT_TRACE: Final = "langfuse.trace.metadata."
_TOO_LONG: Final = '"[left out: too long]"'


def write_generation(told: Generation, environment: str) -> bytes:
    """Return the span of an upstream call; a silent one is in an environment of its own."""
    record, wishes = told.record, read_wishes(told.asked)
    place = place_call(record, told.asked)
    return write_span(
        place,
        wishes.generation_name or f"chat {record.model}",
        Kind.CLIENT,
        record.started,
        record.started + record.latency,
        _pairs(told, place, wishes, environment),
        failure=told.message or record.reason if record.reason else None,
    )


def write_refusal(told: Answered, environment: str) -> bytes:
    """Return the span of a request that no model was asked for."""
    wishes, place = read_wishes(told.asked), place_refusal(told.asked)
    pairs = [
        known_text("langfuse.observation.type", "span"),
        known_text("langfuse.environment", environment),
        text(f"{_ABOUT_CALL}pair_id", told.asked.pair_id),
        truth(f"{_ABOUT_CALL}is_silent_experiment", False),
        known_text(f"{_ABOUT_CALL}role", Role.PRIMARY),
        *([known_text(f"{_ABOUT_CALL}group", told.group)] if told.group else []),
        *_failure(told.reason, told.reason),
        *_trace(told.asked, place, wishes, silent=False),
        *_labels(told.asked),
    ]
    return write_span(
        place, _USUAL_NAME, Kind.SERVER, told.started, told.ended, pairs, failure=told.reason
    )


def _pairs(told: Generation, place: Place, wishes: Wishes, environment: str) -> Iterator[KeyValue]:
    record, silent = told.record, told.record.role is Role.SILENT
    yield known_text("langfuse.observation.type", "generation")
    yield known_text(
        "langfuse.environment", mirror_environment(environment) if silent else environment
    )
    yield known_text("langfuse.observation.model.name", record.served_model or record.model)
    if told.asked.chat is not None and (params := plain_params(told.asked.chat.params)):
        yield text("langfuse.observation.model.parameters", write_json(params))
    if record.usage is not None:
        yield text("langfuse.observation.usage_details", write_json(count_usage(record.usage)))
    if record.cost is not None:
        cost = {"total": record.cost / NANO}
        yield text("langfuse.observation.cost_details", write_json(cost))
    if record.first_token is not None:
        began = _EPOCH + timedelta(microseconds=record.started + record.first_token)
        # JSON within the text: Langfuse parses it as such.
        yield text("langfuse.observation.completion_start_time", write_json(began.isoformat()))
    yield from _failure(record.reason, told.message)
    yield from _trace(told.asked, place, wishes, silent=silent)
    yield from _words(told, wishes)
    yield from _own(record)
    yield from _labels(told.asked)
    if silent:
        yield text(f"{_ABOUT_CALL}primary_trace_id", find_trace_id(told.asked))


def count_usage(usage: Usage) -> dict[str, int]:
    """Return tokens by kind, no token under two kinds: Langfuse adds them up."""
    found = {"input": usage.prompt_tokens, "output": usage.completion_tokens}
    prompt, answer = usage.prompt_tokens_details, usage.completion_tokens_details
    parts: list[tuple[str, str, int]] = []
    if prompt is not None:
        parts.append(("input", "input_cached_tokens", prompt.cached_tokens))
        parts.append(("input", "input_cache_creation", prompt.cache_creation_tokens))
        parts.append(("input", "input_audio_tokens", prompt.audio_tokens))
    if answer is not None:
        parts.append(("output", "output_reasoning_tokens", answer.reasoning_tokens))
        parts.append(("output", "output_audio_tokens", answer.audio_tokens))
    for whole_of, kind, tokens in parts:
        taken = min(tokens, found[whole_of])
        if taken > 0:
            found[kind] = taken
            found[whole_of] -= taken
    return found | {"total": usage.total_tokens}


def _failure(reason: str, message: str) -> Iterator[KeyValue]:
    if reason:
        level = "WARNING" if reason == Reason.CANCELLED else "ERROR"
        yield known_text("langfuse.observation.level", level)
        yield text("langfuse.observation.status_message", message or reason)


def _trace(asked: Asked, place: Place, wishes: Wishes, *, silent: bool) -> Iterator[KeyValue]:
    """Yield what is said of the trace; of a copy's, nothing that adds it to its user's costs."""
    if wishes.trace_name or not place.parent:
        yield text("langfuse.trace.name", wishes.trace_name or _USUAL_NAME)
    if not place.parent:
        yield text(f"{_ABOUT_TRACE}pair_id", asked.pair_id)
        yield truth(f"{_ABOUT_TRACE}is_silent_experiment", silent)
    for key, value in (("session", wishes.session_id), ("user", wishes.user_id)):
        if value:
            yield text(f"{_ABOUT_CALL}{key}_id" if silent else f"{key}.id", value)
    if wishes.tags:
        yield texts("langfuse.trace.tags", wishes.tags)
    if wishes.release:
        yield text("langfuse.release", wishes.release)
    if found := wishes.version or wishes.trace_version:
        yield text("langfuse.version", found)


def _words(told: Generation, wishes: Wishes) -> Iterator[KeyValue]:
    """Yield prompt and answer; a caller may have said that they are not to be shown."""
    if told.messages is not None and not wishes.masks_input:
        prompt: dict[str, object] = {"messages": told.messages}
        if told.asked.chat is not None and told.asked.chat.tools:
            prompt["tools"] = told.asked.chat.tools
        yield _word("langfuse.observation.input", write_json(prompt))
    if told.choices is not None and not wishes.masks_output:
        yield _word("langfuse.observation.output", write_json(_answer(told.choices)))


def _answer(choices: tuple[Choice, ...]) -> object:
    messages = [one.message for one in choices]
    return messages[0] if len(messages) == 1 else messages


def _word(key: str, value: str) -> KeyValue:
    return text(key, value if len(value) <= LONGEST else _TOO_LONG)


def _own(record: Record) -> Iterator[KeyValue]:
    names = (
        ("role", record.role),
        ("provider", record.provider),
        ("model", record.model),
        ("group", record.group),
        ("deployment", record.deployment),
        ("experiment", record.experiment),
        ("variant", record.variant),
        ("caller", record.caller),
        ("finish_reason", record.finish_reason),
        ("reason", record.reason),
        ("cost_status", record.cost_status),
        ("text_state", record.text_state),
    )
    for name, value in names:
        if value:
            yield known_text(_ABOUT_CALL + name, value)
    yield truth(f"{_ABOUT_CALL}is_silent_experiment", record.role is Role.SILENT)
    yield text(f"{_ABOUT_CALL}pair_id", record.pair_id)
    yield text(f"{_ABOUT_CALL}record_id", record.id)
    yield whole(f"{_ABOUT_CALL}attempt", record.attempt)
    if record.request_id:
        yield text(f"{_ABOUT_CALL}request_id", record.request_id)


def _labels(asked: Asked) -> Iterator[KeyValue]:
    for key, value in islice(other_labels(asked.labels).items(), MOST_LABELS):
        yield text(f"{_ABOUT_CALL}label.{key}", value)
