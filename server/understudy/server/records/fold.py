"""Folds what the journal is told into rows: records, texts, offers and their ends; and into what
sinks are told, by the same hand, so that both say the same.

Pure: no store, no clock, no thread. Instants of the monotonic clock become those of the calendar
by an offset that is handed in.
"""

from collections import OrderedDict
from typing import Final

import msgspec

from understudy.server.capturing import Capture, Redactor
from understudy.server.domain.chat import Message
from understudy.server.domain.completion import Choice
from understudy.server.domain.mirroring import Outcome
from understudy.server.domain.records import TextState
from understudy.server.events import (
    AttemptEnded,
    AttemptStarted,
    CallEnded,
    CallEvent,
    CallStarted,
    FirstDelta,
    Mirrored,
    SilentEnded,
    VariantChosen,
)
from understudy.server.records.batch import Batch, NotMirroredRow, TextRow
from understudy.server.records.calls import (
    Asked,
    Call,
    begin_call,
    end_offer,
    give_variant,
    make_offer,
    make_record,
    microseconds,
    primary_attempt,
    silent_attempt,
)
from understudy.server.records.cleaning import clean
from understudy.server.records.teller import Teller

PROMPT: Final = "prompt"
LONGEST_TEXT: Final = 1024 * 1024  # characters of JSON, of a prompt or of an answer
MOST_CALLS: Final = 50_000  # that are remembered while they are under way
MOST_ENDED: Final = 2_000  # that are remembered after their end, for what is told late

_NOTHING: Final = Redactor()


class Fold:
    """Takes events one by one and adds rows to a batch. For one thread.

    `redactor` is for texts where `capture` is `redacted`; `labels` for what callers call their
    requests by, whatever is captured. Without a `teller` nobody is told anything.
    """

    def __init__(
        self,
        capture: Capture,
        offset: float,
        *,
        redactor: Redactor = _NOTHING,
        labels: Redactor = _NOTHING,
        teller: Teller | None = None,
    ) -> None:
        self._text_state = _text_state(capture, redactor)
        self._redactor = redactor if capture == "redacted" else _NOTHING
        self._labels = labels
        self._offset = offset
        self._teller = teller
        self._calls: dict[str, Call] = {}
        self._ended: OrderedDict[str, Call] = OrderedDict()

    def take(self, event: CallEvent, batch: Batch) -> None:
        """Add what an event tells."""
        match event:
            case CallStarted():
                self._begin(event)
            case VariantChosen():
                if (call := self._calls.get(event.pair_id)) is not None:
                    give_variant(call, event)
            case AttemptStarted():
                self._begin_attempt(event)
            case FirstDelta():
                if (call := self._calls.get(event.pair_id)) is not None:
                    call.first_deltas[event.attempt] = event.instant
            case AttemptEnded():
                self._end_attempt(event, batch)
            case CallEnded():
                self._end(event, batch)
            case Mirrored():
                self._mirror(event, batch)
            case SilentEnded():
                self._end_copy(event, batch)

    def _epoch(self, instant: float) -> int:
        return microseconds(instant + self._offset)

    def _begin(self, event: CallStarted) -> None:
        state = self._text_state if event.request.may_mirror else TextState.REFUSED
        call = self._calls[event.pair_id] = begin_call(event, state, self._labels)
        teller = self._teller
        if teller is not None:
            teller.begin(call, event.request)
        if len(self._calls) > MOST_CALLS:
            oldest = self._calls.pop(next(iter(self._calls)))
            if teller is not None:
                teller.let_go(oldest)

    def _begin_attempt(self, event: AttemptStarted) -> None:
        call = self._calls.get(event.pair_id)
        if call is None:
            return  # there was no room for its begin
        if not call.group:
            call.group = event.group
        call.under_way[event.attempt] = event
        if self._teller is not None:
            self._teller.hold(call, event.request_bytes)

    def _end_attempt(self, event: AttemptEnded, batch: Batch) -> None:
        call = self._calls.get(event.pair_id)
        begun = call.under_way.pop(event.attempt, None) if call else None
        if call is None or begun is None:
            return
        asked = primary_attempt(call, begun, event)
        if event.reason is None:
            call.latency, call.cost = asked.latency, asked.cost.nano_usd
        if self._teller is not None:
            self._teller.note_attempt(call, clean(asked.group), asked.first_delta)
        self._record(call, asked, batch)

    def _end(self, event: CallEnded, batch: Batch) -> None:
        call = self._calls.get(event.pair_id)
        if call is None:
            return
        call.has_ended = True
        call.messages = None
        if self._teller is not None:
            ended = self._epoch(event.instant)
            self._teller.tell_answered(call, event, self._epoch(call.started), ended)
        waiting, call.waiting = call.waiting, []
        for late in waiting:
            self._end_copy(late, batch)
        self._let_go(call)

    def _mirror(self, event: Mirrored, batch: Batch) -> None:
        call = self._find(event.pair_id, event.instant)
        epoch = self._epoch(call.started)
        for one in event.dispositions:
            if not one.offered:
                batch.add_not_mirrored(
                    NotMirroredRow(event.pair_id, clean(one.silent_model), one.reason, epoch)
                )
                if self._teller is not None:
                    self._teller.tell_not_offered(event.pair_id, one)
            elif one.silent_model not in call.heard:
                batch.add_offer(make_offer(call, one.silent_model, epoch))
                call.copies.add(one.silent_model)

    def _end_copy(self, event: SilentEnded, batch: Batch) -> None:
        end = event.end
        call = self._find(event.pair_id, event.instant)
        call.heard.add(end.silent_model)
        if end.outcome is Outcome.PAIRED and event.pair_id in self._calls and not call.has_ended:
            # The primary's end is a moment away, and with it what there is to compare.
            call.waiting.append(event)
            return
        asked = silent_attempt(end)
        if asked is not None:
            self._record(call, asked, batch)
        batch.add_offer(
            end_offer(
                call,
                end,
                asked,
                epoch=self._epoch(call.started),
                end_epoch=self._epoch(event.instant),
            )
        )
        if self._teller is not None:
            self._teller.tell_copy_ended(end)
        call.copies.discard(end.silent_model)
        self._let_go(call)

    def _find(self, pair_id: str, instant: float) -> Call:
        """Return a call, or the little that can be said of one that is not remembered."""
        call = self._calls.get(pair_id) or self._ended.get(pair_id)
        return call or Call(pair_id, instant, TextState.DROPPED)

    def _let_go(self, call: Call) -> None:
        if not call.has_ended or call.copies:
            return
        if self._calls.pop(call.pair_id, None) is not None:
            if self._teller is not None:
                self._teller.let_go(call)
            self._ended[call.pair_id] = call
            if len(self._ended) > MOST_ENDED:
                self._ended.popitem(last=False)

    def _record(self, call: Call, asked: Asked, batch: Batch) -> None:
        epoch = self._epoch(asked.started)
        if call.messages is not None:
            prompt = self._redactor.messages(call.messages)
            call.text_state = _keep(batch, call.pair_id, PROMPT, prompt, epoch)
            call.messages = None
        state = call.text_state
        if state is TextState.KEPT and asked.completion is not None:
            choices = self._redactor.choices(asked.completion.choices)
            state = _keep(batch, call.pair_id, asked.id, choices, epoch)
        record = make_record(call, asked, epoch, state)
        batch.add_record(record)
        if self._teller is not None:
            self._teller.tell_generation(call, record, asked.completion)


def _text_state(capture: Capture, redactor: Redactor) -> TextState:
    if capture == "metadata":
        return TextState.NOT_CAPTURED
    if capture == "redacted" and not redactor:
        return TextState.NOT_REDACTED
    return TextState.KEPT


def _keep(
    batch: Batch,
    pair_id: str,
    part: str,
    words: tuple[Message, ...] | tuple[Choice, ...],
    epoch: int,
) -> TextState:
    try:
        body = msgspec.json.encode(words).decode()
    except UnicodeEncodeError:  # half a character: JSON has it, UTF-8 has not
        return TextState.DROPPED
    if len(body) > LONGEST_TEXT:
        return TextState.TOO_LONG
    has_room = batch.add_text(TextRow(pair_id, part, body, epoch))
    return TextState.KEPT if has_room else TextState.DROPPED
