"""Writes a line of JSON to stdout for each upstream call: ids and figures, no text.

Its first line follows the service's own on stdout. A line is written whole, also where several
processes share the stream, as long as it is shorter than a pipe's buffer.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Final

import msgspec
from msgspec import Struct

from understudy.server.domain.records import Record, Role
from understudy.server.domain.tellings import Generation, Telling
from understudy.server.sinks.figures import SinkFigures

_STDOUT: Final = 1
_WHOLE: Final = 4096  # bytes that a pipe takes as one
_encode: Final = msgspec.json.Encoder().encode


class Line(Struct, frozen=True, omit_defaults=True):
    """One upstream call. What is unknown or does not apply is left out.

    `time` is when it began. Latencies are in milliseconds, `cost_usd` in US dollars; `reason` is
    empty, and so left out, for an answer.
    """

    time: str
    pair_id: str
    role: str
    is_silent_experiment: bool
    model_group: str
    model: str
    provider: str
    deployment: str
    attempt: int
    latency_ms: float
    time_to_first_token_ms: float | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    cost_usd: float | None = None
    reason: str = ""
    upstream_status: int = 0
    finish_reason: str = ""
    request_id: str = ""
    caller: str = ""
    experiment: str = ""
    variant: str = ""
    trace_id: str = ""


class JsonLog:
    """A sink that becomes lines. For one thread."""

    def __init__(self, write: Callable[[bytes], None] | None = None) -> None:
        self._write = write or _write
        self._written = 0

    @property
    def figures(self) -> SinkFigures:
        """How many lines were written."""
        return SinkFigures("json_log", sent=self._written)

    def tell(self, tellings: Sequence[Telling]) -> None:
        """Write a line for each upstream call."""
        lines = (_line(one) for one in tellings if isinstance(one, Generation))
        for chunk in _chunks(lines):
            self._write(chunk)
            self._written += chunk.count(b"\n")

    def close(self, timeout: float) -> None:
        """Nothing is left."""


def _line(told: Generation) -> bytes:
    record = told.record
    usage = record.usage
    trace = told.asked.trace
    return _encode(
        Line(
            time=_iso(record),
            pair_id=record.pair_id,
            role=record.role.value,
            is_silent_experiment=record.role is Role.SILENT,
            model_group=record.group,
            model=record.model,
            provider=record.provider,
            deployment=record.deployment,
            attempt=record.attempt,
            latency_ms=record.latency / 1000,
            time_to_first_token_ms=None if record.first_token is None else record.first_token / 1e3,
            prompt_tokens=usage.prompt_tokens if usage else None,
            completion_tokens=usage.completion_tokens if usage else None,
            total_tokens=usage.total_tokens if usage else None,
            cost_usd=None if record.cost is None else record.cost / 1e9,
            reason=record.reason,
            upstream_status=record.upstream_status,
            finish_reason=record.finish_reason,
            request_id=record.request_id,
            caller=record.caller,
            experiment=record.experiment,
            variant=record.variant,
            trace_id=trace.trace_id if trace else "",
        )
    )


def _iso(record: Record) -> str:
    began = datetime.fromtimestamp(record.started / 1e6, UTC)
    return began.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _chunks(lines: Iterator[bytes]) -> Iterator[bytes]:
    """Yield whole lines together, as many as are written as one."""
    chunk = b""
    for line in lines:
        if chunk and len(chunk) + len(line) >= _WHOLE:
            yield chunk
            chunk = b""
        chunk += line + b"\n"
    if chunk:
        yield chunk


def _write(data: bytes) -> None:
    while data:
        data = data[os.write(_STDOUT, data) :]
