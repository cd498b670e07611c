"""The calls that the commands on experiments make, with the etag of what was read."""

from collections.abc import Iterator

from google.protobuf.field_mask_pb2 import FieldMask

from understudy.client import Client
from understudy.server.cli.calling import TIMEOUT
from understudy.server.servicers.read_experiment import PREFIX
from understudy.v1 import experiment_pb2 as pb
from understudy.v1 import experiment_pb2_grpc

_LARGEST_PAGE = 1000


class Calls:
    """ExperimentService, as a client sees it. Raises grpc.RpcError."""

    def __init__(self, service: Client) -> None:
        self._stub = service.raw_stub(experiment_pb2_grpc.ExperimentServiceStub)
        self._metadata = service.raw_metadata

    def list(self, text: str = "") -> Iterator[pb.Experiment]:
        """Yield the experiments that a filter lets through."""
        request = pb.ListExperimentsRequest(filter=text, page_size=_LARGEST_PAGE)
        while True:
            page = self._stub.ListExperiments(request, timeout=TIMEOUT, metadata=self._metadata)
            yield from page.experiments
            request.page_token = page.next_page_token
            if not request.page_token:
                return

    def get(self, experiment_id: str) -> pb.Experiment:
        """Return one."""
        request = pb.GetExperimentRequest(name=PREFIX + experiment_id)
        return self._stub.GetExperiment(
            request, timeout=TIMEOUT, metadata=self._metadata
        ).experiment

    def create(
        self, draft: pb.Experiment, experiment_id: str, *, validate_only: bool = False
    ) -> pb.Experiment:
        """Create a draft."""
        request = pb.CreateExperimentRequest(
            experiment=draft, experiment_id=experiment_id, validate_only=validate_only
        )
        return self._stub.CreateExperiment(
            request, timeout=TIMEOUT, metadata=self._metadata
        ).experiment

    def update(
        self, wanted: pb.Experiment, mask: FieldMask, *, validate_only: bool = False
    ) -> pb.UpdateExperimentResponse:
        """Change what is in the mask."""
        request = pb.UpdateExperimentRequest(
            experiment=wanted, update_mask=mask, validate_only=validate_only
        )
        return self._stub.UpdateExperiment(request, timeout=TIMEOUT, metadata=self._metadata)

    def start(self, current: pb.Experiment) -> pb.Experiment:
        """Start what was read."""
        request = pb.StartExperimentRequest(name=current.name, etag=current.etag)
        return self._stub.StartExperiment(
            request, timeout=TIMEOUT, metadata=self._metadata
        ).experiment

    def pause(self, current: pb.Experiment) -> pb.Experiment:
        """Pause what was read."""
        request = pb.PauseExperimentRequest(name=current.name, etag=current.etag)
        return self._stub.PauseExperiment(
            request, timeout=TIMEOUT, metadata=self._metadata
        ).experiment

    def resume(self, current: pb.Experiment) -> pb.Experiment:
        """Resume what was read."""
        request = pb.ResumeExperimentRequest(name=current.name, etag=current.etag)
        return self._stub.ResumeExperiment(
            request, timeout=TIMEOUT, metadata=self._metadata
        ).experiment

    def rollback(self, experiment_id: str, cause: str) -> pb.Experiment:
        """Roll back, whatever has changed meanwhile."""
        request = pb.RollbackExperimentRequest(name=PREFIX + experiment_id, cause=cause)
        return self._stub.RollbackExperiment(
            request, timeout=TIMEOUT, metadata=self._metadata
        ).experiment

    def conclude(self, current: pb.Experiment, winner: str) -> pb.ConcludeExperimentResponse:
        """Conclude what was read."""
        request = pb.ConcludeExperimentRequest(name=current.name, etag=current.etag, winner=winner)
        return self._stub.ConcludeExperiment(request, timeout=TIMEOUT, metadata=self._metadata)

    def delete(self, current: pb.Experiment) -> None:
        """Delete what was read."""
        request = pb.DeleteExperimentRequest(name=current.name, etag=current.etag)
        self._stub.DeleteExperiment(request, timeout=TIMEOUT, metadata=self._metadata)

    def watch(self, revision: int) -> Iterator[pb.WatchExperimentsResponse]:
        """Yield changes as they are made."""
        request = pb.WatchExperimentsRequest(revision=revision)
        yield from self._stub.WatchExperiments(request, metadata=self._metadata)

    def audit(self, experiment_id: str, text: str, limit: int) -> Iterator[pb.AuditEntry]:
        """Yield audit entries, newest first; `-` is all experiments."""
        request = pb.ListAuditEntriesRequest(parent=PREFIX + experiment_id, filter=text)
        while limit > 0:
            request.page_size = min(limit, _LARGEST_PAGE)
            page = self._stub.ListAuditEntries(request, timeout=TIMEOUT, metadata=self._metadata)
            yield from page.audit_entries
            limit -= len(page.audit_entries)
            request.page_token = page.next_page_token
            if not request.page_token:
                return
