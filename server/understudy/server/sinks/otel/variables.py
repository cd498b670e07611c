"""Where OTLP goes: the settings' word, and for the rest OpenTelemetry's own variables. Pure.

Where the settings name an endpoint that the environment does not, nothing of the environment's
endpoint counts: the key for one collector is not sent to another. LiteLLM's `OTEL_EXPORTER`,
`OTEL_ENDPOINT` and `OTEL_HEADERS` count where the standard ones are unset.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Literal
from urllib.parse import unquote

from understudy.server.config.sink_settings import OtelSettings
from understudy.server.errors import ConfigError
from understudy.server.sinks.otel.traces import Sampler, read_sampler
from understudy.server.sinks.sending.addresses import Address, AddressError, read_address

_OURS: Final = "understudy.sinks.otel"
_HEADER: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_PORTS: Final = {"http/protobuf": 4318, "grpc": 4317}
_ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_ENDPOINT")
_FOR_ALL: Final = ("OTEL_EXPORTER_OTLP_HEADERS", "OTEL_HEADERS")
_PATHS: Final = ("/v1/traces", "/v1/metrics", "/v1/logs")
_PROTOCOLS: Final[Mapping[str, Literal["http/protobuf", "grpc"]]] = {
    "http/protobuf": "http/protobuf",
    "http/json": "http/protobuf",  # whoever takes the one takes the other
    "otlp_http": "http/protobuf",
    "grpc": "grpc",
    "otlp_grpc": "grpc",
}


@dataclass(frozen=True, slots=True)
class Route:
    """How one signal reaches its receiver. `timeout` is in seconds."""

    address: Address
    protocol: Literal["http/protobuf", "grpc"]
    headers: Mapping[str, str] = field(repr=False)
    squeeze: bool = False
    timeout: float = 10.0
    ca_file: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is sent, and where. `None`: that signal is not. `interval` is in seconds."""

    traces: Route | None
    metrics: Route | None
    resource: Mapping[str, str]
    sampler: Sampler
    interval: float = 60.0


def find_otel_faults(settings: OtelSettings, environ: Mapping[str, str]) -> list[str]:
    """Return what keeps `open_otel` from opening, each as `where: what is wrong`."""
    try:
        read_plan(settings, environ)
    except ConfigError as error:
        return error.faults
    return []


def read_plan(settings: OtelSettings, environ: Mapping[str, str]) -> Plan:
    """Read it all. Raises ConfigError with every fault; none repeats a header's value."""
    faults: list[str] = []
    routes: dict[str, Route | None] = {}
    for signal in ("TRACES", "METRICS"):
        routes[signal] = None
        if _is_true(environ, "OTEL_SDK_DISABLED"):
            continue
        if environ.get(f"OTEL_{signal}_EXPORTER", "").strip().lower() == "none":
            continue
        routes[signal] = _Reading(settings, environ, signal, faults).route()
    if faults:
        raise ConfigError(list(dict.fromkeys(faults)))
    interval = _milliseconds(environ.get("OTEL_METRIC_EXPORT_INTERVAL", ""), 60.0)
    resource = _resource(settings, environ)
    return Plan(routes["TRACES"], routes["METRICS"], resource, read_sampler(environ), interval)


class _Reading:
    def __init__(
        self, settings: OtelSettings, environ: Mapping[str, str], signal: str, faults: list[str]
    ) -> None:
        self._settings = settings
        self._environ = environ
        self._signal = signal
        self._faults = faults
        known = (environ.get(one, "").strip() for one in _ENDPOINTS)
        # Whoever read the file may have filled in what the environment says.
        self._is_own = settings.endpoint is not None and settings.endpoint not in map(_base, known)

    def route(self) -> Route | None:
        protocol = self._protocol()
        address = self._address(protocol)
        headers = self._headers()
        if address is None:
            return None
        return Route(
            address,
            protocol,
            headers,
            squeeze=self._find("COMPRESSION")[1] == "gzip",
            timeout=_milliseconds(self._find("TIMEOUT")[1], 10.0),
            ca_file=self._find("CERTIFICATE")[1],
        )

    def _find(self, name: str, litellm: str = "") -> tuple[str, str]:
        """Return the first variable that is set, and its value."""
        for one in (
            f"OTEL_EXPORTER_OTLP_{self._signal}_{name}",
            f"OTEL_EXPORTER_OTLP_{name}",
            litellm,
        ):
            if one and (value := self._environ.get(one, "").strip()):
                return one, value
        return "", ""

    def _protocol(self) -> Literal["http/protobuf", "grpc"]:
        if self._is_own:
            return self._settings.protocol
        variable, value = self._find("PROTOCOL", "OTEL_EXPORTER")
        if not value or (variable == "OTEL_EXPORTER" and value not in _PROTOCOLS):
            return self._settings.protocol
        if value not in _PROTOCOLS:
            self._faults.append(f"{variable}: must be http/protobuf or grpc")
        return _PROTOCOLS.get(value, self._settings.protocol)

    def _address(self, protocol: Literal["http/protobuf", "grpc"]) -> Address | None:
        where, url = f"{_OURS}.endpoint", self._settings.endpoint
        if not self._is_own:
            where, url = self._find("ENDPOINT", "OTEL_ENDPOINT")
        if not url:
            url = f"http://localhost:{_PORTS[protocol]}"
        if "://" not in url and protocol == "grpc":
            _, insecure = self._find("INSECURE")
            url = f"{'http' if insecure.lower() == 'true' else 'https'}://{url}"
        try:
            address = read_address(url)
        except AddressError as error:
            self._faults.append(f"{where}: {error}")
            return None
        if protocol == "grpc" or where.startswith(f"OTEL_EXPORTER_OTLP_{self._signal}_"):
            return address  # of a signal of its own the variable is the whole URL
        address = replace(address, path=_base(address.path))  # LiteLLM's may be whole, too
        return address.below(f"/v1/{self._signal.lower()}")

    def _headers(self) -> dict[str, str]:
        headers: dict[str, str] = {}
        given = [one.value for one in self._settings.headers]
        self._add(headers, f"{_OURS}.headers", given, quoted=False)
        variable, value = self._find("HEADERS", "OTEL_HEADERS")
        if value and not self._is_own and not (headers and variable in _FOR_ALL):
            headers.clear()  # the signal's own replace those for all
            self._add(headers, variable, value.split(","), quoted=True)
        return headers

    def _add(
        self, headers: dict[str, str], where: str, pairs: Iterable[str], *, quoted: bool
    ) -> None:
        for pair in pairs:
            name, equals, value = pair.partition("=")
            name, value = name.strip().lower(), value.strip()
            value = unquote(value) if quoted else value
            if not (equals and _HEADER.fullmatch(name) and value.isascii() and value.isprintable()):
                self._faults.append(f"{where}: each must be name=value, in printable ASCII")
            else:
                headers[name] = value


def _resource(settings: OtelSettings, environ: Mapping[str, str]) -> dict[str, str]:
    found = {"service.name": settings.service_name}
    for pair in environ.get("OTEL_RESOURCE_ATTRIBUTES", "").split(","):
        name, equals, value = pair.partition("=")
        if equals and name.strip():
            found[name.strip()] = unquote(value.strip())
    if name := environ.get("OTEL_SERVICE_NAME", "").strip():
        found["service.name"] = name
    if settings.service_name != OtelSettings().service_name:
        found["service.name"] = settings.service_name
    return found


def _base(url: str) -> str:
    """Return the URL to which the signals' paths are added."""
    url = url.rstrip("/")
    for path in _PATHS:
        url = url.removesuffix(path)
    return url


def _is_true(environ: Mapping[str, str], name: str) -> bool:
    return environ.get(name, "").strip().lower() == "true"


def _milliseconds(value: str, usual: float) -> float:
    """Return what a variable holds in seconds; what is no number counts as unset."""
    if value.isascii() and value.isdecimal() and int(value[:9]) > 0:
        return int(value[:9]) / 1_000
    return usual
