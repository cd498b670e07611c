"""What waits to be written, within bounds in rows and in bytes. What does not fit is counted."""

from typing import Final

from msgspec import Struct

from understudy.server.domain.mirroring import Comparison, Outcome
from understudy.server.domain.records import Record

MOST_ROWS: Final = 50_000
MOST_TEXT: Final = 64 * 1024 * 1024  # characters of JSON


class TextRow(Struct, frozen=True, gc=False):
    """The words of a prompt or an answer, as JSON."""

    pair_id: str
    part: str
    body: str
    create_time: int


class OfferRow(Struct, frozen=True, kw_only=True):
    """An offer to one silent model; without an outcome it is under way."""

    pair_id: str
    silent_model: str
    start_time: int
    end_time: int | None = None
    outcome: Outcome | None = None
    reason: str = ""
    fraction: float | None = None
    record_id: str | None = None
    caller: str = ""
    experiment: str = ""
    variant: str = ""
    model_group: str = ""
    comparison: Comparison | None = None
    latency_difference: int | None = None
    cost_difference: int | None = None
    length_difference: int | None = None


class NotMirroredRow(Struct, frozen=True, gc=False):
    """A silent model that was not offered a request, and why."""

    pair_id: str
    silent_model: str
    reason: str
    start_time: int


class Batch:
    """Rows of each table. For one thread."""

    def __init__(self) -> None:
        self.records: dict[str, Record] = {}
        self.texts: list[TextRow] = []
        self.offers: dict[tuple[str, str], OfferRow] = {}
        self.not_mirrored: list[NotMirroredRow] = []
        self.text_size = 0
        self.dropped = 0
        self.was_tried = False  # to be written: what came of it may be unknown

    def __len__(self) -> int:
        return len(self.records) + len(self.texts) + len(self.offers) + len(self.not_mirrored)

    def add_record(self, record: Record) -> None:
        """Take a record, if there is room."""
        if self._has_room():
            self.records[record.id] = record

    def add_text(self, text: TextRow) -> bool:
        """Take a text, and say whether there was room."""
        if self.text_size + len(text.body) > MOST_TEXT or not self._has_room():
            return False
        self.texts.append(text)
        self.text_size += len(text.body)
        return True

    def add_offer(self, offer: OfferRow) -> None:
        """Take an offer or its end, if there is room; an end takes the place of its offer."""
        key = (offer.pair_id, offer.silent_model)
        waiting = self.offers.get(key)
        if waiting is not None and waiting.outcome is not None:
            return
        if waiting is not None or self._has_room():
            self.offers[key] = offer

    def add_not_mirrored(self, row: NotMirroredRow) -> None:
        """Take a reason, if there is room."""
        if self._has_room():
            self.not_mirrored.append(row)

    def _has_room(self) -> bool:
        if len(self) < MOST_ROWS:
            return True
        self.dropped += 1
        return False
