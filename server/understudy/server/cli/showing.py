"""Writes figures and words for a terminal: what a model said cannot move its cursor."""

from datetime import UTC, datetime

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from understudy.server.cli.spans import read_back
from understudy.v1 import chat_pb2, completion_pb2, record_pb2


def harmless(text: str) -> str:
    """Return a text whose control characters are written out, line ends and tabs apart."""
    return "".join(
        one if one.isprintable() or one in "\n\t" else one.encode("unicode_escape").decode()
        for one in text
    )


def instant(stamp: Timestamp) -> str:
    """Return an instant in this machine's time zone; the day only where it is not today."""
    local = stamp.ToDatetime(UTC).astimezone()
    is_today = local.date() == datetime.now(local.tzinfo).date()
    return local.strftime("%H:%M:%S" if is_today else "%Y-%m-%d %H:%M:%S")


def seconds(duration: Duration) -> float:
    """Return a duration in seconds."""
    return duration.ToTimedelta().total_seconds()


def span(length: float) -> str:
    """Return a length of time in seconds as people read it."""
    return f"{length * 1000:.0f} ms" if abs(length) < 1 else f"{length:.2f} s"


def cost(record: record_pb2.Record) -> str:
    """Return what a call cost, marked if that is estimated, empty if it is unknown."""
    if not record.cost.HasField("nano_usd"):
        return ""
    about = "≈" if record.cost.status == completion_pb2.Cost.STATUS_ESTIMATED else ""
    return about + money(record.cost.nano_usd)


def money(nano_usd: int) -> str:
    """Return dollars to the millionth, and further only for what is less than that."""
    return f"${nano_usd / 1e9:.9f}".removesuffix("000")


def words(message: chat_pb2.ChatMessage) -> str:
    """Return all that a message says, calls of functions included."""
    pieces = [message.content, message.refusal]
    pieces += [
        one.text or f"[{one.type or one.WhichOneof('part')}]" for one in message.content_parts
    ]
    pieces += [f"{one.function.name}({one.function.arguments})" for one in message.tool_calls]
    return harmless("\n".join(piece for piece in pieces if piece))


def answers(record: record_pb2.Record) -> str:
    """Return what a model answered; several answers are told apart."""
    if len(record.choices) == 1:
        return words(record.choices[0].message)
    return "\n".join(f"[{one.index}] {words(one.message)}" for one in record.choices)


def quoted(text: str) -> str:
    """Return a text as a filter has it."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def since_filter(text: str) -> str:
    """Return the filter for what is not older than this. Raises UsageError."""
    begin = read_back(text, "--since", datetime.now(UTC))
    return f'start_time >= "{begin.isoformat(timespec="milliseconds")}"'
