"""Names the hosts that sinks send to, for people who open firewalls. Pure."""

from collections.abc import Iterator, Mapping
from typing import Final
from urllib.parse import urlsplit

from understudy.server.config.sink_settings import SinkSettings

_LANGFUSE: Final = "cloud.langfuse.com"
_COLLECTOR: Final = "localhost:4318"
_ENDPOINTS: Final = (
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_ENDPOINT",
)


def sink_hosts(sinks: SinkSettings, environ: Mapping[str, str]) -> Iterator[str]:
    """Yield each host, as `host` or `host:port`; a bucket without one of its own by its URL."""
    if (otel := sinks.otel) is not None:
        found = [otel.endpoint] if otel.endpoint else [environ.get(one) for one in _ENDPOINTS]
        yield from [_host(one) for one in found if one] or [_COLLECTOR]
    if (langfuse := sinks.langfuse) is not None:
        yield _host(langfuse.host) if langfuse.host else _LANGFUSE
    if (bucket := sinks.bucket) is not None and bucket.url is not None:
        parts = urlsplit(bucket.url)
        if bucket.endpoint:
            yield _host(bucket.endpoint)
        elif parts.scheme != "file":
            yield f"{parts.scheme}://{parts.netloc}"


def _host(url: str) -> str:
    """Return the host of a URL, without a password that may be in it."""
    place = urlsplit(url if "://" in url else f"//{url}").netloc
    return place.rpartition("@")[2]
