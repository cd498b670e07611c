"""The story of one change: decided on what the store has, stored, and in use when it is told.

What may change is `changes`, how what serves keeps in step is `following`. Time and chance are
handed in.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from understudy.server.domain.deployment import Snapshot
from understudy.server.domain.experiments import AuditEntry, Experiment, Roster
from understudy.server.domain.record_queries import Found, Query
from understudy.server.errors import Reason, RefusedError, UnderstudyError
from understudy.server.experiments import changes
from understudy.server.experiments.changes import Change, Moment
from understudy.server.experiments.checking import FindGroup
from understudy.server.experiments.following import Follower
from understudy.server.experiments.permanent import to_yaml
from understudy.server.experiments.registering import check_groups, from_split
from understudy.server.experiments.seams import Store

MOST_REGISTERED: Final = 1000  # experiments, beyond which calls register no more


class Desk:
    """Changes experiments. Each method returns when every serving part of this host follows.

    Raises UnderstudyError: RequestError for what may not be, RefusedError while the store is
    away. `now` is in microseconds since 1970, `new_salt` random.
    """

    def __init__(
        self,
        store: Store,
        follower: Follower,
        *,
        snapshot: Callable[[], Snapshot],
        find: Callable[[Snapshot], FindGroup],
        now: Callable[[], int],
        new_salt: Callable[[], str],
    ) -> None:
        self._store = store
        self._follower = follower
        self._snapshot = snapshot
        self._find = find
        self._now = now
        self._new_salt = new_salt

    async def create(
        self, draft: Experiment, *, actor: str, validate_only: bool = False
    ) -> Experiment:
        """Create a draft."""
        find = self._find(self._snapshot())

        def decide(roster: Roster, moment: Moment) -> Change:
            return changes.create(draft, moment, find=find, others=roster.experiments.values())

        return _after(await self._make(decide, actor, validate_only))

    async def update(
        self,
        wanted: Experiment,
        *,
        etag: str,
        paths: Sequence[str],
        populated: Sequence[str],
        actor: str,
        validate_only: bool = False,
    ) -> tuple[Experiment, int]:
        """Change the fields in `paths`, or if there are none those that are `populated`.

        Returns also how many basis points of keys have another variant now.
        """
        find = self._find(self._snapshot())

        def decide(roster: Roster, moment: Moment) -> Change:
            return changes.update(
                find_experiment(roster, wanted.id),
                wanted,
                moment,
                etag=etag,
                paths=paths,
                populated=populated,
                find=find,
            )

        change = await self._make(decide, actor, validate_only)
        return _after(change), change.moved

    async def start(self, experiment_id: str, *, etag: str, actor: str) -> Experiment:
        """Begin a run."""
        find, salt = self._find(self._snapshot()), self._new_salt()

        def decide(roster: Roster, moment: Moment) -> Change:
            return changes.start(
                find_experiment(roster, experiment_id),
                moment,
                etag=etag,
                salt=salt,
                find=find,
                others=roster.experiments.values(),
            )

        return _after(await self._make(decide, actor))

    async def pause(self, experiment_id: str, *, etag: str, actor: str) -> Experiment:
        """Hold the split."""

        def decide(roster: Roster, moment: Moment) -> Change:
            return changes.pause(find_experiment(roster, experiment_id), moment, etag=etag)

        return _after(await self._make(decide, actor))

    async def resume(self, experiment_id: str, *, etag: str, actor: str) -> Experiment:
        """Go on comparing."""

        def decide(roster: Roster, moment: Moment) -> Change:
            return changes.resume(find_experiment(roster, experiment_id), moment, etag=etag)

        return _after(await self._make(decide, actor))

    async def rollback(self, experiment_id: str, *, cause: str, actor: str) -> Experiment:
        """Give everybody the control."""

        def decide(roster: Roster, moment: Moment) -> Change:
            return changes.rollback(find_experiment(roster, experiment_id), moment, cause=cause)

        return _after(await self._make(decide, actor))

    async def conclude(
        self, experiment_id: str, *, etag: str, winner: str, actor: str
    ) -> tuple[Experiment, str]:
        """Give everybody the winner; return also the YAML that makes it permanent."""

        def decide(roster: Roster, moment: Moment) -> Change:
            return changes.conclude(
                find_experiment(roster, experiment_id), moment, etag=etag, winner=winner
            )

        experiment = _after(await self._make(decide, actor))
        return experiment, to_yaml(experiment, self._snapshot().groups)

    async def delete(self, experiment_id: str, *, etag: str, actor: str) -> None:
        """Delete what is not live."""

        def decide(roster: Roster, moment: Moment) -> Change:
            return changes.delete(find_experiment(roster, experiment_id), moment, etag=etag)

        await self._make(decide, actor)

    async def register(
        self, experiment_id: str, models: Mapping[str, float], *, control: str, actor: str
    ) -> None:
        """Create an experiment from a caller's weights and start it, unless there is one.

        Raises RefusedError where there are too many: somebody makes up an id for each call.
        """
        draft = from_split(experiment_id, models, control)
        find, salt = self._find(self._snapshot()), self._new_salt()
        check_groups(models, find)

        def decide(roster: Roster, moment: Moment) -> Change:
            if (found := roster.experiments.get(experiment_id)) is not None:
                return Change("CreateExperiment", found, found)  # somebody else was first
            if len(roster.experiments) >= MOST_REGISTERED:
                raise RefusedError(
                    Reason.OVERLOADED, f"there are {MOST_REGISTERED} experiments already"
                )
            return changes.register(draft, moment, salt=salt, find=find)

        await self._make(decide, actor)

    async def plant(self, draft: Experiment, *, running: bool, actor: str) -> Experiment:
        """Create an experiment of the configuration file unless there is one; return what is there.

        Raises RefusedError, and creates nothing, if it shall run and its group is taken.
        """
        if (known := self.roster.experiments.get(draft.id)) is not None:
            return known
        find, salt = self._find(self._snapshot()), self._new_salt()

        def decide(roster: Roster, moment: Moment) -> Change:
            if (found := roster.experiments.get(draft.id)) is not None:
                return Change("CreateExperiment", found, found)  # another host was first
            others = roster.experiments.values()
            if not running:
                return changes.create(draft, moment, find=find, others=others)
            cause = "a seed of the configuration file"
            return changes.register(draft, moment, salt=salt, find=find, others=others, cause=cause)

        return _after(await self._make(decide, actor))

    @property
    def is_away(self) -> bool:
        """Whether the store cannot be reached, so that nothing can be changed."""
        return self._follower.is_away

    @property
    def roster(self) -> Roster:
        """The experiments that serve."""
        return self._follower.roster

    @property
    def rewinds(self) -> int:
        """How often revisions began to mean other things."""
        return self._follower.rewinds

    async def wait_beyond(self, revision: int, timeout: float) -> bool:
        """Wait until something newer than a revision is in use; return whether it is."""
        return await self._follower.wait_beyond(revision, timeout)

    def get(self, experiment_id: str) -> Experiment:
        """Return an experiment as it serves. Raises RequestError if there is none."""
        return find_experiment(self._follower.roster, experiment_id)

    def write_permanent(self, experiment_id: str) -> str:
        """Return the YAML that makes the winner of an experiment permanent.

        Raises UnderstudyError if there is no such experiment, ValueError if nothing has won.
        """
        return to_yaml(self.get(experiment_id), self._snapshot().groups)

    async def list_audit(self, query: Query) -> Found[AuditEntry]:
        """Return a page of the audit trail."""
        return await self._follower.ask(lambda: self._store.list_audit(query))

    async def follow(self, revision: int) -> tuple[AuditEntry, ...]:
        """Return the first changes after a revision, in their order."""
        return await self._follower.ask(lambda: self._store.follow(revision))

    async def _make(
        self,
        decide: Callable[[Roster, Moment], Change],
        actor: str,
        validate_only: bool = False,
    ) -> Change:
        now = self._now()
        if validate_only:
            roster = await self._follower.ask(self._store.load)
            return decide(roster, Moment(roster.revision + 1, now))
        return await self._follower.change(
            lambda roster, revision: decide(roster, Moment(revision, now)),
            actor=actor,
            instant=now,
        )


def find_experiment(roster: Roster, experiment_id: str) -> Experiment:
    """Return one of the experiments that serve. Raises UnderstudyError if it is none of them."""
    found = roster.experiments.get(experiment_id)
    if found is None:
        raise UnderstudyError(
            Reason.EXPERIMENT_NOT_FOUND,
            f"there is no experiment {experiment_id[:128]!r}; ListExperiments names those there are",
            metadata={"experiment": experiment_id[:128]},
        )
    return found


def _after(change: Change) -> Experiment:
    assert change.after is not None  # only a deletion leaves nothing
    return change.after
