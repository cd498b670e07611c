"""A strict OTLP receiver on loopback, by HTTP: it takes nothing that the protocol does not allow.

What it answers to each delivery is the test's; without a word of it, whatever is well-formed is
taken.
"""

import gzip
import ssl
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Lock, Thread

from google.protobuf.message import Message
from google.protobuf.unknown_fields import UnknownFieldSet
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
from opentelemetry.proto.trace.v1.trace_pb2 import Span

Plain = str | int | float | bool | list[str]


@dataclass(frozen=True, slots=True)
class Post:
    """A delivery as it came."""

    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Reply:
    """What the receiver answers. `hang`: nothing, ever; `drip`: a byte now and then."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    body: bytes = b""
    hang: bool = False
    drip: bool = False
    slam: bool = False


TAKEN = Reply()
Script = Callable[[int, Post], Reply]


class Receiver:
    """What has arrived, and been taken."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.posts: list[Post] = []
        self.spans: list[Span] = []
        self.metrics: list[Metric] = []
        self.resources: list[dict[str, Plain]] = []
        self.faults: list[str] = []
        self.url = ""
        self.ending = Event()
        self._lock = Lock()

    def take(self, post: Post) -> Reply:
        """Answer a delivery."""
        with self._lock:
            number = len(self.posts)
            self.posts.append(post)
            reply = self.script(number, post)
            if reply.status == 200 and not (reply.hang or reply.drip or reply.slam):
                try:
                    self._keep(post)
                except ValueError as error:
                    self.faults.append(str(error))
                    return Reply(400)
            return reply

    def _keep(self, post: Post) -> None:
        if post.headers.get("content-type") != "application/x-protobuf":
            raise ValueError(f"a content type of {post.headers.get('content-type')}")
        squeezed = post.headers.get("content-encoding") == "gzip"
        body = gzip.decompress(post.body) if squeezed else post.body
        if post.path.endswith("/v1/metrics"):
            self.take_metrics(ExportMetricsServiceRequest.FromString(body))
        elif post.path.endswith("/v1/traces"):
            self.take_traces(ExportTraceServiceRequest.FromString(body))
        else:
            raise ValueError(f"nothing is at {post.path}")

    def take_traces(self, request: ExportTraceServiceRequest) -> None:
        """Take spans. Raises ValueError for what is not as the protocol says."""
        check_known(request)
        for resource in request.resource_spans:
            self.resources.append(plain(resource.resource.attributes))
            for scope in resource.scope_spans:
                for span in scope.spans:
                    check(span)
                self.spans += scope.spans

    def take_metrics(self, request: ExportMetricsServiceRequest) -> None:
        """Take metrics."""
        check_known(request)
        for resource in request.resource_metrics:
            for scope in resource.scope_metrics:
                self.metrics += scope.metrics


def check_known(message: Message) -> None:
    """Raise ValueError for a field that the protocol does not have, at any depth."""
    if len(UnknownFieldSet(message)):
        raise ValueError(f"a field that {message.DESCRIPTOR.name} does not have")
    for descriptor, value in message.ListFields():
        if descriptor.message_type is not None:
            for one in [value] if isinstance(value, Message) else value:
                check_known(one)


def check(span: Span) -> None:
    """Raise ValueError for a span that a receiver may refuse."""
    for name, size in (("trace_id", 16), ("span_id", 8)):
        value: bytes = getattr(span, name)
        if len(value) != size or not any(value):
            raise ValueError(f"a {name} of {value!r}")
    if span.parent_span_id and len(span.parent_span_id) != 8:
        raise ValueError("a parent of another length")
    if not span.name or span.end_time_unix_nano < span.start_time_unix_nano:
        raise ValueError("no name, or an end before the start")
    keys = [one.key for one in span.attributes]
    if len(keys) != len(set(keys)) or "" in keys:
        raise ValueError(f"attributes that are not each there once: {sorted(keys)}")
    if any("\0" in one.value.string_value for one in span.attributes):
        raise ValueError("a NUL, which the store behind cannot take")


def plain(pairs: Iterable[KeyValue]) -> dict[str, Plain]:
    """Attributes as Python has them."""
    return {one.key: _plain(one.value) for one in pairs}


def _plain(value: AnyValue) -> Plain:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [one.string_value for one in value.array_value.values]
    assert kind in ("string_value", "int_value", "double_value", "bool_value"), kind
    found: Plain = getattr(value, kind)
    return found


class _Server(ThreadingHTTPServer):
    receiver: Receiver
    daemon_threads = True
    allow_reuse_address = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Senders that hang up are no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        """Take a delivery."""
        size = int(self.headers["content-length"])
        headers = {name.lower(): value for name, value in self.headers.items()}
        assert isinstance(self.server, _Server)
        receiver = self.server.receiver
        reply = receiver.take(Post(self.path, headers, self.rfile.read(size)))
        self.close_connection = reply.hang or reply.drip or reply.slam
        if reply.slam:
            return
        if reply.hang:
            receiver.ending.wait()
            return
        body = reply.body
        head = [f"HTTP/1.1 {reply.status} Said", f"content-length: {len(body)}"]
        head += [f"{name}: {value}" for name, value in reply.headers.items()]
        answer = "\r\n".join(head).encode() + b"\r\n\r\n" + body
        if not reply.drip:
            self.wfile.write(answer)
            return
        for at in range(len(answer)):
            if receiver.ending.wait(0.02):
                return
            self.wfile.write(answer[at : at + 1])

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def receiving(
    script: Script = lambda _number, _post: TAKEN,
    port: int = 0,
    context: ssl.SSLContext | None = None,
) -> Generator[Receiver]:
    """Run a receiver on a free port, or on this one."""
    receiver = Receiver(script)
    with _Server(("127.0.0.1", port), _Handler) as server:
        server.receiver = receiver
        scheme = "http"
        if context is not None:
            scheme, server.socket = "https", context.wrap_socket(server.socket, server_side=True)
        receiver.url = f"{scheme}://127.0.0.1:{server.server_port}"
        thread = Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield receiver
        finally:
            receiver.ending.set()
            server.shutdown()
            thread.join()


def rejecting(count: int) -> Reply:
    """A reply that takes a delivery but for so many of its spans."""
    response = ExportTraceServiceResponse()
    response.partial_success.rejected_spans = count
    return Reply(body=response.SerializeToString())
