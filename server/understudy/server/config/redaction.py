"""The settings of redaction: what is replaced in texts before anybody keeps or sends them.

One list for records and sinks alike; where it applies is each one's `capture`. A pattern that
cannot be used is refused where it stands.
"""

from dataclasses import dataclass
from typing import Annotated

from pydantic import BeforeValidator

from understudy.server.capturing.redactor import Pattern, PatternError
from understudy.server.config.credentials import ReadAs
from understudy.server.config.units import Flag, UnreadableError


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise UnreadableError("must be text; put it in quotes")
    return value


def _expression(value: object) -> str:
    pattern = _text(value)
    try:
        Pattern(pattern)
    except PatternError as error:
        raise UnreadableError(str(error)) from None
    return pattern


Text = Annotated[str, BeforeValidator(_text)]
Expression = Annotated[str, BeforeValidator(_expression)]


@dataclass(frozen=True, slots=True)
class _PatternEntry:
    pattern: Expression
    replace: Text = "[redacted]"

    def to_pattern(self) -> Pattern:
        return Pattern(self.pattern, self.replace)


PatternField = Annotated[Pattern, ReadAs(_PatternEntry, _PatternEntry.to_pattern)]


@dataclass(frozen=True, slots=True)
class RedactionSettings:
    """What is replaced, in this order, where `capture` is `redacted`.

    With `labels` it is replaced in what callers call their requests by as well (`metadata`,
    `user`, `request_id`), whatever is captured.
    """

    patterns: tuple[PatternField, ...] = ()
    labels: Flag = False
