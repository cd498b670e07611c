"""Turns LiteLLM's callbacks into sinks, and fills in what tools are told by their own variables.

The names and variables are LiteLLM's, and mean here what they mean there. Whatever our own section
says of a sink stands; what it leaves open is read from the file's callbacks and the environment.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal, TypeVar

from understudy.server.config.credentials import HiddenError, secret
from understudy.server.config.document import Node
from understudy.server.config.fields import Fields
from understudy.server.config.findings import Findings
from understudy.server.config.sink_settings import (
    BucketSettings,
    Capture,
    Hears,
    LangfuseSettings,
    OtelSettings,
    SinkSettings,
)
from understudy.server.config.standing_table import Standing
from understudy.server.domain.deployment import Secret

T = TypeVar("T", OtelSettings, LangfuseSettings, BucketSettings)
Tool = Literal["otel", "langfuse", "bucket"]

OFF: Final = "turn_off_message_logging"
S3_PARAMS: Final = "s3_callback_params"

# Which of LiteLLM's names stand for which sink.
TOOLS: Final[Mapping[str, Tool]] = {
    "langfuse": "langfuse",
    "langfuse_otel": "langfuse",
    "otel": "otel",
    "s3": "bucket",
    "s3_v2": "bucket",
}
_LISTS: Final[Mapping[str, Hears]] = {
    "callbacks": "all",
    "success_callback": "successes",
    "failure_callback": "failures",
}
_ENDPOINTS: Final = (
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "OTEL_ENDPOINT",
)
_NOT_SENT: Final = frozenset({"console", "in_memory"})
_AMERICAN_CLOUD: Final = "https://us.cloud.langfuse.com"


@dataclass(frozen=True, slots=True)
class _Named:
    """A sink that the LiteLLM part names: where, and which calls it shall hear of."""

    hears: Hears
    places: tuple[tuple[str, Node], ...]  # the name in the report, and its node
    names: frozenset[str]

    def beside(self, other: "_Named") -> "_Named":
        hears = self.hears if self.hears == other.hears else "all"
        return _Named(hears, self.places + other.places, self.names | other.names)


class Callbacks:
    """What a file's LiteLLM part and the environment say of sinks."""

    def __init__(self, litellm: Fields, environ: Mapping[str, str], findings: Findings) -> None:
        self._litellm = litellm
        self._environ = environ
        self._findings = findings
        self._named: dict[Tool, _Named] = {}
        for tool, one in _find(litellm):
            known = self._named.get(tool)
            self._named[tool] = one if known is None else known.beside(one)
        self._capture: Capture = "metadata" if litellm.flag(OFF) else "content"

    def complete(self, sinks: SinkSettings, section: Fields) -> SinkSettings:
        """Return the sinks of our section, `section`, with what else names and completes them.

        A sink of our section that lacks what it cannot do without is a fault there; one that only
        a callback names is reported as missed.
        """
        return replace(
            sinks,
            otel=self._settle("otel", sinks.otel, OtelSettings(), section, self._otel),
            langfuse=self._settle(
                "langfuse", sinks.langfuse, LangfuseSettings(), section, self._langfuse
            ),
            bucket=self._settle(
                "bucket", sinks.bucket, BucketSettings(format="litellm"), section, self._bucket
            ),
        )

    def _settle(
        self,
        tool: Tool,
        own: T | None,
        default: T,
        section: Fields,
        complete: Callable[[T, frozenset[str]], T | str],
    ) -> T | None:
        named = self._named.get(tool)
        if own is None and named is None:
            return None
        given = frozenset[str]() if own is None else section.mapping(tool).values.keys()
        wanted = own or default
        if named is not None and "hears" not in given:
            wanted = replace(wanted, hears=named.hears)
        if "capture" not in given:
            # LiteLLM says it of everything that logs; whoever wants words all the same says so.
            wanted = replace(wanted, capture=self._capture)
        done = complete(wanted, frozenset() if named is None else named.names)
        if not isinstance(done, str):
            return done
        if own is not None:
            section.fault(tool, done)
        elif named is not None:
            for name, node in named.places:
                self._findings.add(name, Standing.MISSED, done, node)
        return None

    def _otel(self, wanted: OtelSettings, names: frozenset[str]) -> OtelSettings | str:
        # Its other variables are OpenTelemetry's own, and read where spans are sent.
        endpoint = wanted.endpoint or self._variable(*_ENDPOINTS)
        exporter = self._variable("OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER")
        if names and endpoint is None and exporter in _NOT_SENT:
            return f"OTEL_EXPORTER is {exporter}: spans are sent by OTLP here, to OTEL_ENDPOINT"
        if endpoint is None:
            self._findings.note("otel: no endpoint is set; spans go to this machine, by OTLP")
        return wanted

    def _langfuse(self, wanted: LangfuseSettings, names: frozenset[str]) -> LangfuseSettings | str:
        public = wanted.public_key or self._variable("LANGFUSE_PUBLIC_KEY")
        private = wanted.secret_key or self._secret("LANGFUSE_SECRET_KEY")
        lacking = [
            name
            for name, value in (("LANGFUSE_PUBLIC_KEY", public), ("LANGFUSE_SECRET_KEY", private))
            if value is None
        ]
        if lacking:
            return f"{' and '.join(lacking)} not set"
        variables = ["LANGFUSE_HOST", "LANGFUSE_BASE_URL"]
        if "langfuse_otel" in names:
            variables.insert(0, "LANGFUSE_OTEL_HOST")
        host = wanted.host or self._variable(*variables)
        if host is None and names == frozenset({"langfuse_otel"}):
            host = _AMERICAN_CLOUD  # LiteLLM's default for this name, and for this name only
        if host is not None and "://" not in host:
            host = f"https://{host}"
        environment = self._variable("LANGFUSE_TRACING_ENVIRONMENT")
        is_default = wanted.environment == LangfuseSettings().environment
        return replace(
            wanted,
            public_key=public,
            secret_key=private,
            host=host,
            environment=environment if environment and is_default else wanted.environment,
        )

    def _bucket(self, wanted: BucketSettings, names: frozenset[str]) -> BucketSettings | str:
        params = self._litellm.mapping(S3_PARAMS)
        url = wanted.url
        if url is None and (bucket := params.text("s3_bucket_name")):
            prefix = (params.text("s3_path") or "").strip("/")
            url = f"s3://{bucket}/{prefix}" if prefix else f"s3://{bucket}"
        if url is None:
            return f"{S3_PARAMS}.s3_bucket_name is not set" if names else "url is missing"

        def credential(key: str) -> Secret | None:
            try:
                return None if (value := params.text(key)) is None else secret(value)
            except HiddenError as error:
                params.fault(key, str(error))
                return None

        return replace(
            wanted,
            url=url,
            region=wanted.region or params.text("s3_region_name"),
            endpoint=wanted.endpoint or params.text("s3_endpoint_url"),
            access_key_id=wanted.access_key_id or credential("s3_aws_access_key_id"),
            secret_access_key=wanted.secret_access_key or credential("s3_aws_secret_access_key"),
            session_token=wanted.session_token or credential("s3_aws_session_token"),
        )

    def _variable(self, *names: str) -> str | None:
        """Return the first of these variables that is set to something."""
        return next((value for name in names if (value := self._environ.get(name))), None)

    def _secret(self, name: str) -> Secret | None:
        value = self._environ.get(name)
        return Secret(value, name) if value else None


def _find(litellm: Fields) -> Iterator[tuple[Tool, _Named]]:
    for key, hears in _LISTS.items():
        node = litellm.values.get(key)
        if node is None:
            continue
        for item in node.value if isinstance(node.value, tuple) else (node,):
            name = item.value
            tool = TOOLS.get(name) if isinstance(name, str) else None
            if tool is not None and isinstance(name, str):
                place = f"litellm_settings.{key}.{item.variable or name}", item
                yield tool, _Named(hears, (place,), frozenset({name}))
