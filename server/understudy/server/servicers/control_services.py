"""Adds the services of the part that controls: experiments, records, operations."""

from understudy.server.servicers.experiments import Desk, ExperimentServicer
from understudy.server.servicers.guard import Guard
from understudy.server.servicers.operations import OperationsServicer
from understudy.server.servicers.records import Archive, FeedbackBook, RecordServicer, Reports
from understudy.server.servicers.unbuilt import add_unbuilt_service
from understudy.v1 import (
    experiment_pb2_grpc,
    operations_pb2_grpc,
    record_pb2,
    record_pb2_grpc,
)

_RECORDS = record_pb2.DESCRIPTOR.services_by_name["RecordService"]


def add_control_services(
    guard: Guard,
    desk: Desk,
    archive: Archive | None,
    feedback: FeedbackBook | None,
    reports: Reports | None,
    operations: OperationsServicer,
) -> None:
    """Add them. `archive`, `feedback` and `reports` are None where no records are kept."""
    experiment_pb2_grpc.add_ExperimentServiceServicer_to_server(
        ExperimentServicer(desk), guard.door
    )
    if archive is not None and feedback is not None and reports is not None:
        record_pb2_grpc.add_RecordServiceServicer_to_server(
            RecordServicer(archive, feedback, reports), guard.door
        )
    else:
        add_unbuilt_service(_RECORDS, guard)
    operations_pb2_grpc.add_OperationsServiceServicer_to_server(operations, guard.door)
