"""One part of the pairs, such as those of one primary: what each figure is computed from.

Latency, cost and tokens are compared where the primary answered at its first attempt, because the
silent model has only one.
"""

from msgspec import Struct

from understudy.server.domain.mirroring import Outcome
from understudy.server.evaluation.completeness import Completeness
from understudy.server.reporting.columns import Codes, Flags, Floats, distinct, known
from understudy.server.reporting.endings import PLACES, UNDER_WAY, End
from understudy.server.reporting.pairs import Pairs, Spoken
from understudy.server.reporting.rents import Rents


class Background(Struct, frozen=True):
    """What holds for a whole report: the span of its window in microseconds, and rents."""

    silent_model: str
    span: int
    rents: Rents


class Sides(Struct, frozen=True):
    """A measure of both sides: of pairs where both are known, and of each side by itself.

    Where it is never known of both, each side has all its own values, else those of the pairs.
    """

    before: Floats
    after: Floats
    own_before: Floats
    own_after: Floats


class PairView:
    """The offers, refusals and verdicts of a part. Columns are those of its offers."""

    def __init__(self, pairs: Pairs, held: Flags, background: Background) -> None:
        offered, refused, spoken = pairs.split(held)
        self._pairs = pairs
        self._offered = offered
        self.background = background
        self.refused = pairs.refusal[refused]
        self.spoken: list[Spoken] = [
            one for one, is_held in zip(pairs.spoken, spoken.tolist(), strict=True) if is_held
        ]
        self.outcome = pairs.outcome[offered]
        self.reason = pairs.reason[offered]
        self.primary_end = pairs.primary_end[offered]
        self.is_pair: Flags = self.outcome == PLACES[Outcome.PAIRED]
        self.is_first: Flags = self.is_pair & (self.primary_end == End.ANSWERED)
        paired, ended = int(self.is_pair.sum()), int((self.outcome != UNDER_WAY).sum())
        self.completeness = Completeness(paired, ended - paired)

    @property
    def asked(self) -> int:
        """How many requests came, offered or not."""
        return len(self.outcome) + len(self.refused)

    @property
    def retried(self) -> int:
        """In how many pairs the primary failed first."""
        return int((self.is_pair & ~self.is_first).sum())

    def of_pairs(self, name: str) -> Floats:
        """Return a column, of pairs."""
        return self._pairs.numbers[name][self._offered][self.is_pair]

    def of_firsts(self, name: str) -> Floats:
        """Return a column, of pairs whose primary answered at its first attempt."""
        return self._pairs.numbers[name][self._offered][self.is_first]

    def compare(self, primary: str, silent: str) -> Sides:
        """Return a measure of both sides, of pairs whose primary answered at its first attempt."""
        return _pair_up(self.of_firsts(primary), self.of_firsts(silent))

    def compare_all(self, primary: str, silent: str) -> Sides:
        """Return a measure of both sides, of all pairs."""
        return _pair_up(self.of_pairs(primary), self.of_pairs(silent))

    def name_reason(self, code: int) -> str:
        """Return why an offer ended as it did."""
        return self._pairs.reasons[code]

    def name_refusal(self, code: int) -> str:
        """Return why a request was not offered."""
        return self._pairs.refusals[code]

    def rented(self, deployment: str) -> list[str]:
        """Return the endpoints of a side that are rented, for a rent that is known."""
        names = (self._pairs.rented[place] for place in distinct(self._renters(deployment)))
        return [name for name in names if name in self.background.rents.held]

    def is_all_rent(self, deployment: str) -> bool:
        """Return whether all calls of a side, of pairs at first attempts, were of such endpoints."""
        return bool(len(self._codes(deployment))) and bool((self._codes(deployment) >= 0).all())

    def _renters(self, deployment: str) -> Codes:
        codes = self._codes(deployment)
        return codes[codes >= 0]

    def _codes(self, deployment: str) -> Codes:
        return self._pairs.renters[deployment][self._offered][self.is_first]


def _pair_up(before: Floats, after: Floats) -> Sides:
    both = known(before, after)
    if both.any():
        return Sides(before[both], after[both], before[both], after[both])
    return Sides(before[both], after[both], before[known(before)], after[known(after)])
