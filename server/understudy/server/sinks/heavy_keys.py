"""Warns, once for each run, of a key that carries more than a tenth of an experiment's requests.

A key is named by its hash, which is new with each run, as records have it: `key_hash` finds them.
"""

import logging
from dataclasses import dataclass, field
from typing import Final

from understudy.server.domain.experiments import Assigned
from understudy.server.evaluation.heavy_keys import SHARE, HeavyKeys
from understudy.server.events import CallEvent, VariantChosen

MOST_EXPERIMENTS: Final = 1_000  # that are counted at a time
MOST_TOLD: Final = 100  # keys of an experiment; then it is known that something is wrong

_LOG = logging.getLogger(__name__)


@dataclass(slots=True)
class _Tally:
    epoch: int
    keys: HeavyKeys = field(default_factory=HeavyKeys)
    told: set[str] = field(default_factory=set[str])


class HeavyKeyLog:
    """A journal that becomes warnings of heavy keys. For one event loop."""

    def __init__(self) -> None:
        self._tallies: dict[str, _Tally] = {}

    def note(self, event: CallEvent) -> None:
        """Take an event."""
        if isinstance(event, VariantChosen) and event.assigned is not None and event.assigned.epoch:
            self._count(event.assigned)

    def _count(self, assigned: Assigned) -> None:
        tally = self._tallies.get(assigned.experiment)
        if tally is None:
            tally = self._tallies[assigned.experiment] = _Tally(assigned.epoch)
            if len(self._tallies) > MOST_EXPERIMENTS:
                del self._tallies[next(iter(self._tallies))]
        if tally.epoch != assigned.epoch:
            tally.epoch, tally.keys = assigned.epoch, HeavyKeys()
        key = assigned.key_hash
        if tally.keys.count(key) and key not in tally.told and len(tally.told) < MOST_TOLD:
            tally.told.add(key)
            _LOG.warning(
                "experiment %r: one key carries more than %.0f %% of its requests, key_hash %s; "
                "its figures tell of that caller more than of the others",
                assigned.experiment,
                SHARE * 100,
                key,
            )
