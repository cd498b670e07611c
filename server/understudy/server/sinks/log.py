"""Writes a log line for each call that failed, and at debug level for each that was answered.

Ids, figures and reasons only: no prompt, no answer, no credential.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field

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
    started: float
    fields: dict[str, str | int | float] = field(default_factory=dict[str, str | int | float])


class CallLog:
    """A journal that becomes log lines. For one event loop."""

    def __init__(self) -> None:
        self._open: dict[str, _Line] = {}

    def note(self, event: CallEvent) -> None:
        """Take an event. Writing is left to the log's own thread."""
        match event:
            case CallStarted(pair_id, instant, request, revision):
                fields: dict[str, str | int | float] = {"pair_id": pair_id}
                if request.request_id:
                    fields["request_id"] = request.request_id
                if request.caller:
                    fields["caller"] = request.caller
                fields["config_revision"] = revision
                self._open[pair_id] = _Line(instant, fields)
            case AttemptStarted():
                if (line := self._open.get(event.pair_id)) is not None:
                    line.fields |= {
                        "model_group": event.group,
                        "deployment": event.deployment,
                        "provider": event.provider,
                        "model": event.model,
                        "origin": event.origin,
                    }
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
            line.fields["upstream_status"] = event.status
        if event.completion is not None and event.completion.usage is not None:
            line.fields["total_tokens"] = event.completion.usage.total_tokens

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
        if not _LOG.isEnabledFor(level):
            return
        fields: Mapping[str, str | int | float] = {
            **line.fields,
            **({"reason": event.reason.value} if event.reason else {}),
            "attempts": event.attempts,
            "latency_ms": round((event.instant - line.started) * 1000, 1),
        }
        _LOG.log(level, "%s", outcome, extra={"fields": fields})


def _in_our_words(event: CallEnded, line: _Line) -> str:
    """Return why a call failed, without what the provider said: that may quote the prompt.

    Its words come last, after a colon; they are the caller's to read.
    """
    why = event.message or str(event.reason)
    return why.partition(": ")[0] if "upstream_status" in line.fields else why
