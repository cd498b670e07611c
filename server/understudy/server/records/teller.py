"""Makes what sinks are told, from the same calls and in the same moment as the rows.

Pure. A prompt is held here until its call and all copies of it have ended, because each of them
is told with it; within a bound, beyond which the oldest are told without.
"""

from typing import Final

from msgspec import structs

from understudy.server.capturing import Redactor
from understudy.server.domain.completion import Completion
from understudy.server.domain.mirroring import Disposition, SilentEnd
from understudy.server.domain.records import Record
from understudy.server.domain.request import CompletionRequest
from understudy.server.domain.tellings import Answered, Asked, CopyEnded, Generation, Telling
from understudy.server.events import CallEnded
from understudy.server.records.calls import Call, Told, microseconds
from understudy.server.records.cleaning import clean

MOST_HELD: Final = 128 * 1024 * 1024  # bytes of prompts, as they were sent


class Teller:
    """Takes what the fold finds out of calls. For one thread; whoever wants them takes `drain`.

    `with_words` says whether any sink wants prompts and answers; if not, none are held. `labels`
    redacts what callers call their requests by.
    """

    def __init__(
        self, labels: Redactor, *, with_words: bool = True, most_held: int = MOST_HELD
    ) -> None:
        self._labels = labels
        self._with_words = with_words
        self._most_held = most_held
        self._holding: dict[str, Told] = {}
        self._held = 0
        self._tellings: list[Telling] = []

    @property
    def held(self) -> int:
        """The bytes of prompts that are held."""
        return self._held

    def drain(self) -> tuple[Telling, ...]:
        """Return what there is to tell, once."""
        if not self._tellings:
            return ()
        tellings, self._tellings = tuple(self._tellings), []
        return tellings

    def begin(self, call: Call, request: CompletionRequest) -> None:
        """Remember what a caller asked. What may not be mirrored may be shown nowhere either."""
        shown = self._with_words and request.may_mirror
        labels = self._labels
        call.told = Told(
            Asked(
                pair_id=call.pair_id,
                request_id=call.request_id,
                caller=request.caller,
                user=labels.text(request.user),
                labels=labels.labels(request.metadata) if labels else request.metadata,
                trace=request.trace,
                # The messages go with each generation, as long as they are held.
                chat=structs.replace(request.chat, messages=()) if shown else None,
            ),
            shown,
            request.chat.messages if shown else None,
        )

    def hold(self, call: Call, size: int) -> None:
        """Count a prompt that was sent in so many bytes among what is held."""
        told = call.told
        if told is None or told.prompt is None or told.size:
            return
        told.size = max(size, 1)
        self._holding[call.pair_id] = told
        self._held += told.size
        while self._held > self._most_held:
            self._release(next(iter(self._holding)))

    def let_go(self, call: Call) -> None:
        """Forget the prompt of a call that nothing more will be told of."""
        if call.told is not None:
            call.told.prompt = None
            self._release(call.pair_id)

    def note_attempt(self, call: Call, group: str, first_delta: float | None) -> None:
        """Remember which group was asked last to answer the caller, and when it began to."""
        if (told := call.told) is not None:
            told.group = group
            told.first_delta = first_delta

    def tell_generation(self, call: Call, record: Record, answer: Completion | None) -> None:
        """Tell of an upstream call."""
        told = call.told or Told(Asked(pair_id=call.pair_id))
        self._tellings.append(
            Generation(
                record=record,
                asked=told.asked,
                messages=told.prompt,
                choices=answer.choices if answer is not None and told.may_show else None,
                message=_explain(record),
            )
        )

    def tell_answered(self, call: Call, event: CallEnded, started: int, ended: int) -> None:
        """Tell that a caller has its answer, or an error; instants are microseconds since 1970."""
        told = call.told or Told(Asked(pair_id=call.pair_id))
        self._tellings.append(
            Answered(
                asked=told.asked,
                started=started,
                ended=ended,
                reason=event.reason.value if event.reason else "",
                attempts=event.attempts,
                group=told.group,
                experiment=call.experiment,
                variant=call.variant,
                first_token=_since(call.started, told.first_delta),
                streamed=call.streamed,
            )
        )

    def tell_copy_ended(self, end: SilentEnd) -> None:
        """Tell what became of an offer."""
        self._tellings.append(
            CopyEnded(
                pair_id=end.pair_id,
                silent_model=clean(end.silent_model),
                outcome=end.outcome,
                reason=clean(end.reason),
            )
        )

    def tell_not_offered(self, pair_id: str, one: Disposition) -> None:
        """Tell of a silent model that was offered nothing, and why."""
        self._tellings.append(
            CopyEnded(
                pair_id=pair_id,
                silent_model=clean(one.silent_model),
                outcome=None,
                reason=one.reason,
            )
        )

    def _release(self, pair_id: str) -> None:
        told = self._holding.pop(pair_id, None)
        if told is not None:
            told.prompt = None
            self._held -= told.size


def _since(started: float, instant: float | None) -> int | None:
    return None if instant is None else microseconds(instant - started)


def _explain(record: Record) -> str:
    """Return why an upstream call failed: not in the provider's words, which may quote a prompt."""
    if not record.reason or not record.upstream_status:
        return record.reason
    return f"{record.reason} (HTTP {record.upstream_status})"
