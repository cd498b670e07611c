"""Everything that is told arrives, whole and once, by both ways that OTLP travels."""

from collections import defaultdict
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from typing import Literal

import pytest
from opentelemetry.proto.metrics.v1.metrics_pb2 import AggregationTemporality
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from understudy.server.domain.records import Role
from understudy.server.sinks.otel.histograms import MOST_SERIES

from ...stub.eventually import eventually_sync
from .grpc_receiving import receiving_grpc
from .making import generation, mirrored, pair_id, trace
from .opened import KEY, QUIET, opened
from .receiving import Receiver, plain, receiving

Way = Literal["http/protobuf", "grpc"]
Receiving = Callable[[], AbstractContextManager[Receiver]]
WAYS = [("http/protobuf", receiving), ("grpc", receiving_grpc)]
both_ways = pytest.mark.parametrize(("way", "run"), WAYS, ids=["http", "grpc"])


def check_pairs(spans: list[Span], pairs: Collection[str]) -> None:
    """Hold that each request has its three spans once, as siblings with a link."""
    traces: dict[bytes, list[Span]] = defaultdict(list)
    for span in spans:
        traces[span.trace_id].append(span)
    assert len(spans) == 3 * len(pairs)
    assert len({span.span_id for span in spans}) == 3 * len(pairs)
    assert set(traces) == set(map(bytes.fromhex, pairs))
    for spans_of_one in traces.values():
        (request,) = (one for one in spans_of_one if one.kind == Span.SPAN_KIND_SERVER)
        calls = [one for one in spans_of_one if one.kind == Span.SPAN_KIND_CLIENT]
        silent, primary = sorted(calls, key=lambda one: not one.links)
        assert primary.parent_span_id == silent.parent_span_id == request.span_id
        assert [link.span_id for link in silent.links] == [primary.span_id]
        assert plain(silent.attributes)["understudy.is_silent_experiment"] is True
        assert plain(primary.attributes)["understudy.is_silent_experiment"] is False


def arrive(way: Way, run: Receiving, pairs: int) -> None:
    with run() as receiver, opened(receiver.url, protocol=way) as sink:
        for number in range(pairs):
            sink.tell(tuple(mirrored(number)))
        eventually_sync(lambda: not sink.figures.waiting, within=60)

        assert sink.figures.sent == 3 * pairs
        assert not sink.figures.dropped
        assert not receiver.faults
        check_pairs(receiver.spans, [pair_id(number) for number in range(pairs)])


@both_ways
def test_every_span_of_mirrored_calls_arrives(way: Way, run: Receiving) -> None:
    arrive(way, run, 300)


@pytest.mark.proof
@both_ways
def test_every_span_of_five_thousand_mirrored_calls_arrives(way: Way, run: Receiving) -> None:
    arrive(way, run, 5_000)


def test_what_was_told_last_arrives_when_the_sink_is_closed() -> None:
    with receiving() as receiver:
        with opened(receiver.url) as sink:
            sink.tell(tuple(mirrored(1)))

        assert len(receiver.spans) == 3
        assert sink.figures.sent == 3


def test_spans_say_who_sends_them_and_carry_the_operator_s_headers() -> None:
    environ = {
        **QUIET,
        "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=staging,team=a%20b",
    }
    with receiving() as receiver:
        with opened(receiver.url, environ=environ) as sink:
            sink.tell(tuple(mirrored(1)))

        said = receiver.resources[0]
        assert said["service.name"] == "understudy"
        assert said["deployment.environment.name"] == "staging"
        assert said["team"] == "a b"
        assert said["service.instance.id"]
        assert receiver.posts[0].path == "/v1/traces"
        assert receiver.posts[0].headers["x-api-key"] == KEY


def test_bodies_are_squeezed_where_the_variable_says_so() -> None:
    environ = {**QUIET, "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip"}
    with receiving() as receiver:
        with opened(receiver.url, environ=environ) as sink:
            sink.tell(tuple(mirrored(1)))

        assert receiver.posts[0].headers["content-encoding"] == "gzip"
        assert len(receiver.spans) == 3


def test_an_unsampled_caller_s_calls_make_metrics_but_no_spans() -> None:
    with receiving() as receiver:
        with opened(receiver.url, environ={}) as sink:
            sink.tell(tuple(mirrored(1, {"trace": trace(sampled=False)})))
            sink.tell(tuple(mirrored(2, {"trace": trace(sampled=True)})))

        assert {span.trace_id for span in receiver.spans} == {bytes.fromhex(f"{1:032x}")}
        assert len(receiver.spans) == 3
        (durations,) = (one for one in receiver.metrics if one.name.endswith("duration"))
        assert sum(point.count for point in durations.histogram.data_points) == 4


@both_ways
def test_metrics_add_up_to_what_was_told(way: Way, run: Receiving) -> None:
    environ = {"OTEL_METRIC_EXPORT_INTERVAL": "50"}
    with run() as receiver, opened(receiver.url, protocol=way, environ=environ) as sink:
        for number in range(20):
            sink.tell(tuple(mirrored(number)))
        sink.tell([generation(pair_id(99), usage=None, first_token=None, reason="UPSTREAM_ERROR")])
        eventually_sync(lambda: len(receiver.metrics) >= 6, within=5)
        sink.close(5)

        newest = {one.name: one for one in receiver.metrics}
        tokens = newest["gen_ai.client.token.usage"]
        assert tokens.unit == "{token}"
        cumulative = AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE
        assert tokens.histogram.aggregation_temporality == cumulative
        found: dict[tuple[object, object], float] = {}
        for point in tokens.histogram.data_points:
            said = plain(point.attributes)
            found[said["gen_ai.token.type"], said["understudy.role"]] = point.sum
            assert sum(point.bucket_counts) == point.count == 20
            assert len(point.bucket_counts) == len(point.explicit_bounds) + 1
            assert point.min == point.max
        assert found == {
            ("input", "PRIMARY"): 20 * 120,
            ("input", "SILENT"): 20 * 120,
            ("output", "PRIMARY"): 20 * 40,
            ("output", "SILENT"): 20 * 40,
        }
        durations = newest["gen_ai.client.operation.duration"]
        assert durations.unit == "s"
        assert sum(one.count for one in durations.histogram.data_points) == 41
        errors = [
            one.count
            for one in durations.histogram.data_points
            if plain(one.attributes).get("error.type") == "UPSTREAM_ERROR"
        ]
        assert errors == [1]
        first = newest["gen_ai.client.operation.time_to_first_chunk"]
        assert sum(one.count for one in first.histogram.data_points) == 40


def test_models_without_end_do_not_grow_the_metrics_without_end() -> None:
    with receiving() as receiver:
        with opened(receiver.url, environ={"OTEL_TRACES_EXPORTER": "none"}) as sink:
            sink.tell(
                [
                    generation(pair_id(1), Role.SILENT, served_model=f"model-{number}", usage=None)
                    for number in range(MOST_SERIES + 500)
                ]
            )

        (durations,) = (one for one in receiver.metrics if one.name.endswith("duration"))
        points = durations.histogram.data_points
        (overflow,) = (one for one in points if "otel.metric.overflow" in plain(one.attributes))
        assert len(points) == MOST_SERIES + 1
        assert overflow.count == 500
        assert not receiver.spans
