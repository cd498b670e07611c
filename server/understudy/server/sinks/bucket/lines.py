"""Writes one upstream call as a line of JSON, under the names that LiteLLM's logs have.

What LiteLLM has a name for goes by it (its StandardLoggingPayload), with two differences: what is
unknown is null and not zero, and a text that may not be kept is null. What it has no name for
follows under ours. Pure; where lines go is `spool`.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Final

import msgspec
from msgspec import Raw, Struct

from understudy.server.config.sink_settings import Capture
from understudy.server.domain.chat import ChatCall
from understudy.server.domain.completion import Choice
from understudy.server.domain.costs import NANO
from understudy.server.domain.records import Record, Role
from understudy.server.domain.request import TraceContext
from understudy.server.domain.tellings import Generation
from understudy.server.sinks.bucket.payload import ErrorInformation, Line, Metadata, Response

_MICRO: Final = 1e6
_NO_WORDS: Final = {
    "messages": Raw(b"null"),
    "response": Raw(b"null"),
    "model_parameters": Raw(b"{}"),
}


class Place(Struct, frozen=True):
    """What of a line says where it belongs."""

    id: str
    started_us: int


_ENCODER: Final = msgspec.json.Encoder()
_PLACES: Final = msgspec.json.Decoder(Place)
_MEMBERS: Final = msgspec.json.Decoder(dict[str, Raw])
_SPACES: Final = bytes.maketrans(b"\r\n", b"  ")


def write_lines(generations: Iterable[Generation], capture: Capture) -> list[bytes]:
    """Return one line for each call, each with its end of line.

    Under `metadata` no line has a text, whatever is handed in.
    """
    return [_encode(_make_line(one, capture)) for one in generations]


def read_place(line: bytes) -> Place:
    """Return the id of a line and when its call began. Raises ValueError for what is no line."""
    return _PLACES.decode(line)


def strip_words(line: bytes) -> bytes:
    """Return a line without texts. Raises ValueError for what is no line."""
    return _ENCODER.encode(_MEMBERS.decode(line) | _NO_WORDS) + b"\n"


def _encode(line: Line) -> bytes:
    try:
        data = _ENCODER.encode(line)
    except UnicodeEncodeError:  # half of a character, which no UTF-8 can hold
        members = msgspec.to_builtins(line, builtin_types=(Raw,), str_keys=True)
        text = json.dumps(members, ensure_ascii=False, default=_read_raw)
        data = text.encode(errors="replace")
    # A caller's own JSON is passed on byte for byte, with the line breaks that it has.
    return data.translate(_SPACES) + b"\n" if b"\n" in data or b"\r" in data else data + b"\n"


def _read_raw(value: object) -> object:
    if not isinstance(value, Raw):
        raise TypeError(f"no JSON: {type(value).__name__}")
    return json.loads(bytes(value).decode(errors="replace"))


def _make_line(telling: Generation, capture: Capture) -> Line:
    record, asked = telling.record, telling.asked
    with_words = capture != "metadata"
    usage = record.usage
    is_silent = record.role is Role.SILENT
    began = record.started / _MICRO
    ended = (record.started + record.latency) / _MICRO
    first = ended if record.first_token is None else (record.started + record.first_token) / _MICRO
    return Line(
        id=record.id,
        trace_id=record.pair_id,
        status="failure" if record.reason else "success",
        stream=record.streamed,
        custom_llm_provider=record.provider,
        model=record.model,
        model_id=record.deployment,
        model_group=record.group,
        response_cost=None if record.cost is None else record.cost / NANO,
        prompt_tokens=usage.prompt_tokens if usage else None,
        completion_tokens=usage.completion_tokens if usage else None,
        total_tokens=usage.total_tokens if usage else None,
        start_time=began,
        end_time=ended,
        completion_start_time=first,
        response_time=(first if record.streamed else ended) - began,
        metadata=Metadata(
            user_api_key_alias=record.caller,
            requester_metadata=record.metadata,
            usage_object=usage,
            is_silent_experiment=is_silent,
        ),
        end_user=asked.user,
        messages=telling.messages if with_words else None,
        response=_response(record, telling.choices) if with_words else None,
        error_str=(telling.message or record.reason) if record.reason else None,
        error_information=_error(record, telling.message),
        # Of a prompt that may not be kept, nor may the words beside it.
        model_parameters=_parameters(asked.chat, with_words and telling.messages is not None),
        pair_id=record.pair_id,
        role=record.role,
        is_silent_experiment=is_silent,
        silent_model=record.group if is_silent else None,
        request_id=record.request_id,
        caller=record.caller,
        traceparent=_traceparent(asked.trace),
        experiment=record.experiment,
        variant=record.variant,
        assignment=record.assignment,
        epoch=record.epoch,
        key_hash=record.key_hash,
        deployment=record.deployment,
        served_model=record.served_model,
        attempt=record.attempt,
        reason=record.reason,
        upstream_status=record.upstream_status,
        finish_reason=record.finish_reason,
        started_us=record.started,
        latency_us=record.latency,
        first_token_us=record.first_token,
        cost_nano_usd=record.cost,
        cost_status=record.cost_status,
        cost_reason=record.cost_reason,
        price_version=record.price_version,
        request_bytes=record.request_bytes,
        response_bytes=record.response_bytes,
        effective_fraction=record.effective_fraction,
        config_revision=record.revision,
        overridden=record.overridden,
        warnings=tuple(one.reason for one in record.warnings),
    )


def _response(record: Record, choices: tuple[Choice, ...] | None) -> Response | None:
    if choices is None:
        return None
    return Response(
        id=record.id,
        created=record.started // 1_000_000,
        model=record.served_model or record.model,
        choices=choices,
        usage=record.usage,
    )


def _error(record: Record, message: str) -> ErrorInformation | None:
    if not record.reason:
        return None
    return ErrorInformation(
        error_code=str(record.upstream_status or ""),
        error_class=record.reason,
        llm_provider=record.provider,
        error_message=message,
    )


def _parameters(chat: ChatCall | None, with_words: bool) -> Mapping[str, object]:
    """Return what the model was asked for, without the prompt; without words, figures only."""
    if chat is None:
        return {}
    if not with_words:
        # Stop words, tools and schemas quote the prompt's subject; numbers and switches do not.
        return {k: v for k, v in chat.params.items() if isinstance(v, bool | int | float)}
    found: dict[str, object] = {**chat.params, **chat.extra}
    if chat.tools:
        found["tools"] = chat.tools
    if chat.tool_choice is not msgspec.UNSET:
        found["tool_choice"] = chat.tool_choice
    if chat.response_format is not msgspec.UNSET:
        found["response_format"] = chat.response_format
    return found


def _traceparent(trace: TraceContext | None) -> str | None:
    if trace is None:
        return None
    return f"00-{trace.trace_id}-{trace.span_id}-{'01' if trace.sampled else '00'}"
