"""The sink that tells an OpenTelemetry collector of calls, and how it is opened."""

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib.metadata import version
from typing import Final
from uuid import uuid4

from understudy.server.config.sink_settings import OtelSettings
from understudy.server.domain.tellings import Answered, Generation, Telling
from understudy.server.errors import ConfigError
from understudy.server.sinks.figures import SinkFigures
from understudy.server.sinks.otel.generations import write_generation
from understudy.server.sinks.otel.histograms import Histograms
from understudy.server.sinks.otel.requests import write_answered
from understudy.server.sinks.otel.spans import (
    count_rejected,
    write_request,
    write_resource,
    write_scope,
)
from understudy.server.sinks.otel.traces import Sampler
from understudy.server.sinks.otel.variables import Route, read_plan
from understudy.server.sinks.sending.deliveries import Courier
from understudy.server.sinks.sending.grpc_courier import GrpcCourier
from understudy.server.sinks.sending.http_courier import HttpCourier
from understudy.server.sinks.sending.metronome import Metronome
from understudy.server.sinks.sending.patience import Patience
from understudy.server.sinks.sending.protobuf import text
from understudy.server.sinks.sending.sender import USUAL_BOUNDS, Bounds, Sender
from understudy.server.sinks.sending.trust import make_context, read_authorities

NAME: Final = "otel"
_COLLECTOR: Final = "/opentelemetry.proto.collector"
_METHODS: Final = {
    "trace": f"{_COLLECTOR}.trace.v1.TraceService/Export",
    "metrics": f"{_COLLECTOR}.metrics.v1.MetricsService/Export",
}


class OtelSink:
    """Makes spans and metrics of what it is told. Copies that were never sent make neither."""

    def __init__(
        self,
        sender: Sender | None,
        histograms: Histograms,
        metronome: Metronome | None,
        sampler: Sampler,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._sender = sender
        self._histograms = histograms
        self._metronome = metronome
        self._sampler = sampler
        self._clock = clock

    @property
    def figures(self) -> SinkFigures:
        """How the spans stand; metrics say the newest and wait for nothing."""
        return SinkFigures(NAME) if self._sender is None else self._sender.figures

    def tell(self, tellings: Sequence[Telling]) -> None:
        """Take what has happened. Raises nothing, waits for no network."""
        if self._metronome is not None:
            for told in tellings:
                if isinstance(told, Generation):
                    self._histograms.count(told.record)
        if self._sender is not None:
            wanted = [told for told in tellings if self._is_sampled(told)]
            self._sender.put_written(_write_span, wanted)

    def _is_sampled(self, told: Telling) -> bool:
        return isinstance(told, Generation | Answered) and self._sampler.takes(told.asked)

    def close(self, timeout: float) -> None:
        """Send what is left, for so many seconds at most, and end. Blocks."""
        end = self._clock() + timeout
        if self._metronome is not None:
            self._metronome.end(timeout)
        if self._sender is not None:
            self._sender.close(timeout)
        if self._metronome is not None:
            self._metronome.join(end - self._clock())


def _write_span(told: Telling) -> bytes:
    """Return the span of what has one, nothing for the rest."""
    match told:
        case Generation():
            return write_generation(told)
        case Answered():
            return write_answered(told)
        case _:
            return b""


def open_otel(
    settings: OtelSettings,
    environ: Mapping[str, str],
    *,
    ca_file: str | None = None,
    bounds: Bounds = USUAL_BOUNDS,
    patience: Patience | None = None,
) -> OtelSink:
    """Open the sink; the receiver need not be there yet. `ca_file` holds more authorities.

    Blocks for some milliseconds. Raises ConfigError for what cannot be used as it is written.
    """
    plan = read_plan(settings, environ)
    release = version("understudy")
    instance = {"service.instance.id": str(uuid4()), "service.version": release}
    sdk = {
        "telemetry.sdk.name": "understudy",
        "telemetry.sdk.language": "python",
        "telemetry.sdk.version": release,
    }
    resource = write_resource(text(*one) for one in {**instance, **sdk, **plan.resource}.items())
    seal = partial(write_request, resource, write_scope("understudy", release))
    histograms = Histograms(time.time_ns())

    def read() -> bytes | None:
        metrics = histograms.write(time.time_ns())
        return seal(metrics) if metrics else None

    sender = metronome = None
    if plan.traces is not None:
        waits = patience or Patience(timeout=plan.traces.timeout)
        sender = Sender(NAME, _make_courier(plan.traces, "trace", ca_file), seal, bounds, waits)
    if plan.metrics is not None:
        courier = _make_courier(plan.metrics, "metrics", ca_file)
        metronome = Metronome("otel metrics", courier, read, plan.interval, plan.metrics.timeout)
    return OtelSink(sender, histograms, metronome, plan.sampler)


def _make_courier(route: Route, kind: str, ca_file: str | None) -> Courier:
    files = [file for file in (ca_file, route.ca_file) if file]
    try:
        if route.protocol == "grpc":
            return GrpcCourier(
                route.address,
                _METHODS[kind],
                route.headers,
                read_authorities(files) if route.address.secure else b"",
                squeeze=route.squeeze,
                count_rejected=count_rejected,
            )
        return HttpCourier(
            route.address,
            {"content-type": "application/x-protobuf", **route.headers},
            make_context(files) if route.address.secure else None,
            squeeze=route.squeeze,
            count_rejected=count_rejected,
        )
    except OSError:
        raise ConfigError(
            ["OTEL_EXPORTER_OTLP_CERTIFICATE: must name a readable file of certificates"]
        ) from None
