"""What writers and readers of experiments did, and whether one register with revisions explains it.

Pure. Instants are of one monotonic clock, seconds.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

STALE = 1.0  # seconds that a host may lag behind a change made on another


@dataclass(frozen=True, slots=True)
class Write:
    """A change that was acknowledged, by which host."""

    host: str
    revision: int
    invoked: float
    acknowledged: float


@dataclass(frozen=True, slots=True)
class Read:
    """A completion: the revision it says it used, and the nonces that its model was asked with."""

    host: str
    revision: int
    variant: str
    model: str
    nonces: tuple[str, ...]  # of prompt, limit and parameter
    invoked: float
    ended: float


@dataclass(frozen=True, slots=True)
class Made:
    """What a revision says: its nonce, and each variant's model and weight."""

    nonce: str
    models: Mapping[str, str]
    weights: Mapping[str, int]


class Latest:
    """The newest revision acknowledged by an instant."""

    def __init__(self, writes: Iterable[Write]) -> None:
        self._times: list[float] = []
        self._revisions: list[int] = []
        newest = 0
        for one in sorted(writes, key=lambda one: one.acknowledged):
            newest = max(newest, one.revision)
            self._times.append(one.acknowledged)
            self._revisions.append(newest)

    def by(self, instant: float) -> int:
        """Return it, 0 before the first."""
        place = bisect_right(self._times, instant)
        return self._revisions[place - 1] if place else 0


def find_faults(
    writes: list[Write], reads: list[Read], made: Mapping[int, Made]
) -> tuple[list[str], float]:
    """Return what contradicts one register, and how stale another host's read was at worst."""
    invoked = {one.revision: one.invoked for one in writes}
    own = {name: Latest(one for one in writes if one.host == name) for name in _hosts(reads)}
    anywhere = Latest(writes)
    stalest, faults = 0.0, list[str]()
    acknowledged = sorted((one.revision, one.acknowledged) for one in writes)
    for read in reads:
        if read.revision < own[read.host].by(read.invoked):
            faults.append(f"older than what its own host had acknowledged: {read}")
        if read.revision < anywhere.by(read.invoked - STALE):
            faults.append(f"older by more than {STALE} s than another host's: {read}")
        if invoked.get(read.revision, 0.0) > read.ended:
            faults.append(f"used before anybody asked for it: {read}")
        faults.extend(_find_tears(read, made[read.revision]))
        place = bisect_right(acknowledged, (read.revision, float("inf")))
        if place < len(acknowledged):
            stalest = max(stalest, read.invoked - acknowledged[place][1])
    return faults, stalest


def _find_tears(read: Read, revision: Made) -> list[str]:
    faults: list[str] = []
    if set(read.nonces) != {revision.nonce}:
        faults.append(f"torn: {read} is not wholly of {revision}")
    if read.model != revision.models[read.variant]:
        faults.append(f"torn: {read} asked another model than {revision}")
    if not revision.weights[read.variant]:
        faults.append(f"torn: {read} is of a variant without weight in {revision}")
    return faults


def _hosts(reads: Iterable[Read]) -> set[str]:
    return {one.host for one in reads}
