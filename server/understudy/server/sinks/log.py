"""Writes a log line for each call that failed, and at debug level for each that was answered.

Ids, figures and reasons only: no prompt, no answer, no credential.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass

from understudy.server.errors import Reason
from understudy.server.events import (
    AttemptEnded,
    AttemptStarted,
    CallEnded,
    CallEvent,
    CallStarted,
)

_LOG = logging.getLogger("understudy.calls")

# What a caller did wrong is the caller's to see, not the operator's to be woken by.
_CALLERS_OWN = frozenset(
    {
        Reason.CANCELLED,
        Reason.INVALID_REQUEST,
        Reason.MODEL_NOT_FOUND,
        Reason.EXPERIMENT_NOT_FOUND,
        Reason.NOT_IMPLEMENTED,
        Reason.UNSUPPORTED_PARAMETER,
    }
)


@dataclass(slots=True)
class _Line:
    """What a line will be made of, if there is to be one: of most calls there is none."""

    begun: CallStarted
    attempt: AttemptStarted | None = None
    status: int = 0
    total_tokens: int | None = None


class CallLog:
    """A journal that becomes log lines. For one event loop."""

    def __init__(self) -> None:
        self._open: dict[str, _Line] = {}

    def note(self, event: CallEvent) -> None:
        """Take an event. Writing is left to the log's own thread."""
        match event:
            case CallStarted():
                self._open[event.pair_id] = _Line(event)
            case AttemptStarted():
                if (line := self._open.get(event.pair_id)) is not None:
                    line.attempt = event
            case AttemptEnded():
                self._end_attempt(event)
            case CallEnded():
                self._end_call(event)
            case _:
                pass

    def _end_attempt(self, event: AttemptEnded) -> None:
        line = self._open.get(event.pair_id)
        if line is None:
            return
        if event.status:
            line.status = event.status
        if event.completion is not None and event.completion.usage is not None:
            line.total_tokens = event.completion.usage.total_tokens

    def _end_call(self, event: CallEnded) -> None:
        line = self._open.pop(event.pair_id, None)
        if line is None:
            return
        if event.reason is None:
            level, outcome = logging.DEBUG, "answered"
        elif event.reason in _CALLERS_OWN:
            level, outcome = logging.DEBUG, f"refused: {event.reason}"
        else:
            level, outcome = logging.WARNING, f"failed: {_in_our_words(event, line)}"
        if _LOG.isEnabledFor(level):
            _LOG.log(level, "%s", outcome, extra={"fields": _fields(line, event)})


def _fields(line: _Line, event: CallEnded) -> Mapping[str, str | int | float]:
    begun, attempt = line.begun, line.attempt
    fields: dict[str, str | int | float] = {"pair_id": begun.pair_id}
    if begun.request.request_id:
        fields["request_id"] = begun.request.request_id
    if begun.request.caller:
        fields["caller"] = begun.request.caller
    fields["config_revision"] = begun.revision
    if attempt is not None:
        fields |= {
            "model_group": attempt.group,
            "deployment": attempt.deployment,
            "provider": attempt.provider,
            "model": attempt.model,
            "origin": attempt.origin,
        }
    if line.status:
        fields["upstream_status"] = line.status
    if line.total_tokens is not None:
        fields["total_tokens"] = line.total_tokens
    if event.reason is not None:
        fields["reason"] = event.reason.value
    fields["attempts"] = event.attempts
    fields["latency_ms"] = round((event.instant - begun.instant) * 1000, 1)
    return fields


def _in_our_words(event: CallEnded, line: _Line) -> str:
    """Return why a call failed, without what the provider said: that may quote the prompt.

    Its words come last, after a colon; they are the caller's to read.
    """
    why = event.message or str(event.reason)
    return why.partition(": ")[0] if line.status else why
