"""Says why a prompt or an answer is not among what is shown of a call."""

from types import MappingProxyType
from typing import Final

from understudy.server.domain.records import Kept, TextState

_NOT_A_READER: Final = "prompts and answers are shown to keys with the role `reader` only"
_PAST: Final = "the texts are past their retention (understudy.records.retention.content)"
_TOO_MANY: Final = "this page holds too much text; get the pair by itself"
_ABSENT: Final = MappingProxyType(
    {
        TextState.NOT_CAPTURED: "no text is kept: understudy.records.capture is `metadata`",
        TextState.NOT_REDACTED: (
            "no text is kept: understudy.records.capture is `redacted`, and there are no patterns "
            "to redact by (understudy.redaction.patterns)"
        ),
        TextState.REFUSED: "the caller refused to have this prompt kept (MIRROR_MODE_NEVER)",
        TextState.TOO_LONG: "no text is kept: it is longer than 1 MiB",
        TextState.DROPPED: "no text is kept: more was waiting for the store than is held",
    }
)


def tell_absence(kept: Kept, *, is_reader: bool) -> str:
    """Return why the texts of a call are not there, empty if they are."""
    if (cause := _ABSENT.get(kept.record.text_state)) is not None:
        return cause
    if not is_reader:
        return _NOT_A_READER
    if kept.texts.too_many:
        return _TOO_MANY
    return _PAST if kept.texts.messages is None and kept.texts.choices is None else ""
