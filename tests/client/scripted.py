"""A completion service that does what a test tells it, on a real socket."""

import threading
from collections.abc import Callable, Generator, Iterator
from concurrent import futures
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NoReturn

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthServicer, add_HealthServicer_to_server

from understudy.v1.chat_pb2 import ChatMessage
from understudy.v1.completion_pb2 import (
    Choice,
    ChoiceDelta,
    CreateCompletionRequest,
    CreateCompletionResponse,
    ListModelsRequest,
    ListModelsResponse,
    StreamCompletionResponse,
)
from understudy.v1.completion_pb2_grpc import (
    CompletionServiceServicer,
    add_CompletionServiceServicer_to_server,
)

Context = grpc.ServicerContext
Trailer = tuple[str, str | bytes]


def echo(request: CreateCompletionRequest, context: Context) -> CreateCompletionResponse:
    """Answer with the last message."""
    content = request.messages[-1].content if request.messages else ""
    message = ChatMessage(role="assistant", content=content)
    return CreateCompletionResponse(id="1", choices=[Choice(message=message)])


def spell(request: CreateCompletionRequest, context: Context) -> Iterator[StreamCompletionResponse]:
    """Answer with the last message, letter by letter."""
    for letter in request.messages[-1].content:
        yield piece(letter)


def piece(content: str) -> StreamCompletionResponse:
    """A piece of an answer."""
    return StreamCompletionResponse(choices=[ChoiceDelta(delta=ChatMessage(content=content))])


@dataclass(slots=True)
class Scripted(CompletionServiceServicer):
    """Keeps what it was asked, and answers as `unary`, `streamed` and `listed` say."""

    unary: Callable[[CreateCompletionRequest, Context], CreateCompletionResponse] = echo
    streamed: Callable[[CreateCompletionRequest, Context], Iterator[StreamCompletionResponse]] = (
        spell
    )
    listed: Callable[[ListModelsRequest], ListModelsResponse] = lambda _: ListModelsResponse()
    requests: list[CreateCompletionRequest] = field(default_factory=list[CreateCompletionRequest])
    metadata: list[dict[str, str | bytes]] = field(default_factory=list[dict[str, str | bytes]])
    ended: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    """Released once for each streamed call that is over, whatever ended it."""

    def CreateCompletion(
        self, request: CreateCompletionRequest, context: Context
    ) -> CreateCompletionResponse:
        self._note(request, context)
        return self.unary(request, context)

    def StreamCompletion(
        self, request: CreateCompletionRequest, context: Context
    ) -> Iterator[StreamCompletionResponse]:
        self._note(request, context)
        context.add_callback(self.ended.release)
        return self.streamed(request, context)

    def ListModels(self, request: ListModelsRequest, context: Context) -> ListModelsResponse:
        return self.listed(request)

    def _note(self, request: CreateCompletionRequest, context: Context) -> None:
        self.requests.append(request)
        self.metadata.append(dict(context.invocation_metadata()))


class Health(HealthServicer):
    """Says of the whole service what it is told to.

    The servicer that comes with grpcio-health-checking sends while it holds its lock, and hangs
    for good when a watcher leaves just then.
    """

    def __init__(self) -> None:
        self._serving = True
        self._changed = threading.Condition()

    def set(self, *, serving: bool) -> None:
        """Tell every watcher."""
        self._serving = serving
        self._wake()

    def Watch(self, request: HealthCheckRequest, context: Context) -> Iterator[HealthCheckResponse]:
        context.add_callback(self._wake)
        told: bool | None = None
        while context.is_active():
            with self._changed:
                while told is self._serving and context.is_active():
                    self._changed.wait()
                told = self._serving
            yield HealthCheckResponse(status="SERVING" if told else "NOT_SERVING")

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify_all()


@dataclass(frozen=True, slots=True)
class Server:
    """A running service."""

    address: str
    service: Scripted
    health: Health


@contextmanager
def serving(
    address: str = "127.0.0.1:0",
    *,
    credentials: grpc.ServerCredentials | None = None,
    with_health: bool = True,
) -> Generator[Server]:
    """Run a scripted service until the block ends."""
    # Each watcher of its health keeps a thread.
    server = grpc.server(
        futures.ThreadPoolExecutor(64),
        options=[
            ("grpc.so_reuseport", 0),
            ("grpc.max_receive_message_length", -1),
            ("grpc.max_send_message_length", -1),
        ],
    )
    service = Scripted()
    health = Health()
    add_CompletionServiceServicer_to_server(service, server)
    if with_health:
        add_HealthServicer_to_server(health, server)
    if credentials is None:
        port = server.add_insecure_port(address)
    else:
        port = server.add_secure_port(address, credentials)
    server.start()
    host = address.rpartition(":")[0]
    try:
        yield Server(f"{host}:{port}" if port > 1 else address, service, health)
    finally:
        server.stop(None).wait()


def tell(
    code: grpc.StatusCode,
    reason: str,
    *details: Message,
    metadata: dict[str, str] | None = None,
    pushback: str | None = None,
) -> tuple[str, tuple[Trailer, ...]]:
    """Return the message and the trailers with which Understudy ends a call."""
    status = Status(code=code.value[0], message=f"{reason}: told by a test")
    info = ErrorInfo(reason=reason, domain="understudy", metadata=metadata or {})
    for detail in (info, *details):
        packed = AnyMessage()
        packed.Pack(detail)
        status.details.append(packed)
    trailers: list[Trailer] = [("grpc-status-details-bin", status.SerializeToString())]
    if pushback is not None:
        trailers.append(("grpc-retry-pushback-ms", pushback))
    return status.message, tuple(trailers)


def fail(
    context: Context,
    code: grpc.StatusCode,
    reason: str,
    *details: Message,
    metadata: dict[str, str] | None = None,
    pushback: str | None = None,
) -> NoReturn:
    """End a call as Understudy does."""
    message, trailers = tell(code, reason, *details, metadata=metadata, pushback=pushback)
    context.set_trailing_metadata(trailers)
    context.abort(code, message)
    raise AssertionError("abort raises")


def hold_calls(service: Scripted) -> None:
    """Make the model "wait" answer only after "go", and "count" say how many calls there were."""
    going = threading.Event()
    started = threading.Event()

    def answer(request: CreateCompletionRequest, context: Context) -> CreateCompletionResponse:
        match request.model:
            case "wait":
                started.set()
                while context.is_active() and not going.wait(0.1):  # its caller may have ended
                    pass
            case "go":
                going.set()
            case "count":
                content = "2" if started.is_set() else "1"
                return CreateCompletionResponse(
                    choices=[Choice(message=ChatMessage(content=content))]
                )
            case _:
                pass
        return echo(request, context)

    service.unary = answer
