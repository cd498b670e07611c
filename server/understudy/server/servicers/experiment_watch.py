"""Follows experiments for a watcher: in the order of revisions, without gap or repetition.

Changes are read from the audit trail, a page at a time and only as fast as they are taken: so a
slow watcher costs nothing, and any revision can be gone on from.
"""

import asyncio
from collections.abc import AsyncGenerator
from typing import Final, Protocol

import msgspec

from understudy.server.domain.experiments import AuditEntry, Experiment, Roster
from understudy.server.errors import RefusedError, RequestError
from understudy.server.servicers.read_experiment import PREFIX
from understudy.server.servicers.write_experiment import write_experiment
from understudy.v1 import experiment_pb2 as pb

HEARTBEAT: Final = 10.0  # seconds; the contract says 15
_BEHIND: Final = 2.0  # seconds; hosts follow each other within one

_STORED = msgspec.json.Decoder(Experiment)


class Watchable(Protocol):
    """What a watch needs."""

    @property
    def roster(self) -> Roster:
        """The experiments that serve."""
        ...

    @property
    def rewinds(self) -> int:
        """How often revisions began to mean other things."""
        ...

    async def follow(self, revision: int) -> tuple[AuditEntry, ...]:
        """Return the first changes after a revision, in their order."""
        ...

    async def wait_beyond(self, revision: int, timeout: float) -> bool:
        """Wait until something newer than a revision is in use; return whether it is."""
        ...


async def watch(
    desk: Watchable, revision: int, heartbeat: float = HEARTBEAT
) -> AsyncGenerator[pb.WatchExperimentsResponse, None]:
    """Yield what there is if `revision` is 0, and then each change after it.

    What there is comes with the revision 0, so that a watch that breaks off in the middle of it
    begins again; the heartbeat that follows says what it is as of. Raises RequestError for a
    revision that is still to come, or that the store of experiments went back behind.
    """
    rewinds = desk.rewinds
    if revision == 0:
        roster = desk.roster
        revision = roster.revision
        for one in roster.experiments.values():
            yield pb.WatchExperimentsResponse(experiment=write_experiment(one))
    else:
        await _reach(desk, revision)
    # At once, so that a watcher knows that it watches.
    yield pb.WatchExperimentsResponse(heartbeat=True, revision=revision)
    while True:
        if desk.rewinds != rewinds:
            raise RequestError(
                "the store of experiments went back in time; watch again from revision 0",
                field="revision",
            )
        if desk.roster.revision <= revision and not await desk.wait_beyond(revision, heartbeat):
            yield pb.WatchExperimentsResponse(heartbeat=True, revision=revision)
            continue
        entries = await _follow(desk, revision)
        if not entries:  # the store is away; what serves is known, but not how it came about
            yield pb.WatchExperimentsResponse(heartbeat=True, revision=revision)
            await desk.wait_beyond(desk.roster.revision, heartbeat)
        for entry in entries:
            revision = entry.revision
            yield _write(entry)


async def _reach(desk: Watchable, revision: int) -> None:
    """Wait for a revision that another host may have told of before this one has it."""
    clock = asyncio.get_running_loop().time
    until = clock() + _BEHIND
    while desk.roster.revision < revision:
        if not await desk.wait_beyond(desk.roster.revision, until - clock()):
            raise RequestError(
                f"revision {revision} is still to come; the last is {desk.roster.revision}",
                field="revision",
            )


async def _follow(desk: Watchable, revision: int) -> tuple[AuditEntry, ...]:
    """Return the changes after a revision that serve here already; none while the store is away."""
    try:
        entries = await desk.follow(revision)
    except RefusedError:
        return ()
    return tuple(one for one in entries if one.revision <= desk.roster.revision)


def _write(entry: AuditEntry) -> pb.WatchExperimentsResponse:
    if not entry.after:
        return pb.WatchExperimentsResponse(
            deleted=PREFIX + entry.experiment, revision=entry.revision
        )
    experiment = write_experiment(_STORED.decode(entry.after))
    return pb.WatchExperimentsResponse(experiment=experiment, revision=entry.revision)
