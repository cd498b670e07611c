"""What is there before a host starts: a store, as hosts before have left it."""

from functools import partial
from pathlib import Path

from understudy.server.domain.experiments import Roster
from understudy.server.experiments import changes
from understudy.server.experiments.changes import Change, Moment
from understudy.server.routing.groups import find_group
from understudy.server.servicers.read_experiment import read_experiment
from understudy.server.store import open_store
from understudy.server.store.snapshots import Snapshots

from ..routing.making import deployment, snapshot
from .hosts import GROUPS, experiment

SNAPSHOT = snapshot(*(deployment(group, group=group) for group in GROUPS))


def prepare(state: Path) -> int:
    """Leave a SQLite store with a running experiment, and the memory of it; return its revision."""
    draft = read_experiment(experiment(2), "x")

    def decide(_: Roster, revision: int) -> Change:
        find = partial(find_group, SNAPSHOT)
        return changes.register(draft, Moment(revision, 1), salt="salt", find=find)

    store = open_store(None, state)
    _, roster = store.change(decide, actor="ann", instant=1)
    store.close()
    Snapshots(state).save(roster)
    return roster.revision
