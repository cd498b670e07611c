"""Where spans go: what the settings say, and what the environment's own variables say."""

from collections.abc import Mapping

import pytest

from understudy.server.config.sink_settings import OtelSettings
from understudy.server.domain.deployment import Secret
from understudy.server.errors import ConfigError
from understudy.server.sinks.otel.variables import Route, find_otel_faults, read_plan


def traces(environ: Mapping[str, str], settings: OtelSettings | None = None) -> Route:
    """The way of traces."""
    route = read_plan(settings or OtelSettings(), environ).traces
    assert route is not None
    return route


def url(route: Route) -> str:
    """The address as a URL."""
    return f"{'https' if route.address.secure else 'http'}://{route.address}{route.address.path}"


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, "http://localhost:4318/v1/traces"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "https://a.example"}, "https://a.example:443/v1/traces"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://a:1/otel/"}, "http://a:1/otel/v1/traces"),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://a:1/own"}, "http://a:1/own"),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "http://localhost:4317"),
        (
            {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", "OTEL_EXPORTER_OTLP_ENDPOINT": "a:4317"},
            "https://a:4317",
        ),
        (
            {
                "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
                "OTEL_EXPORTER_OTLP_ENDPOINT": "a:4317",
                "OTEL_EXPORTER_OTLP_INSECURE": "true",
            },
            "http://a:4317",
        ),
        ({"OTEL_ENDPOINT": "http://a:1/v1/traces"}, "http://a:1/v1/traces"),
        ({"OTEL_EXPORTER": "otlp_grpc", "OTEL_ENDPOINT": "http://a:1"}, "http://a:1"),
        ({"OTEL_EXPORTER": "console"}, "http://localhost:4318/v1/traces"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://[::1]:4318"}, "http://[::1]:4318/v1/traces"),
    ],
)
def test_the_variables_say_where(environ: Mapping[str, str], expected: str) -> None:
    assert url(traces(environ)) == expected


def test_an_endpoint_of_the_settings_has_nothing_of_the_environment_s() -> None:
    environ = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://theirs:1",
        "OTEL_EXPORTER_OTLP_HEADERS": "authorization=theirs",
        "OTEL_EXPORTER_OTLP_TRACES_HEADERS": "authorization=theirs",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
    }
    route = traces(environ, OtelSettings("http://ours:2", (Secret("X-Key=a=b"),)))

    assert url(route) == "http://ours:2/v1/traces"
    assert route.headers == {"x-key": "a=b"}
    assert route.protocol == "http/protobuf"


def test_what_a_signal_has_of_its_own_stands_before_what_is_for_all() -> None:
    environ = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://all:1",
        "OTEL_EXPORTER_OTLP_HEADERS": "a=for%20all",
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://own:2/x",
        "OTEL_EXPORTER_OTLP_TRACES_HEADERS": "b=own",
        "OTEL_EXPORTER_OTLP_TIMEOUT": "2500",
        "OTEL_METRIC_EXPORT_INTERVAL": "5000",
    }
    filled_in = OtelSettings("http://all:1", (Secret("a=for all"),))

    for settings in (OtelSettings(), filled_in):
        plan = read_plan(settings, environ)
        assert plan.traces is not None
        assert plan.metrics is not None
        assert (url(plan.traces), plan.traces.headers) == ("http://own:2/x", {"b": "own"})
        assert url(plan.metrics) == "http://all:1/v1/metrics"
        assert plan.metrics.headers == {"a": "for all"}
        assert plan.traces.timeout == 2.5
        assert plan.interval == 5.0


def test_signals_can_be_switched_off() -> None:
    none = read_plan(OtelSettings(), {"OTEL_SDK_DISABLED": "TRUE"})
    some = read_plan(OtelSettings(), {"OTEL_METRICS_EXPORTER": "none"})

    assert (none.traces, none.metrics) == (None, None)
    assert some.traces is not None
    assert some.metrics is None


@pytest.mark.parametrize(
    ("settings", "environ", "name"),
    [
        (OtelSettings(), {}, "understudy"),
        (OtelSettings(), {"OTEL_RESOURCE_ATTRIBUTES": "service.name=a"}, "a"),
        (
            OtelSettings(),
            {"OTEL_RESOURCE_ATTRIBUTES": "service.name=a", "OTEL_SERVICE_NAME": "b"},
            "b",
        ),
        (OtelSettings(service_name="c"), {"OTEL_SERVICE_NAME": "b"}, "c"),
    ],
)
def test_the_service_has_one_name(
    settings: OtelSettings, environ: Mapping[str, str], name: str
) -> None:
    assert read_plan(settings, environ).resource["service.name"] == name


@pytest.mark.parametrize(
    ("settings", "environ", "fault"),
    [
        (OtelSettings("localhost:4318"), {}, "understudy.sinks.otel.endpoint: must be a URL"),
        (
            OtelSettings("http://me:canary@x"),
            {},
            "understudy.sinks.otel.endpoint: must hold no user or password",
        ),
        (OtelSettings(headers=(Secret("canary"),)), {}, "understudy.sinks.otel.headers: each"),
        (OtelSettings(headers=(Secret("a=canary\nb"),)), {}, "understudy.sinks.otel.headers: each"),
        (
            OtelSettings(),
            {"OTEL_EXPORTER_OTLP_HEADERS": "a=canary%0d%0ab"},
            "OTEL_EXPORTER_OTLP_HEADERS: each must be name=value",
        ),
        (OtelSettings(), {"OTEL_EXPORTER_OTLP_PROTOCOL": "canary"}, "OTEL_EXPORTER_OTLP_PROTOCOL:"),
    ],
)
def test_what_cannot_be_used_is_a_fault_that_shows_no_secret(
    settings: OtelSettings, environ: Mapping[str, str], fault: str
) -> None:
    (found,) = find_otel_faults(settings, environ)

    assert found.startswith(fault)
    assert "canary" not in found
    with pytest.raises(ConfigError):
        read_plan(settings, environ)


def test_headers_are_in_no_repr() -> None:
    assert "canary" not in repr(read_plan(OtelSettings(headers=(Secret("a=canary"),)), {}))
