"""Reads the caller's place in its trace from a call's metadata, as W3C's Trace Context has it.

What is malformed is as if it were not there: a trace is never a reason to refuse a call.
"""

import re
from collections.abc import Iterable
from typing import Final

from understudy.server.domain.request import TraceContext

PARENT: Final = "traceparent"
STATE: Final = "tracestate"
LONGEST_STATE: Final = 512  # characters

# A later version may have more behind the flags; `ff` is none.
_PARENT: Final = re.compile(
    r"(?!ff)([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?"
)
_NOBODY: Final = frozenset({"0" * 32, "0" * 16})


def read_trace(metadata: Iterable[tuple[str, str | bytes]]) -> TraceContext | None:
    """Return where in its trace a call stands, `None` if it says nothing that can be used."""
    parent: str | None = None
    states: list[str] = []
    for key, value in metadata:
        if not isinstance(value, str):
            continue
        if key == PARENT:
            if parent is not None:
                return None  # of two, neither is to be believed
            parent = value
        elif key == STATE:
            states.append(value)
    return None if parent is None else _read(parent, ",".join(states))


def _read(parent: str, state: str) -> TraceContext | None:
    found = _PARENT.fullmatch(parent.strip())
    if found is None:
        return None
    version, trace_id, span_id, flags, more = found.groups()
    if (version == "00" and more) or trace_id in _NOBODY or span_id in _NOBODY:
        return None
    if len(state) > LONGEST_STATE or not (state.isascii() and state.isprintable()):
        state = ""
    return TraceContext(trace_id, span_id, bool(int(flags, 16) & 1), state)
