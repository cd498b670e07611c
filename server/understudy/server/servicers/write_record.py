"""Writes records and pairs as messages."""

from types import MappingProxyType
from typing import Final

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from understudy.server.domain.completion import Completion, Routing
from understudy.server.domain.costs import Cost
from understudy.server.domain.feedback import Feedback
from understudy.server.domain.mirroring import Comparison
from understudy.server.domain.records import Kept, Pair, Role, SilentSide, TextState
from understudy.server.errors import Reason
from understudy.server.questions.text_absence import tell_absence
from understudy.server.servicers.statuses import STATUSES
from understudy.server.servicers.write_answer import write_completion, write_cost
from understudy.server.servicers.write_prompt import write_prompt
from understudy.v1 import record_pb2

_CAPTURES: Final = MappingProxyType(
    {
        TextState.NOT_REDACTED: record_pb2.Record.CAPTURE_REDACTED,
        TextState.KEPT: record_pb2.Record.CAPTURE_CONTENT,
        TextState.TOO_LONG: record_pb2.Record.CAPTURE_CONTENT,
        TextState.DROPPED: record_pb2.Record.CAPTURE_CONTENT,
    }
)
_UNKNOWN: Final = 2  # google.rpc.Code
_NOWHERE: Final = Routing("", "", "", "", "", "", 0, 0)


def write_record(kept: Kept, *, is_reader: bool) -> record_pb2.Record:
    """Return a record as the caller may see it."""
    record, texts = kept.record, kept.texts
    answer = write_completion(
        Completion(texts.choices or (), usage=record.usage, warnings=record.warnings), _NOWHERE
    )
    return record_pb2.Record(
        name=f"records/{record.id}",
        pair_id=record.pair_id,
        role=record_pb2.Record.Role.Value(f"ROLE_{record.role}"),
        request_id=record.request_id,
        caller=record.caller,
        metadata=record.metadata,
        experiment=record.experiment,
        variant=record.variant,
        model_group=record.group,
        deployment=record.deployment,
        provider=record.provider,
        model=record.model,
        served_model=record.served_model,
        attempt=record.attempt,
        status_code=_code(record.reason),
        reason=record.reason,
        upstream_status=record.upstream_status,
        start_time=_timestamp(record.started),
        first_token_latency=None if record.first_token is None else _duration(record.first_token),
        latency=_duration(record.latency),
        usage=answer.usage if answer.HasField("usage") else None,
        cost=write_cost(Cost(record.cost, record.cost_status)),
        finish_reason=record.finish_reason,
        request_bytes=record.request_bytes,
        response_bytes=record.response_bytes,
        streamed=record.streamed,
        is_silent_experiment=record.role is Role.SILENT,
        effective_fraction=record.effective_fraction,
        config_revision=record.revision,
        capture=_CAPTURES.get(record.text_state, record_pb2.Record.CAPTURE_METADATA),
        messages=[write_prompt(one) for one in texts.messages or ()],
        choices=answer.choices,
        text_absent_cause=tell_absence(kept, is_reader=is_reader),
        warnings=answer.warnings,
        overridden=record.overridden,
        assignment=record.assignment,
        epoch=record.epoch,
        key_hash=record.key_hash,
        cost_reason=record.cost_reason,
        price_version=record.price_version,
        feedback=[_write_feedback(one, is_reader=is_reader) for one in kept.feedback],
    )


def write_pair(pair: Pair, *, is_reader: bool) -> record_pb2.Pair:
    """Return a pair as the caller may see it."""
    return record_pb2.Pair(
        name=f"pairs/{pair.pair_id}",
        primary=[write_record(one, is_reader=is_reader) for one in pair.primary],
        silents=[_write_side(one, is_reader=is_reader) for one in pair.silents],
    )


def _write_side(side: SilentSide, *, is_reader: bool) -> record_pb2.SilentSide:
    outcome = "UNSPECIFIED" if side.outcome is None else side.outcome.value
    return record_pb2.SilentSide(
        silent_model=side.silent_model,
        outcome=record_pb2.SilentSide.Outcome.Value(f"OUTCOME_{outcome}"),
        reason=side.reason,
        record=None if side.kept is None else write_record(side.kept, is_reader=is_reader),
        comparison=None if side.comparison is None else _write_comparison(side.comparison),
        latency_difference=(
            None if side.latency_difference is None else _signed(side.latency_difference)
        ),
        cost_difference_nano_usd=side.cost_difference,
        length_difference=side.length_difference,
        effective_fraction=side.fraction,
    )


def _write_feedback(said: Feedback, *, is_reader: bool) -> record_pb2.Feedback:
    message = record_pb2.Feedback(
        name=f"feedback/{said.id}",
        metric=said.metric,
        silent_model=said.silent_model,
        actor=said.actor,
        create_time=_timestamp(said.created),
    )
    match said.value:
        case bool():
            message.boolean = said.value
        case str():
            message.text = said.value if is_reader else ""
        case _:
            message.number = said.value
    return message


def _write_comparison(comparison: Comparison) -> record_pb2.Comparison:
    return record_pb2.Comparison(
        equal=comparison.equal,
        normalized_equal=comparison.normalized_equal,
        both_json=comparison.both_json,
        primary_schema_valid=comparison.primary_schema_valid,
        silent_schema_valid=comparison.silent_schema_valid,
        same_tool_calls=comparison.same_tool_calls,
        primary_length=comparison.primary_length,
        silent_length=comparison.silent_length,
        similarity=comparison.similarity,
    )


def _code(reason: str) -> int:
    if not reason:
        return 0
    if reason not in Reason.__members__:
        return _UNKNOWN  # a reason of the mirror's own
    number: int = STATUSES[Reason(reason)].code.value[0]
    return number


def _timestamp(microseconds: int) -> Timestamp:
    seconds, rest = divmod(microseconds, 1_000_000)
    return Timestamp(seconds=seconds, nanos=rest * 1000)


def _signed(microseconds: int) -> Duration:
    duration = Duration()
    duration.FromMicroseconds(microseconds)  # both parts of one sign
    return duration


def _duration(microseconds: int) -> Duration:
    seconds, rest = divmod(max(0, microseconds), 1_000_000)
    return Duration(seconds=seconds, nanos=rest * 1000)
