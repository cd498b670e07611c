"""How far tools have heard, of several processes together: counts are summed, the worst is told."""

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from understudy.server.servicers.sum_status import sum_status
from understudy.server.servicers.write_status import write_sinks
from understudy.server.sinks.figures import SinkFigures
from understudy.v1 import operations_pb2


def test_counts_are_summed_and_the_worst_is_told() -> None:
    parts = [
        operations_pb2.GetStatusResponse(sinks=write_sinks(figures))
        for figures in (
            [SinkFigures("a", 1, 2, 3, 4.5), SinkFigures("b", sent=7)],
            [SinkFigures("a", 10, 20, 30, 2.0, "it is away")],
            [],
        )
    ]

    whole = sum_status(parts, Timestamp())

    assert list(whole.sinks) == [
        operations_pb2.SinkStatus(
            sink="a",
            waiting=11,
            sent=22,
            dropped=33,
            lag=Duration(seconds=2),
            away_cause="it is away",
        ),
        operations_pb2.SinkStatus(sink="b", sent=7, lag=Duration()),
    ]
