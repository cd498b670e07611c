"""Turns records, pairs and feedback into dicts that JSON and data frames can take.

Every field is there under its name, so that rows have the same columns: what is unset is `None`,
instants are text in ISO 8601, durations seconds, and words of ours go without their prefix.
"""

from collections.abc import Callable
from typing import Any

from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from understudy.v1.chat_pb2 import ChatMessage, Usage
from understudy.v1.completion_pb2 import Choice, Cost
from understudy.v1.record_pb2 import Feedback, Pair, Record, SilentSide

Dict = dict[str, Any]
Inner = Callable[[ChatMessage | Choice | Usage | Cost], Dict]


def write_pair(pair: Pair, inner: Inner) -> Dict:
    """Return a pair as a dict; `inner` writes what is OpenAI's in it."""
    return {
        "name": pair.name,
        "primary": [write_record(one, inner) for one in pair.primary],
        "silents": [_side(one, inner) for one in pair.silents],
    }


def write_record(record: Record, inner: Inner) -> Dict:
    """Return a record as a dict; `inner` writes what is OpenAI's in it."""
    return {
        **_plain(record),
        "role": Record.Role.Name(record.role).removeprefix("ROLE_"),
        "capture": Record.Capture.Name(record.capture).removeprefix("CAPTURE_"),
        "metadata": dict(record.metadata),
        "usage": inner(record.usage) if record.HasField("usage") else None,
        "cost": inner(record.cost) if record.HasField("cost") else None,
        "messages": [inner(one) for one in record.messages],
        "choices": [inner(one) for one in record.choices],
        "warnings": [{"reason": one.reason, "message": one.message} for one in record.warnings],
        "feedback": [write_feedback(one) for one in record.feedback],
    }


def write_feedback(said: Feedback) -> Dict:
    """Return feedback as a dict; what was said is its `value`."""
    kind = said.WhichOneof("value")
    return {
        "name": said.name,
        "metric": said.metric,
        "value": getattr(said, kind) if kind else None,
        "silent_model": said.silent_model,
        "actor": said.actor,
        "create_time": _written(said.create_time),
    }


def _side(side: SilentSide, inner: Inner) -> Dict:
    return {
        **_plain(side),
        "outcome": SilentSide.Outcome.Name(side.outcome).removeprefix("OUTCOME_"),
        "record": write_record(side.record, inner) if side.HasField("record") else None,
        "comparison": _plain(side.comparison) if side.HasField("comparison") else None,
    }


def _plain(message: Message) -> Dict:
    """Return the fields of a message, `None` for what is unset and for what others write."""
    fields: Dict = {}
    for field in message.DESCRIPTOR.fields:
        is_unset = field.has_presence and not message.HasField(field.name)
        fields[field.name] = None if is_unset else _written(getattr(message, field.name))
    return fields


def _written(value: object) -> object:
    match value:
        case Timestamp():
            return value.ToJsonString()
        case Duration():
            return value.seconds + value.nanos / 1e9
        case str() | int() | float() | bool():
            return value
        case _:
            return None
