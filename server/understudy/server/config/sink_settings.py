"""The settings of what hears of calls besides the records: one value for each kind of tool.

`None` in place of a value: nobody named that tool, here or in the callbacks of a LiteLLM file,
and nothing is sent to it. What is not said here is read from the tool's own environment variables
when the file is read, so that these values are whole. Secrets show nothing of themselves.
"""

from dataclasses import dataclass
from typing import Literal

from understudy.server.config.credentials import SecretField
from understudy.server.config.units import Bytes, Name, PositiveSeconds

Capture = Literal["metadata", "redacted", "content"]
# Which calls are told: LiteLLM's success_callback and failure_callback, or both.
Hears = Literal["all", "successes", "failures"]

_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class OtelSettings:
    """Where traces and metrics go by OTLP. `None`: as the OTEL_* variables say."""

    endpoint: Name | None = None  # the base of it, such as http://localhost:4318
    headers: tuple[SecretField, ...] = ()  # as `name=value`
    protocol: Literal["http/protobuf", "grpc"] = "http/protobuf"
    service_name: Name = "understudy"
    capture: Capture = "content"
    hears: Hears = "all"


@dataclass(frozen=True, slots=True)
class LangfuseSettings:
    """A Langfuse project."""

    public_key: Name | None = None  # None: LANGFUSE_PUBLIC_KEY
    secret_key: SecretField | None = None  # None: LANGFUSE_SECRET_KEY
    host: Name | None = None  # None: LANGFUSE_HOST, or Langfuse's own cloud
    environment: Name = "default"  # silent calls are in this one with `-mirror` behind it
    capture: Capture = "content"
    hears: Hears = "all"


@dataclass(frozen=True, slots=True)
class BucketSettings:
    """An object store, or a folder."""

    url: Name | None = None  # s3://bucket/prefix, gs://…, az://…, file:///folder
    format: Literal["lines", "litellm"] = "lines"  # JSON lines in batches, or an object for each
    every: PositiveSeconds = 10.0  # between uploads
    most_bytes: Bytes = 16 * _MIB  # of a batch
    spool_bytes: Bytes = 1024 * _MIB  # on disk while the store is away; then the oldest goes
    region: Name | None = None
    endpoint: Name | None = None  # of what speaks S3 and is not Amazon's
    access_key_id: SecretField | None = None  # None: a role, or the environment's
    secret_access_key: SecretField | None = None
    session_token: SecretField | None = None
    capture: Capture = "content"
    hears: Hears = "all"


@dataclass(frozen=True, slots=True)
class SinkSettings:
    """Everything below `understudy.sinks`."""

    otel: OtelSettings | None = None
    langfuse: LangfuseSettings | None = None
    bucket: BucketSettings | None = None
    json_log: bool = False  # a line of JSON on stdout for each call, without its texts
