"""Form fields that say what a filter says: text → fields where it can be said so, and back. Pure.

What a filter means is `questions.record_filter`'s to say; more can be written by hand than fields
can say.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from understudy.server.domain.record_queries import METADATA, AllOf, Condition, Operator, Term

LABEL_KEY: Final = "label_key"
LABEL: Final = "label"
_NUMBER: Final = re.compile(r"[0-9]+(\.[0-9]+)?", re.ASCII)
_PLAIN: Final = re.compile(r"[\w.*-]+", re.ASCII)
_WITHOUT_ZONE: Final = re.compile(r"[0-9T:. -]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Control:
    """A form field, and the term that it stands for."""

    name: str
    field: str
    operator: Operator = Operator.EQUAL


RECORD_CONTROLS: Final = (
    Control("experiment", "experiment"),
    Control("variant", "variant"),
    Control("group", "model_group"),
    Control("role", "role"),
    Control("failed", "failed"),
    Control("reason", "reason"),
    Control("caller", "caller"),
    Control("over", "latency", Operator.AT_LEAST),
    Control("since", "start_time", Operator.AT_LEAST),
    Control("until", "start_time", Operator.BELOW),
)
PAIR_CONTROLS: Final = (
    Control("silent", "silent_model"),
    Control("outcome", "outcome"),
    Control("same", "normalized_equal"),
    Control("experiment", "experiment"),
    Control("rated", "rated"),
    Control("since", "start_time", Operator.AT_LEAST),
    Control("until", "start_time", Operator.BELOW),
)


def write_filter(typed: Mapping[str, str], controls: Sequence[Control]) -> str:
    """Return the filter that says what was typed into the fields."""
    terms = [
        f"{one.field} {one.operator} {_write(one, text)}"
        for one in controls
        if (text := typed.get(one.name, "").strip())
    ]
    if key := typed.get(LABEL_KEY, "").strip():
        terms.append(f"{METADATA}{key} = {_quote(typed.get(LABEL, '').strip())}")
    return " AND ".join(terms)


def read_controls(condition: Condition, controls: Sequence[Control]) -> Mapping[str, str] | None:
    """Return what the fields hold where they say the same, `None` where they cannot."""
    terms = condition.parts if isinstance(condition, AllOf) else (condition,)
    held: dict[str, str] = {}
    for term in terms:
        if not isinstance(term, Term):
            return None
        if term.field.startswith(METADATA) and term.operator is Operator.EQUAL:
            said = {LABEL_KEY: term.field.removeprefix(METADATA), LABEL: str(term.value)}
        else:
            control = _find(term, controls)
            if control is None:
                return None
            try:
                said = {control.name: _show(term)}
            except (ValueError, OverflowError):  # an instant beyond the calendar
                return None
        if held.keys() & said.keys():
            return None
        held |= said
    return held


def _find(term: Term, controls: Sequence[Control]) -> Control | None:
    named = (one for one in controls if (one.field, one.operator) == (term.field, term.operator))
    return next(named, None)


def _write(control: Control, text: str) -> str:
    if control.field == "latency" and _NUMBER.fullmatch(text):
        return f"{text}ms"
    if control.field == "start_time" and _WITHOUT_ZONE.fullmatch(text):
        return f'"{text}Z"'
    return _quote(text)


def _quote(text: str) -> str:
    if _PLAIN.fullmatch(text) and text not in ("AND", "OR", "NOT"):
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _show(term: Term) -> str:
    if term.field == "start_time":
        instant = datetime.fromtimestamp(float(term.value) / 1e6, UTC)
        return instant.strftime("%Y-%m-%dT%H:%M:%S")
    if term.field == "latency":
        return f"{float(term.value) / 1000:g}ms"
    return str(term.value).lower() if isinstance(term.value, bool) else str(term.value)
