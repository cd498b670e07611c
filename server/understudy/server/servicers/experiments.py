"""Serves ExperimentService: wire to value, desk, value to wire."""

import re
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Final, Protocol

import grpc

from understudy.server.domain.experiments import AuditEntry, Experiment
from understudy.server.domain.record_queries import AllOf, Found, Kind, Operator, Query, Term
from understudy.server.errors import RequestError
from understudy.server.servicers.access import caller
from understudy.server.servicers.experiment_pages import list_experiments
from understudy.server.servicers.experiment_watch import Watchable, watch
from understudy.server.servicers.read_experiment import (
    PREFIX,
    read_experiment,
    read_name,
    read_populated,
)
from understudy.server.servicers.record_pages import read_query, write_token
from understudy.server.servicers.write_experiment import write_entry, write_experiment
from understudy.v1 import experiment_pb2 as pb
from understudy.v1 import experiment_pb2_grpc

Context = grpc.aio.ServicerContext[Any, Any]

_AUDIT_FIELDS: Final[Mapping[str, Kind]] = {
    "actor": Kind.TEXT,
    "action": Kind.TEXT,
    "create_time": Kind.INSTANT,
}
_LONGEST_CAUSE: Final = 1024  # characters


class Desk(Watchable, Protocol):
    """What can be done to experiments."""

    async def create(
        self, draft: Experiment, *, actor: str, validate_only: bool = False
    ) -> Experiment:
        """Create a draft."""
        ...

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
        """Change fields; return also how many basis points of keys have another variant now."""
        ...

    async def start(self, experiment_id: str, *, etag: str, actor: str) -> Experiment:
        """Begin a run."""
        ...

    async def pause(self, experiment_id: str, *, etag: str, actor: str) -> Experiment:
        """Hold the split."""
        ...

    async def resume(self, experiment_id: str, *, etag: str, actor: str) -> Experiment:
        """Go on comparing."""
        ...

    async def rollback(self, experiment_id: str, *, cause: str, actor: str) -> Experiment:
        """Give everybody the control."""
        ...

    async def conclude(
        self, experiment_id: str, *, etag: str, winner: str, actor: str
    ) -> tuple[Experiment, str]:
        """Give everybody the winner; return also the YAML that makes it permanent."""
        ...

    async def delete(self, experiment_id: str, *, etag: str, actor: str) -> None:
        """Delete what is not live."""
        ...

    def get(self, experiment_id: str) -> Experiment:
        """Return an experiment as it serves."""
        ...

    async def list_audit(self, query: Query) -> Found[AuditEntry]:
        """Return a page of the audit trail."""
        ...


class ExperimentServicer(experiment_pb2_grpc.ExperimentServiceServicer):
    """Changes experiments while they serve."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def CreateExperiment(
        self, request: pb.CreateExperimentRequest, context: Context
    ) -> pb.CreateExperimentResponse:
        """Create a draft."""
        experiment_id = request.experiment_id or f"experiment-{secrets.token_hex(4)}"
        draft = read_experiment(request.experiment, experiment_id)
        created = await self._desk.create(
            draft, actor=caller.get().name, validate_only=request.validate_only
        )
        return pb.CreateExperimentResponse(experiment=write_experiment(created))

    async def GetExperiment(
        self, request: pb.GetExperimentRequest, context: Context
    ) -> pb.GetExperimentResponse:
        """Get one."""
        found = self._desk.get(read_name(request.name))
        return pb.GetExperimentResponse(experiment=write_experiment(found))

    async def ListExperiments(
        self, request: pb.ListExperimentsRequest, context: Context
    ) -> pb.ListExperimentsResponse:
        """List them."""
        return list_experiments(self._desk.roster, request)

    async def UpdateExperiment(
        self, request: pb.UpdateExperimentRequest, context: Context
    ) -> pb.UpdateExperimentResponse:
        """Change fields."""
        experiment_id = read_name(request.experiment.name, "experiment.name")
        changed, moved = await self._desk.update(
            read_experiment(request.experiment, experiment_id),
            etag=request.experiment.etag,
            paths=request.update_mask.paths,
            populated=read_populated(request.experiment),
            actor=caller.get().name,
            validate_only=request.validate_only,
        )
        return pb.UpdateExperimentResponse(experiment=write_experiment(changed), moved=moved)

    async def DeleteExperiment(
        self, request: pb.DeleteExperimentRequest, context: Context
    ) -> pb.DeleteExperimentResponse:
        """Delete what is not live."""
        name = read_name(request.name)
        await self._desk.delete(name, etag=request.etag, actor=caller.get().name)
        return pb.DeleteExperimentResponse()

    async def StartExperiment(
        self, request: pb.StartExperimentRequest, context: Context
    ) -> pb.StartExperimentResponse:
        """Begin a run."""
        name = read_name(request.name)
        started = await self._desk.start(name, etag=request.etag, actor=caller.get().name)
        return pb.StartExperimentResponse(experiment=write_experiment(started))

    async def PauseExperiment(
        self, request: pb.PauseExperimentRequest, context: Context
    ) -> pb.PauseExperimentResponse:
        """Hold the split."""
        name = read_name(request.name)
        paused = await self._desk.pause(name, etag=request.etag, actor=caller.get().name)
        return pb.PauseExperimentResponse(experiment=write_experiment(paused))

    async def ResumeExperiment(
        self, request: pb.ResumeExperimentRequest, context: Context
    ) -> pb.ResumeExperimentResponse:
        """Go on comparing."""
        name = read_name(request.name)
        resumed = await self._desk.resume(name, etag=request.etag, actor=caller.get().name)
        return pb.ResumeExperimentResponse(experiment=write_experiment(resumed))

    async def RollbackExperiment(
        self, request: pb.RollbackExperimentRequest, context: Context
    ) -> pb.RollbackExperimentResponse:
        """Give everybody the control."""
        name = read_name(request.name)
        cause = request.cause[:_LONGEST_CAUSE]
        rolled_back = await self._desk.rollback(name, cause=cause, actor=caller.get().name)
        return pb.RollbackExperimentResponse(experiment=write_experiment(rolled_back))

    async def ConcludeExperiment(
        self, request: pb.ConcludeExperimentRequest, context: Context
    ) -> pb.ConcludeExperimentResponse:
        """Give everybody the winner."""
        concluded, permanent = await self._desk.conclude(
            read_name(request.name),
            etag=request.etag,
            winner=request.winner,
            actor=caller.get().name,
        )
        return pb.ConcludeExperimentResponse(
            experiment=write_experiment(concluded), config_yaml=permanent
        )

    def WatchExperiments(
        self, request: pb.WatchExperimentsRequest, context: Context
    ) -> AsyncIterator[pb.WatchExperimentsResponse]:
        """Follow changes."""
        if request.revision < 0:
            raise RequestError("revision must not be negative", field="revision")
        return watch(self._desk, request.revision)

    async def ListAuditEntries(
        self, request: pb.ListAuditEntriesRequest, context: Context
    ) -> pb.ListAuditEntriesResponse:
        """List who changed what."""
        query = read_query(request, _AUDIT_FIELDS, ("create_time",))
        if request.parent != f"{PREFIX}-":
            own = Term("experiment", Operator.EQUAL, _literal(read_name(request.parent, "parent")))
            query = Query(
                AllOf((own, query.condition)),
                query.order,
                query.descending,
                query.after,
                query.limit,
            )
        found = await self._desk.list_audit(query)
        token = write_token(request, found.items[-1][1]) if found.has_more else ""
        entries = [write_entry(one) for one, _ in found.items]
        return pb.ListAuditEntriesResponse(audit_entries=entries, next_page_token=token)


def _literal(name: str) -> str:
    """Return an id that is compared as it is; an id holds no `*`, which would be a pattern."""
    if not re.fullmatch(r"[A-Za-z0-9._-]+", name):
        raise RequestError(
            f"parent is {PREFIX} and an experiment's id, or {PREFIX}-", field="parent"
        )
    return name
