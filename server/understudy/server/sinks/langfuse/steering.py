"""What callers say about their traces, in the labels that LiteLLM's callback reads. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

import msgspec

from understudy.server.domain.records import Record, Role
from understudy.server.domain.tellings import Asked
from understudy.server.sinks.otel.spans import Place
from understudy.server.sinks.otel.traces import (
    caller_of,
    is_span_id,
    is_trace_id,
    request_span_id,
    span_id_of,
    trace_id_of,
)

MOST_TAGS: Final = 50
LONGEST_NAME: Final = 200  # characters; Langfuse drops longer ids of sessions and users
_STEERING: Final = frozenset(
    {
        "trace_id",
        "existing_trace_id",
        "parent_observation_id",
        "session_id",
        "trace_user_id",
        "trace_name",
        "trace_version",
        "trace_release",
        "generation_name",
        "version",
        "tags",
        "mask_input",
        "mask_output",
    }
)
_TEXTS: Final = msgspec.json.Decoder(list[str])


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a caller wants of its trace. Empty: nothing."""

    session_id: str = ""
    user_id: str = ""
    trace_name: str = ""
    generation_name: str = ""
    trace_version: str = ""
    release: str = ""
    version: str = ""
    tags: tuple[str, ...] = ()
    masks_input: bool = False
    masks_output: bool = False


def read_wishes(asked: Asked) -> Wishes:
    """Read the labels of a request; its user counts where they name none."""
    given = asked.labels
    if not given:
        return Wishes(user_id=asked.user[:LONGEST_NAME])
    return Wishes(
        session_id=given.get("session_id", "")[:LONGEST_NAME],
        user_id=(given.get("trace_user_id") or asked.user)[:LONGEST_NAME],
        trace_name=given.get("trace_name", "")[:LONGEST_NAME],
        generation_name=given.get("generation_name", "")[:LONGEST_NAME],
        trace_version=given.get("trace_version", "")[:LONGEST_NAME],
        release=given.get("trace_release", "")[:LONGEST_NAME],
        version=given.get("version", "")[:LONGEST_NAME],
        tags=read_tags(given.get("tags", "")),
        masks_input=_is_true(given.get("mask_input", "")),
        masks_output=_is_true(given.get("mask_output", "")),
    )


def read_tags(text: str) -> tuple[str, ...]:
    """Read tags, a JSON list of texts or texts between commas."""
    if text.startswith("["):
        try:
            return tuple(_TEXTS.decode(text)[:MOST_TAGS])
        except (msgspec.DecodeError, UnicodeEncodeError):
            pass
    return tuple(tag for one in text.split(",")[:MOST_TAGS] if (tag := one.strip()))


def other_labels(given: Mapping[str, str]) -> dict[str, str]:
    """Return the labels that steer nothing."""
    return {key: value for key, value in given.items() if key not in _STEERING}


def find_trace_id(asked: Asked) -> str:
    """Return the trace of a request: what its labels say, else the caller's, else its own.

    What cannot be a trace id becomes one as Langfuse's own clients make one of a text.
    """
    wanted = asked.labels.get("trace_id") or asked.labels.get("existing_trace_id")
    if wanted:
        if is_trace_id(wanted):
            return wanted
        return sha256(wanted.encode(errors="replace")).hexdigest()[:32]
    caller = caller_of(asked)
    return trace_id_of(asked.pair_id) if caller is None else caller.trace_id


def mirror_trace_id(pair_id: str, silent_model: str) -> str:
    """Return the trace of a silent call, which is its own.

    Langfuse adds up what a trace costs, and a session and a user, whatever the environment.
    """
    return sha256(f"{pair_id} {silent_model}".encode(errors="replace")).hexdigest()[:32]


def place_call(record: Record, asked: Asked) -> Place:
    """Return where an upstream call is in Langfuse."""
    span_id = span_id_of(record.id)
    if record.role is Role.SILENT:
        return Place(mirror_trace_id(record.pair_id, record.group), span_id)
    return Place(find_trace_id(asked), span_id, _find_parent(asked))


def place_refusal(asked: Asked) -> Place:
    """Return where a request is that no model was asked for."""
    return Place(find_trace_id(asked), request_span_id(asked.pair_id), _find_parent(asked))


def _find_parent(asked: Asked) -> str:
    wanted = asked.labels.get("parent_observation_id", "")
    if is_span_id(wanted):
        return wanted
    caller = caller_of(asked)
    # With a trace of another name, the caller's span is not in it.
    return caller.span_id if caller and find_trace_id(asked) == caller.trace_id else ""


def _is_true(text: str) -> bool:
    return text.strip().lower() == "true"
