"""What lives in the service, as the dashboard's process has it: asked over the link.

What serves is here too, as the service has told it last.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final, TypeVar

from understudy.server.dashboard.house import Names
from understudy.server.dashboard.status import Board
from understudy.server.dashboard_process.messages import (
    Act,
    Action,
    Anything,
    Changed,
    Create,
    Describe,
    Described,
    Going,
    Look,
    Reported,
    See,
    Steer,
    Update,
    WritePermanent,
)
from understudy.server.domain.experiments import AuditEntry, Experiment, Roster
from understudy.server.domain.record_queries import Found, Query
from understudy.server.domain.reports import Progress, Question, Report
from understudy.server.errors import Reason, RefusedError
from understudy.server.experiments.desk import find_experiment
from understudy.server.processes.link import Link, LinkError
from understudy.server.reporting.metrics import tell_meaning
from understudy.server.store.keeping import ExperimentStore

A = TypeVar("A")

PATIENCE: Final = 30.0  # seconds; whoever waits for a page gives up before
_FOLLOWED: Final = 5.0  # seconds until what was changed is known here too


class Line:
    """The link, once there is one."""

    link: Link[Anything]

    async def ask(self, question: Anything, kind: type[A]) -> A:
        """Return the answer, which is of a kind. Raises UnderstudyError."""
        try:
            answer = await self.link.ask(question, PATIENCE)
        except (LinkError, TimeoutError) as error:
            raise RefusedError(
                Reason.STORE_UNAVAILABLE,
                "the service does not answer; what was asked for may still happen",
                retry_after=1.0,
            ) from error
        if not isinstance(answer, kind):
            raise TypeError(f"{type(question).__name__} was answered by {type(answer).__name__}")
        return answer


class Desk:
    """The experiments, and who changes them."""

    def __init__(self, line: Line, store: ExperimentStore) -> None:
        self._line = line
        self._store = store
        self._roster = Roster(0)
        self._moved = asyncio.Event()
        self.is_away = True
        self.names = Names()

    @property
    def roster(self) -> Roster:
        """The experiments that serve."""
        return self._roster

    def see(self, told: See) -> None:
        """Know what serves now."""
        experiments: Mapping[str, Experiment] = {
            **{id: one for id, one in self._roster.experiments.items() if id not in told.gone},
            **{one.id: one for one in told.changed},
        }
        self._roster = Roster(told.revision, experiments)
        self.is_away = told.is_away
        self.names = told.names
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()

    def get(self, experiment_id: str) -> Experiment:
        """Return an experiment as it serves. Raises UnderstudyError if there is none."""
        return find_experiment(self._roster, experiment_id)

    async def create(self, draft: Experiment, *, actor: str) -> Experiment:
        """Create a draft."""
        return _after(await self._change(Create(draft, actor)))

    async def update(
        self,
        wanted: Experiment,
        *,
        etag: str,
        paths: Sequence[str],
        actor: str,
        validate_only: bool = False,
    ) -> tuple[Experiment, int]:
        """Change the fields in `paths`; return also how many basis points of keys move."""
        question = Update(wanted, etag, tuple(paths), actor, validate_only)
        changed = await self._change(question)
        return _after(changed), changed.moved

    async def start(self, experiment_id: str, *, etag: str, actor: str) -> Experiment:
        """Begin a run."""
        return await self._act("start", experiment_id, actor, etag=etag)

    async def pause(self, experiment_id: str, *, etag: str, actor: str) -> Experiment:
        """Hold the split."""
        return await self._act("pause", experiment_id, actor, etag=etag)

    async def resume(self, experiment_id: str, *, etag: str, actor: str) -> Experiment:
        """Go on comparing."""
        return await self._act("resume", experiment_id, actor, etag=etag)

    async def rollback(self, experiment_id: str, *, cause: str, actor: str) -> Experiment:
        """Give everybody the control."""
        return await self._act("rollback", experiment_id, actor, cause=cause)

    async def conclude(
        self, experiment_id: str, *, etag: str, winner: str, actor: str
    ) -> tuple[Experiment, str]:
        """Give everybody the winner; return also the YAML that makes it permanent."""
        changed = await self._change(
            Act("conclude", experiment_id, actor, etag=etag, winner=winner)
        )
        return _after(changed), changed.text

    async def delete(self, experiment_id: str, *, etag: str, actor: str) -> None:
        """Delete what is not live."""
        await self._change(Act("delete", experiment_id, actor, etag=etag))

    async def write_permanent(self, experiment_id: str) -> str:
        """Return the YAML that makes the winner of an experiment permanent."""
        return (await self._line.ask(WritePermanent(experiment_id), Changed)).text

    async def list_audit(self, query: Query) -> Found[AuditEntry]:
        """Return a page of the audit trail."""
        return await asyncio.to_thread(self._store.list_audit, query)

    async def _act(
        self, action: Action, experiment_id: str, actor: str, *, etag: str = "", cause: str = ""
    ) -> Experiment:
        return _after(await self._change(Act(action, experiment_id, actor, etag=etag, cause=cause)))

    async def _change(self, question: Anything) -> Changed:
        """Have something changed, and wait until what serves since is known here too."""
        changed = await self._line.ask(question, Changed)
        try:
            async with asyncio.timeout(_FOLLOWED):
                while self._roster.revision < changed.revision:
                    await self._moved.wait()
        except TimeoutError:
            pass  # it is changed all the same, and the next page will show it
        return changed


class Host:
    """All that serves on this host."""

    def __init__(self, line: Line) -> None:
        self._line = line

    async def status(self) -> Board:
        """Return how it is."""
        return (await self._line.ask(Describe(), Described)).board

    async def pause(self, silent_model: str, *, actor: str, cause: str) -> None:
        """Stop mirroring to one silent model, or to all if the name is empty."""
        await self._line.ask(Steer(silent_model, actor, cause, resumes=False), object)

    async def resume(self, silent_model: str, *, actor: str, cause: str) -> None:
        """Go on with one, or with all."""
        await self._line.ask(Steer(silent_model, actor, cause, resumes=True), object)


class Reports:
    """Has reports computed."""

    def __init__(self, line: Line) -> None:
        self._line = line

    async def look(self, question: Question, *, anew: bool = False) -> Progress | Report:
        """Return how far a report is, or the report."""
        answer = await self._line.ask(Look(question, anew), object)
        match answer:
            case Going(share):
                return Progress(share)
            case Reported(report):
                return report
            case _:
                raise TypeError(f"a report is no {type(answer).__name__}")

    tell = staticmethod(tell_meaning)


def _after(changed: Changed) -> Experiment:
    assert changed.after is not None  # only a deletion leaves nothing
    return changed.after
