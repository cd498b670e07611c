"""What Langfuse is told of an opinion: a score on the trace that it is about."""

from hashlib import sha256
from typing import Final

from understudy.server.domain.feedback import Feedback
from understudy.server.domain.records import Role
from understudy.server.sinks.langfuse.checking import mirror_environment
from understudy.server.sinks.langfuse.steering import mirror_trace_id
from understudy.server.sinks.otel.json_texts import write_json

LONGEST_VALUE: Final = 500  # characters of a text that is a score; the comment has all of it
LONGEST_COMMENT: Final = 5_000


def write_score(given: Feedback, trace_id: str, environment: str) -> bytes:
    """Return the body of a score. `trace_id` is that of the request.

    The same feedback has the same id, so that it is one score however often it arrives; made of
    ours rather than ours itself, so that no caller can overwrite the score of another.
    """
    silent = bool(given.silent_model)
    value, kind = _value(given.value)
    score: dict[str, object] = {
        "id": sha256(f"{given.pair_id} {given.id}".encode(errors="replace")).hexdigest()[:32],
        "traceId": mirror_trace_id(given.pair_id, given.silent_model) if silent else trace_id,
        "name": given.metric,
        "value": value,
        "dataType": kind,
        "environment": mirror_environment(environment) if silent else environment,
        "metadata": {
            "pair_id": given.pair_id,
            "is_silent_experiment": silent,
            "role": Role.SILENT if silent else Role.PRIMARY,
            "silent_model": given.silent_model,
            "actor": given.actor,
            "feedback_id": given.id,
        },
    }
    if isinstance(given.value, str) and len(given.value) > LONGEST_VALUE:
        score["comment"] = given.value[:LONGEST_COMMENT]
    return write_json(score).encode()


def _value(value: float | bool | str) -> tuple[float | str, str]:
    match value:
        case bool():
            return int(value), "BOOLEAN"
        case str():
            return value[:LONGEST_VALUE], "CATEGORICAL"
        case _:
            return value, "NUMERIC"
