"""A project of Langfuse's on loopback: what its ingestion checks, and what it makes of a span.

It reads attributes as Langfuse does, JSON within texts where Langfuse parses it.
"""

import json
from base64 import b64encode
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from opentelemetry.proto.trace.v1.trace_pb2 import Span

from understudy.server.config.sink_settings import LangfuseSettings
from understudy.server.domain.deployment import Secret
from understudy.server.sinks.langfuse.sink import LangfuseSink, open_langfuse
from understudy.server.sinks.sending.sender import Bounds

from ..otel.opened import HURRIED, SMALL
from ..otel.receiving import TAKEN, Plain, Post, Receiver, Reply, Script, plain, receiving

PUBLIC = "pk-lf-public"
SECRET = "sk-lf-canary-5b1e"
SETTINGS = LangfuseSettings(PUBLIC, Secret(SECRET, "LANGFUSE_SECRET_KEY"), environment="live")
TRACES = "/api/public/otel/v1/traces"
SCORES = "/api/public/scores"
_AUTHORIZATION = "Basic " + b64encode(f"{PUBLIC}:{SECRET}".encode()).decode()


@dataclass(frozen=True, slots=True)
class Observation:
    """What Langfuse makes of a span."""

    trace_id: str
    id: str
    parent: str
    name: str
    said: dict[str, Plain]

    @property
    def environment(self) -> Plain:
        """Where it is shown."""
        return self.said["langfuse.environment"]

    def parsed(self, name: str) -> Any:
        """A part that is JSON."""
        return json.loads(str(self.said[f"langfuse.observation.{name}"]))

    def metadata(self, name: str) -> Plain | None:
        """One of its metadata."""
        return self.said.get(f"langfuse.observation.metadata.{name}")


@dataclass
class Project:
    """What has arrived."""

    receiver: Receiver
    url: str
    refusals: list[str] = field(default_factory=list[str])
    scores: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])

    @property
    def observations(self) -> list[Observation]:
        """What Langfuse would show, as it came."""
        return [observe(span) for span in self.receiver.spans]

    def answer(self, post: Post) -> Reply:
        """Check a delivery as Langfuse does."""
        if post.headers.get("authorization") != _AUTHORIZATION:
            self.refusals.append("credentials")
            return Reply(401)
        if post.path == TRACES:
            if post.headers.get("x-langfuse-ingestion-version") != "4":
                self.refusals.append("version")
            return TAKEN
        if post.path == SCORES and post.headers["content-type"] == "application/json":
            score: dict[str, Any] = json.loads(post.body)
            kinds = {"NUMERIC": (int, float), "BOOLEAN": (int,), "CATEGORICAL": (str,)}
            if not isinstance(score["value"], kinds[score["dataType"]]) or not score["name"]:
                self.refusals.append("score")
                return Reply(400)
            self.scores[score["id"]] = score
            return Reply(201, body=b'{"id":"x"}')
        self.refusals.append(post.path)
        return Reply(404)


def observe(span: Span) -> Observation:
    """Read a span as Langfuse does."""
    parent = span.parent_span_id.hex()
    return Observation(
        span.trace_id.hex(), span.span_id.hex(), parent, span.name, plain(span.attributes)
    )


@contextmanager
def project(script: Script = lambda _number, _post: TAKEN) -> Generator[Project]:
    """Run a project. `script` may refuse a delivery before it is looked at."""
    projects: list[Project] = []

    def answer(number: int, post: Post) -> Reply:
        reply = script(number, post)
        return projects[0].answer(post) if reply is TAKEN else reply

    with receiving(answer) as receiver:
        projects.append(Project(receiver, receiver.url))
        yield projects[0]


@contextmanager
def opened(
    url: str, settings: LangfuseSettings = SETTINGS, bounds: Bounds = SMALL
) -> Generator[LangfuseSink]:
    """A sink for a project."""
    sink = open_langfuse(replace(settings, host=url), bounds=bounds, patience=HURRIED)
    try:
        yield sink
    finally:
        sink.close(5.0)
