"""Follows experiments for a watcher: in the order of revisions, without gap or repetition.

Changes are read from the audit trail, a page at a time and only as fast as they are taken: so a
slow watcher costs nothing, and any revision can be gone on from.
"""

from collections.abc import AsyncIterator
from typing import Final, Protocol

import msgspec

from understudy.server.domain.experiments import AuditEntry, Experiment, Roster
from understudy.server.errors import RefusedError, RequestError
from understudy.server.servicers.read_experiment import PREFIX
from understudy.server.servicers.write_experiment import write_experiment
from understudy.v1 import experiment_pb2 as pb

HEARTBEAT: Final = 10.0  # seconds; the contract says 15

_STORED = msgspec.json.Decoder(Experiment)


class Watchable(Protocol):
    """What a watch needs."""

    @property
    def roster(self) -> Roster:
        """The experiments that serve."""
        ...

    async def follow(self, revision: int) -> tuple[AuditEntry, ...]:
        """Return the first changes after a revision, in their order."""
        ...

    async def wait_beyond(self, revision: int, timeout: float) -> bool:
        """Wait until something newer than a revision is in use; return whether it is."""
        ...


async def watch(
    desk: Watchable, revision: int, heartbeat: float = HEARTBEAT
) -> AsyncIterator[pb.WatchExperimentsResponse]:
    """Yield what there is if `revision` is 0, and then each change after it.

    Raises RequestError for a revision that is still to come.
    """
    if revision == 0:
        roster = desk.roster
        revision = roster.revision
        for one in roster.experiments.values():
            yield pb.WatchExperimentsResponse(experiment=write_experiment(one), revision=revision)
    elif revision > desk.roster.revision:
        raise RequestError(
            f"revision {revision} is still to come; the last is {desk.roster.revision}",
            field="revision",
        )
    # At once, so that a watcher knows that it watches.
    yield pb.WatchExperimentsResponse(heartbeat=True, revision=revision)
    while True:
        if desk.roster.revision <= revision and not await desk.wait_beyond(revision, heartbeat):
            yield pb.WatchExperimentsResponse(heartbeat=True, revision=revision)
            continue
        try:
            entries = await desk.follow(revision)
        except RefusedError:
            entries = ()
        if not entries:  # the store is away; what serves is known, but not how it came about
            yield pb.WatchExperimentsResponse(heartbeat=True, revision=revision)
            await desk.wait_beyond(desk.roster.revision, heartbeat)
        for entry in entries:
            revision = entry.revision
            yield _write(entry)


def _write(entry: AuditEntry) -> pb.WatchExperimentsResponse:
    if not entry.after:
        return pb.WatchExperimentsResponse(
            deleted=PREFIX + entry.experiment, revision=entry.revision
        )
    experiment = write_experiment(_STORED.decode(entry.after))
    return pb.WatchExperimentsResponse(experiment=experiment, revision=entry.revision)
