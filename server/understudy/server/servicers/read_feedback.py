"""Reads feedback from a request: what cannot be kept as it was said is refused by name."""

import math
import re
from typing import Final

from understudy.server.domain.feedback import Feedback
from understudy.server.errors import RequestError
from understudy.v1.record_pb2 import CreateFeedbackRequest

LONGEST_TEXT: Final = 10_000  # characters

_PAIR_ID: Final = re.compile(r"(?:pairs/)?([0-9A-Za-z_-]{1,128})")
_METRIC: Final = re.compile(r"[0-9A-Za-z_.:/-]{1,64}")
_FEEDBACK_ID: Final = re.compile(r"[0-9A-Za-z_.:=+@~-]{1,128}")
_LONGEST_MODEL: Final = 512


def read_feedback(request: CreateFeedbackRequest, actor: str) -> Feedback:
    """Return the feedback that somebody gives. Raises RequestError, its `field` the faulty one."""
    pair = _PAIR_ID.fullmatch(request.pair_id)
    if pair is None:
        raise RequestError(
            "pair_id is the answer's routing.pair_id" + _tell(request.pair_id), field="pair_id"
        )
    if not _METRIC.fullmatch(request.metric):
        raise RequestError(
            "metric is 1 to 64 letters, digits and _ . : / -, such as helpful"
            + _tell(request.metric),
            field="metric",
        )
    if request.feedback_id and not _FEEDBACK_ID.fullmatch(request.feedback_id):
        raise RequestError(
            "feedback_id is 1 to 128 letters, digits and _ . : = + @ ~ -"
            + _tell(request.feedback_id),
            field="feedback_id",
        )
    if "\0" in request.silent_model or len(request.silent_model) > _LONGEST_MODEL:
        raise RequestError("silent_model is the name of a model group", field="silent_model")
    return Feedback(
        request.feedback_id,
        pair[1],
        request.metric,
        _read_value(request),
        request.silent_model,
        actor,
    )


def _read_value(request: CreateFeedbackRequest) -> float | bool | str:
    match request.WhichOneof("value"):
        case "number":
            if not math.isfinite(request.number):
                raise RequestError("number is finite", field="number")
            return request.number + 0.0  # -0.0 is 0.0 when it comes back
        case "boolean":
            return request.boolean
        case "text":
            if not 0 < len(request.text) <= LONGEST_TEXT:
                raise RequestError(
                    f"text is 1 to {LONGEST_TEXT:,} characters, not {len(request.text):,}",
                    field="text",
                )
            # PostgreSQL has no place for a NUL.
            return request.text.replace("\0", "\N{REPLACEMENT CHARACTER}")
        case None:
            raise RequestError("a number, a boolean or a text is needed", field="value")


def _tell(given: str) -> str:
    return f"; {given[:64]!r} is none" if given else ", and is missing"
