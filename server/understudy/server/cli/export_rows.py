"""What `understudy export` writes: the columns, and rows of them from what a service tells.

The names are a promise to whoever reads such files; `docs/export.md` lists them.
"""

from collections.abc import Callable, Iterator, Mapping
from enum import Enum, auto
from types import MappingProxyType
from typing import Final, TypeVar

from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from understudy import client
from understudy.v1.completion_pb2 import Cost
from understudy.v1.record_pb2 import Feedback, Pair, Record, SilentSide

T = TypeVar("T")
Row = dict[str, object]


class Kind(Enum):
    """What a column holds. Anything but lists and labels may be unknown, which is null."""

    TEXT = auto()
    INTEGER = auto()
    REAL = auto()
    FLAG = auto()
    INSTANT = auto()  # microseconds since 1970 UTC
    LABELS = auto()  # text to text
    WARNINGS = auto()
    FEEDBACK = auto()
    WORDS = auto()  # messages or choices, as OpenAI writes them


# What there is of each upstream call, and in which only a request's calls differ.
_CALL: Final = MappingProxyType(
    {
        "model_group": Kind.TEXT,
        "deployment": Kind.TEXT,
        "provider": Kind.TEXT,
        "model": Kind.TEXT,
        "served_model": Kind.TEXT,
        "attempt": Kind.INTEGER,
        "status_code": Kind.INTEGER,
        "reason": Kind.TEXT,
        "upstream_status": Kind.INTEGER,
        "finish_reason": Kind.TEXT,
        "latency_us": Kind.INTEGER,
        "first_token_us": Kind.INTEGER,
        "prompt_tokens": Kind.INTEGER,
        "completion_tokens": Kind.INTEGER,
        "total_tokens": Kind.INTEGER,
        "cached_tokens": Kind.INTEGER,
        "reasoning_tokens": Kind.INTEGER,
        "cost_nano_usd": Kind.INTEGER,
        "cost_status": Kind.TEXT,
        "cost_reason": Kind.TEXT,
        "price_version": Kind.TEXT,
        "request_bytes": Kind.INTEGER,
        "response_bytes": Kind.INTEGER,
        "warnings": Kind.WARNINGS,
        "feedback": Kind.FEEDBACK,
        "choices": Kind.WORDS,
    }
)
# What all calls of a request have in common.
_REQUEST: Final = MappingProxyType(
    {
        "request_id": Kind.TEXT,
        "caller": Kind.TEXT,
        "metadata": Kind.LABELS,
        "experiment": Kind.TEXT,
        "variant": Kind.TEXT,
        "epoch": Kind.INTEGER,
        "assignment": Kind.TEXT,
        "key_hash": Kind.TEXT,
        "overridden": Kind.FLAG,
        "streamed": Kind.FLAG,
        "config_revision": Kind.INTEGER,
        "capture": Kind.TEXT,
        "text_absent_cause": Kind.TEXT,
        "messages": Kind.WORDS,
    }
)
_COMPARED: Final = MappingProxyType(
    {
        "equal": Kind.FLAG,
        "normalized_equal": Kind.FLAG,
        "both_json": Kind.FLAG,
        "primary_schema_valid": Kind.FLAG,
        "silent_schema_valid": Kind.FLAG,
        "same_tool_calls": Kind.FLAG,
        "primary_length": Kind.INTEGER,
        "silent_length": Kind.INTEGER,
        "similarity": Kind.REAL,
    }
)
RECORD_COLUMNS: Final[Mapping[str, Kind]] = MappingProxyType(
    {
        "start_time": Kind.INSTANT,
        "pair_id": Kind.TEXT,
        "id": Kind.TEXT,
        "role": Kind.TEXT,
        **_REQUEST,
        "effective_fraction": Kind.REAL,
        **_CALL,
    }
)


def _prefixed(prefix: str, columns: Mapping[str, T]) -> dict[str, T]:
    # `silent_model` is the name of a group already, in files as everywhere.
    names = {"model": "upstream_model"}
    return {f"{prefix}{names.get(name, name)}": value for name, value in columns.items()}


PAIR_COLUMNS: Final[Mapping[str, Kind]] = MappingProxyType(
    {
        "start_time": Kind.INSTANT,
        "pair_id": Kind.TEXT,
        "silent_model": Kind.TEXT,
        "outcome": Kind.TEXT,
        "outcome_reason": Kind.TEXT,
        "effective_fraction": Kind.REAL,
        **_COMPARED,
        "latency_difference_us": Kind.INTEGER,
        "cost_difference_nano_usd": Kind.INTEGER,
        "length_difference": Kind.INTEGER,
        **_REQUEST,
        **_prefixed("primary_", _CALL),
        **_prefixed("silent_", _CALL),
    }
)


def record_rows(record: Record) -> Iterator[Row]:
    """Yield the row of an upstream call."""
    yield {
        "start_time": _instant(record.start_time),
        "pair_id": record.pair_id,
        "id": record.name.removeprefix("records/"),
        "role": Record.Role.Name(record.role).removeprefix("ROLE_"),
        **_request(record),
        "effective_fraction": _known(record, "effective_fraction"),
        **_call(record),
    }


def pair_rows(pair: Pair) -> Iterator[Row]:
    """Yield a row for each silent model of a request, beside the primary's call that served.

    That is the last; calls before it, which failed, are in the export of records.
    """
    primary = pair.primary[-1] if pair.primary else None
    for side in pair.silents:
        silent = side.record if side.HasField("record") else None
        either = primary or silent
        compared = side.comparison if side.HasField("comparison") else None
        took = side.latency_difference if side.HasField("latency_difference") else None
        yield {
            "start_time": None if either is None else _instant(either.start_time),
            "pair_id": pair.name.removeprefix("pairs/"),
            "silent_model": side.silent_model,
            "outcome": _outcome(side),
            "outcome_reason": side.reason,
            "effective_fraction": _known(side, "effective_fraction"),
            **{name: compared and _known(compared, name) for name in _COMPARED},
            "latency_difference_us": None if took is None else _microseconds(took),
            "cost_difference_nano_usd": _known(side, "cost_difference_nano_usd"),
            "length_difference": _known(side, "length_difference"),
            **(_NOTHING_ASKED if either is None else _request(either)),
            **_prefixed("primary_", _NO_CALL if primary is None else _call(primary)),
            **_prefixed("silent_", _NO_CALL if silent is None else _call(silent)),
        }


def _request(record: Record) -> Row:
    return {
        "request_id": record.request_id,
        "caller": record.caller,
        "metadata": dict(record.metadata),
        "experiment": record.experiment,
        "variant": record.variant,
        "epoch": record.epoch,
        "assignment": record.assignment,
        "key_hash": record.key_hash,
        "overridden": record.overridden,
        "streamed": record.streamed,
        "config_revision": record.config_revision,
        "capture": Record.Capture.Name(record.capture).removeprefix("CAPTURE_"),
        "text_absent_cause": record.text_absent_cause,
        "messages": [client.to_dict(one) for one in record.messages],
    }


def _call(record: Record) -> Row:
    usage = record.usage if record.HasField("usage") else None
    return {
        "model_group": record.model_group,
        "deployment": record.deployment,
        "provider": record.provider,
        "model": record.model,
        "served_model": record.served_model,
        "attempt": record.attempt,
        "status_code": record.status_code,
        "reason": record.reason,
        "upstream_status": record.upstream_status,
        "finish_reason": record.finish_reason,
        "latency_us": _microseconds(record.latency),
        "first_token_us": (
            _microseconds(record.first_token_latency)
            if record.HasField("first_token_latency")
            else None
        ),
        "prompt_tokens": usage and usage.prompt_tokens,
        "completion_tokens": usage and usage.completion_tokens,
        "total_tokens": usage and usage.total_tokens,
        "cached_tokens": usage and usage.prompt_tokens_details.cached_tokens,
        "reasoning_tokens": usage and usage.completion_tokens_details.reasoning_tokens,
        "cost_nano_usd": _known(record.cost, "nano_usd"),
        "cost_status": Cost.Status.Name(record.cost.status).removeprefix("STATUS_"),
        "cost_reason": record.cost_reason,
        "price_version": record.price_version,
        "request_bytes": record.request_bytes,
        "response_bytes": record.response_bytes,
        "warnings": [{"reason": one.reason, "message": one.message} for one in record.warnings],
        "feedback": [_feedback(one) for one in record.feedback],
        "choices": [client.to_dict(one) for one in record.choices],
    }


def _feedback(said: Feedback) -> Row:
    return {
        "id": said.name.removeprefix("feedback/"),
        "metric": said.metric,
        "number": _known(said, "number"),
        "boolean": _known(said, "boolean"),
        "text": _known(said, "text"),
        "actor": said.actor,
        "create_time": _instant(said.create_time),
    }


def _outcome(side: SilentSide) -> str:
    if side.outcome == SilentSide.OUTCOME_UNSPECIFIED:
        return "UNDER_WAY"
    return SilentSide.Outcome.Name(side.outcome).removeprefix("OUTCOME_")


def _known(message: Message, field: str) -> object:
    """Return a field, `None` where it is unset and could be."""
    if message.DESCRIPTOR.fields_by_name[field].has_presence and not message.HasField(field):
        return None
    return getattr(message, field)


def _instant(stamp: Timestamp) -> int:
    return stamp.seconds * 1_000_000 + stamp.nanos // 1000


def _microseconds(duration: Duration) -> int:
    return duration.seconds * 1_000_000 + round(duration.nanos / 1000)


_EMPTY: Final[Mapping[Kind, Callable[[], object]]] = MappingProxyType(
    {Kind.LABELS: dict, Kind.WARNINGS: list, Kind.FEEDBACK: list, Kind.WORDS: list}
)


def _nothing(columns: Mapping[str, Kind]) -> Row:
    return {name: _EMPTY[kind]() if kind in _EMPTY else None for name, kind in columns.items()}


_NO_CALL: Final = _nothing(_CALL)
_NOTHING_ASKED: Final = _nothing(_REQUEST)
