"""Opens the sink for a test, hurried: it waits for nothing longer than a test can."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Final, Literal

from understudy.server.config.sink_settings import OtelSettings
from understudy.server.domain.deployment import Secret
from understudy.server.sinks.otel.sink import OtelSink, open_otel
from understudy.server.sinks.sending.patience import Patience
from understudy.server.sinks.sending.sender import Bounds

HURRIED: Final = Patience(first_pause=0.02, timeout=5.0)
SMALL: Final = Bounds(linger=0.02)
KEY: Final = "canary-key-7f3a91"
QUIET: Final = {"OTEL_METRICS_EXPORTER": "none"}


@contextmanager
def opened(
    url: str,
    *,
    protocol: Literal["http/protobuf", "grpc"] = "http/protobuf",
    environ: Mapping[str, str] = QUIET,
    bounds: Bounds = SMALL,
    patience: Patience = HURRIED,
) -> Generator[OtelSink]:
    """A sink for a receiver, without metrics unless `environ` leaves them on."""
    settings = OtelSettings(url, (Secret(f"x-api-key={KEY}"),), protocol)
    sink = open_otel(settings, environ, bounds=bounds, patience=patience)
    try:
        yield sink
    finally:
        sink.close(5.0)
