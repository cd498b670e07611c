"""Which trace a request belongs to, which span is whose, and whether any is sent. Pure.

All ids follow from those of a request and its records, so that spans that are made apart, in other
threads and at other times, find each other.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from typing import Final

from understudy.server.domain.records import Record, Role
from understudy.server.domain.request import TraceContext
from understudy.server.domain.tellings import Asked
from understudy.server.sinks.otel.spans import Place

_TRACE_ID: Final = re.compile("[0-9a-f]{32}")
_SPAN_ID: Final = re.compile("[0-9a-f]{16}")
_WORD: Final = 1 << 64


def trace_id_of(pair_id: str) -> str:
    """Return the trace of a request that came without one: its pair id, if that can be an id."""
    if is_trace_id(pair_id):
        return pair_id
    return sha256(pair_id.encode(errors="replace")).hexdigest()[:32]


def is_trace_id(text: str) -> bool:
    """Tell whether a text can be a trace id as it is."""
    return _TRACE_ID.fullmatch(text) is not None and any(one != "0" for one in text)


def is_span_id(text: str) -> bool:
    """Tell whether a text can be a span id as it is."""
    return _SPAN_ID.fullmatch(text) is not None and any(one != "0" for one in text)


def span_id_of(record_id: str) -> str:
    """Return the span of an upstream call."""
    return sha256(record_id.encode(errors="replace")).hexdigest()[:16]


def request_span_id(pair_id: str) -> str:
    """Return the span of a request."""
    return span_id_of(f"{pair_id} request")


def caller_of(asked: Asked) -> TraceContext | None:
    """Return the caller's place in its trace, `None` if it has none that can be continued."""
    trace = asked.trace
    if trace is None or not is_trace_id(trace.trace_id) or not is_span_id(trace.span_id):
        return None
    return trace


def place_request(asked: Asked) -> Place:
    """Return where the span of a request is."""
    caller = caller_of(asked)
    span_id = request_span_id(asked.pair_id)
    if caller is None:
        return Place(trace_id_of(asked.pair_id), span_id)
    return Place(caller.trace_id, span_id, caller.span_id, remote=True, state=caller.state)


def place_generation(record: Record, asked: Asked) -> Place:
    """Return where the span of an upstream call is: below its request's, beside its rivals'."""
    above = place_request(asked)
    return Place(above.trace_id, span_id_of(record.id), above.span_id, state=above.state)


def find_counterpart(record: Record, asked: Asked) -> tuple[Place, ...]:
    """Return where the call is that a silent one copies: the request's first; else nothing."""
    if record.role is not Role.SILENT:
        return ()
    above = place_request(asked)
    return (Place(above.trace_id, span_id_of(f"{asked.pair_id}-1"), state=above.state),)


class Rule(StrEnum):
    """How a trace that begins here is sampled."""

    ALWAYS = "always_on"
    NEVER = "always_off"
    RATIO = "traceidratio"


@dataclass(frozen=True, slots=True)
class Sampler:
    """Which traces are sent. `heeds_parent`: what the caller has decided stands."""

    rule: Rule = Rule.ALWAYS
    ratio: float = 1.0  # in [0, 1]
    heeds_parent: bool = True

    def takes(self, asked: Asked) -> bool:
        """Tell whether a request's spans are sent; the same for all of them."""
        caller = caller_of(asked)
        if caller is not None and self.heeds_parent:
            return caller.sampled
        if self.rule is not Rule.RATIO:
            return self.rule is Rule.ALWAYS
        trace_id = trace_id_of(asked.pair_id) if caller is None else caller.trace_id
        return int(trace_id[16:], 16) < round(self.ratio * _WORD)


def read_sampler(environ: Mapping[str, str]) -> Sampler:
    """Read OTEL_TRACES_SAMPLER and its argument; what is not known counts as unset, as it says."""
    name = environ.get("OTEL_TRACES_SAMPLER", "").strip().lower()
    rule = name.removeprefix("parentbased_")
    if rule not in set(Rule):
        return Sampler()
    try:
        ratio = float(environ.get("OTEL_TRACES_SAMPLER_ARG") or 1.0)
    except ValueError:
        ratio = 1.0
    if not 0.0 <= ratio <= 1.0:
        ratio = 1.0
    return Sampler(Rule(rule), ratio, heeds_parent=name.startswith("parentbased_"))
