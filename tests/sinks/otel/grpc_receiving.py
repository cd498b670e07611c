"""The same strict receiver by gRPC, with the protocol's own stubs."""

from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count
from typing import Any

import grpc
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as metrics
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as traces

from .receiving import TAKEN, Receiver

Refusal = Callable[[int, grpc.ServicerContext], None]


def take_all(_number: int, _context: grpc.ServicerContext) -> None:
    """Refuse nothing."""


@contextmanager
def receiving_grpc(
    refuse: Refusal = take_all, credentials: grpc.ServerCredentials | None = None
) -> Generator[Receiver]:
    """Run a receiver on a free port. `refuse` may abort a call."""
    receiver, calls = Receiver(lambda _number, _post: TAKEN), count()

    def take_traces(
        request: traces.ExportTraceServiceRequest, context: grpc.ServicerContext
    ) -> traces.ExportTraceServiceResponse:
        refuse(next(calls), context)
        receiver.take_traces(request)
        return traces.ExportTraceServiceResponse()

    def take_metrics(
        request: metrics.ExportMetricsServiceRequest, _context: grpc.ServicerContext
    ) -> metrics.ExportMetricsServiceResponse:
        receiver.take_metrics(request)
        return metrics.ExportMetricsServiceResponse()

    services: dict[str, grpc.RpcMethodHandler[Any, Any]] = {
        "trace.v1.TraceService": grpc.unary_unary_rpc_method_handler(
            take_traces,
            traces.ExportTraceServiceRequest.FromString,
            traces.ExportTraceServiceResponse.SerializeToString,
        ),
        "metrics.v1.MetricsService": grpc.unary_unary_rpc_method_handler(
            take_metrics,
            metrics.ExportMetricsServiceRequest.FromString,
            metrics.ExportMetricsServiceResponse.SerializeToString,
        ),
    }
    with ThreadPoolExecutor(4) as pool:
        server = grpc.server(pool)
        for name, handler in services.items():
            service = f"opentelemetry.proto.collector.{name}"
            one = grpc.method_handlers_generic_handler(service, {"Export": handler})
            server.add_generic_rpc_handlers((one,))
        if credentials is None:
            receiver.url = f"http://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
        else:
            port = server.add_secure_port("127.0.0.1:0", credentials)
            receiver.url = f"https://127.0.0.1:{port}"
        server.start()
        try:
            yield receiver
        finally:
            server.stop(None).wait()
