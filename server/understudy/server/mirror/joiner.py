"""Brings the two ends of each pair together: a state machine without clock, thread or socket.

Every copy that is expected ends exactly once. One that did not answer ends at once; one that did
waits for the primary, so that both answers can be compared while they are in memory. Answers that
wait are held within a budget; beyond it they wait without their text.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from msgspec import structs

from understudy.server.domain.completion import Completion
from understudy.server.domain.mirroring import (
    Comparison,
    Outcome,
    PrimaryEnd,
    SilentCall,
    SilentEnd,
)
from understudy.server.mirror.texts import weigh, without_text

NEVER_SETTLED = "NEVER_SETTLED"  # nobody said how the primary ended
PRIMARY_FAILED = "PRIMARY_FAILED"
PRIMARY_CANCELLED = "PRIMARY_CANCELLED"

Compare = Callable[[Completion, Completion, bytes | None], Comparison | None]


@dataclass(frozen=True, slots=True)
class _Answer:
    """A silent answer that waits. `held` is what it weighs, 0 if its text was not kept."""

    call: SilentCall
    held: int


@dataclass(slots=True)
class _Pair:
    """A pair whose copies have not all ended.

    Once `settled`, `failure` says why the primary did not answer, empty if it did; `primary` is
    what it answered, if its text was kept.
    """

    schema: bytes | None
    fractions: dict[str, float]  # of the silent models that have not ended
    answers: dict[str, _Answer] = field(default_factory=dict[str, _Answer])
    settled: bool = False
    failure: str = ""
    primary: Completion | None = None
    held: int = 0


class Joiner:
    """For the pairs of one thread. `max_held` is the budget, in bytes of waiting answers."""

    def __init__(self, *, max_held: int, settle_within: float, compare: Compare) -> None:
        self._max_held = max_held
        self._settle_within = settle_within
        self._compare = compare
        self._pairs: dict[str, _Pair] = {}
        self._unsettled: dict[str, float] = {}  # with answers; in the order of falling due
        self._held = 0

    def __len__(self) -> int:
        return len(self._pairs)

    @property
    def held(self) -> int:
        """What the waiting answers weigh."""
        return self._held

    def expect(self, pair_id: str, fractions: Mapping[str, float], schema: bytes | None) -> None:
        """Take note of a pair's copies, by silent model with the share that is mirrored to it."""
        self._pairs[pair_id] = _Pair(schema, dict(fractions))

    def waiting_for(self, pair_id: str) -> Sequence[str]:
        """Return the pair's silent models that have neither answered nor ended."""
        pair = self._pairs.get(pair_id)
        return () if pair is None else [one for one in pair.fractions if one not in pair.answers]

    def fail(
        self,
        pair_id: str,
        silent_model: str,
        outcome: Outcome,
        reason: str,
        call: SilentCall | None = None,
    ) -> SilentEnd:
        """End a copy that did not answer."""
        pair = self._pairs[pair_id]
        fraction = pair.fractions.pop(silent_model)
        self._forget_if_ended(pair_id, pair)
        # Stores and encoders may treat the members of an enumeration otherwise than text.
        return SilentEnd(pair_id, silent_model, outcome, str(reason), fraction, call)

    def answer(
        self, pair_id: str, silent_model: str, call: SilentCall, now: float
    ) -> SilentEnd | None:
        """Take a copy's answer; return its end if the primary's came before it."""
        pair = self._pairs[pair_id]
        if pair.settled:
            return self._end(pair_id, pair, silent_model, call, pair.primary)
        held = self._hold(call.completion)
        if call.completion is not None and not held:
            call = structs.replace(call, completion=without_text(call.completion))
        pair.answers[silent_model] = _Answer(call, held)
        self._unsettled.setdefault(pair_id, now + self._settle_within)
        return None

    def settle(self, end: PrimaryEnd) -> Sequence[SilentEnd]:
        """Take the primary's end; return the ends of the copies that have answered."""
        pair = self._pairs.get(end.pair_id)
        if pair is None or pair.settled:
            return ()
        if end.completion is None:
            pair.failure = PRIMARY_CANCELLED if end.cancelled else PRIMARY_FAILED
        ends = self._end_answered(end.pair_id, pair, end.completion)
        if pair.fractions:
            pair.held = self._hold(end.completion)
            pair.primary = end.completion if pair.held else None
        return ends

    def expire(self, now: float) -> Sequence[SilentEnd]:
        """Give up on the primaries of which nothing was heard in time."""
        ends: list[SilentEnd] = []
        while self._unsettled:
            pair_id, due = next(iter(self._unsettled.items()))
            if now < due:
                break
            ends += self._abandon(pair_id)
        return ends

    def close(self) -> Sequence[SilentEnd]:
        """Give up on every primary of which nothing was heard."""
        return [end for pair_id in tuple(self._unsettled) for end in self._abandon(pair_id)]

    def _abandon(self, pair_id: str) -> Sequence[SilentEnd]:
        pair = self._pairs[pair_id]
        pair.failure = NEVER_SETTLED
        return self._end_answered(pair_id, pair, None)

    def _end_answered(
        self, pair_id: str, pair: _Pair, primary: Completion | None
    ) -> Sequence[SilentEnd]:
        pair.settled = True
        self._unsettled.pop(pair_id, None)
        ends: list[SilentEnd] = []
        for silent_model, answer in pair.answers.items():
            self._held -= answer.held
            text = primary if answer.held else None
            ends.append(self._end(pair_id, pair, silent_model, answer.call, text))
        pair.answers.clear()
        return ends

    def _end(
        self,
        pair_id: str,
        pair: _Pair,
        silent_model: str,
        call: SilentCall,
        primary: Completion | None,
    ) -> SilentEnd:
        """End a copy that answered; `primary` is what to compare it with, if there is something."""
        fraction = pair.fractions.pop(silent_model)
        self._forget_if_ended(pair_id, pair)
        outcome = Outcome.UNPAIRED if pair.failure else Outcome.PAIRED
        comparison = None
        if primary is not None and call.completion is not None:
            comparison = self._compare(primary, call.completion, pair.schema)
        return SilentEnd(pair_id, silent_model, outcome, pair.failure, fraction, call, comparison)

    def _hold(self, completion: Completion | None) -> int:
        """Return what an answer weighs that is held from now, 0 if there is no room for it."""
        weight = 0 if completion is None else weigh(completion)
        if self._held + weight > self._max_held:
            return 0
        self._held += weight
        return weight

    def _forget_if_ended(self, pair_id: str, pair: _Pair) -> None:
        if not pair.fractions:
            self._held -= pair.held
            pair.held = 0
            del self._pairs[pair_id]
