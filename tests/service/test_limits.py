"""What a single request may cost: bytes, messages, parts, and the memory that they become."""

import sys
from collections.abc import Generator
from pathlib import Path

import grpc
import pytest

from understudy.v1 import chat_pb2, completion_pb2, completion_pb2_grpc

from ..faults.holding import forget_peak, peak, resident
from ..stub.faultstub import FaultStub
from ..stub.runners import stub_thread
from .asking import Request, prompt, told
from .configs import deployment, write
from .running import Demo, serving

C = grpc.StatusCode
MIB = 1 << 20
MOST = 4 * MIB  # that this service takes
BESIDE = 48  # MiB, what a process may need beside

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="what it measures is in /proc")


@pytest.fixture(scope="module")
def stub() -> Generator[FaultStub]:
    with stub_thread(FaultStub()) as running:
        yield running


@pytest.fixture(scope="module")
def server(stub: FaultStub, tmp_path_factory: pytest.TempPathFactory) -> Generator[Demo]:
    """A service that takes 4 MiB, in a process of its own."""
    folder = tmp_path_factory.mktemp("limits")
    settings = {"server": {"port": 0, "max_message_bytes": MOST}, "state_dir": str(folder)}
    with serving(write(deployment(stub, "g"), understudy=settings), folder) as running:
        yield running


def ask(
    server: Demo,
    request: Request | bytes,
    compression: grpc.Compression = grpc.Compression.NoCompression,
) -> tuple[C, str, str]:
    """Return the code, the reason, and the field that the call was refused for."""
    data = request if isinstance(request, bytes) else request.SerializeToString()
    unlimited = [("grpc.max_send_message_length", -1)]
    with grpc.insecure_channel(server.target, options=unlimited) as channel:
        call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(
            "/understudy.v1.CompletionService/CreateCompletion"
        )
        try:
            call(data, timeout=30, compression=compression)
        except grpc.RpcError as error:
            found = told(error)  # type: ignore[arg-type]
            return found.code, found.reason, found.metadata.get("field", "")
    return C.OK, "", ""


def test_a_message_of_one_byte_too_many_is_refused(server: Demo, stub: FaultStub) -> None:
    """L-4."""
    asked = stub.count
    rest = MOST - prompt("g", "x" * MOST).ByteSize()  # negative: what all but the text takes

    assert ask(server, prompt("g", "x" * (MOST + rest)))[0] is C.OK
    assert ask(server, prompt("g", "x" * (MOST + rest + 1)))[0] is C.RESOURCE_EXHAUSTED
    assert stub.count == asked + 1


def messages(count: int, parts: int = 0, calls: int = 0) -> Request:
    """A prompt of so many messages, each of so many parts and calls."""
    one = chat_pb2.ChatMessage(
        role="assistant",
        content_parts=[chat_pb2.ContentPart(text="a")] * parts,
        tool_calls=[chat_pb2.ToolCall(id="a")] * calls,
    )
    return Request(model="g", messages=[one] * count)


def tools(count: int) -> Request:
    """A prompt with so many tools."""
    request = prompt("g")
    tool = chat_pb2.Tool(function=chat_pb2.FunctionDefinition(name="f"))
    request.tools.extend([tool] * count)
    return request


def stops(count: int) -> Request:
    """A prompt with so many stop sequences."""
    request = prompt("g")
    request.stop.extend(["a"] * count)
    return request


def biases(count: int) -> Request:
    """A prompt with so many biased tokens."""
    request = prompt("g")
    request.logit_bias.update({str(token): 1.0 for token in range(count)})
    return request


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (messages(10_001), "messages"),
        (messages(1, parts=10_001), "messages"),
        (messages(1, calls=10_001), "messages"),
        (messages(200, parts=30, calls=30), "messages"),
        (tools(1025), "tools"),
        (stops(1025), "stop"),
        (biases(10_001), "logit_bias"),
    ],
    ids=["messages", "parts", "calls", "parts and calls of all", "tools", "stop", "logit_bias"],
)
def test_more_of_anything_than_any_model_takes_is_refused_before_one_is_asked(
    server: Demo, stub: FaultStub, request_: Request, field: str
) -> None:
    """L-4."""
    asked = stub.count

    assert ask(server, request_) == (C.INVALID_ARGUMENT, "INVALID_REQUEST", field)
    assert stub.count == asked


@pytest.mark.parametrize(
    "request_",
    [messages(1000, parts=5, calls=5), tools(1024), stops(1024), biases(10_000)],
    ids=["parts and calls", "tools", "stop", "logit_bias"],
)
def test_as_much_as_some_model_might_take_is_passed_on(server: Demo, request_: Request) -> None:
    assert ask(server, request_)[0] is C.OK


@on_linux
def test_a_message_that_inflates_beyond_the_limit_is_refused_in_bounded_memory(
    server: Demo, stub: FaultStub
) -> None:
    """L-5: 64 kB on the wire that would be 64 MB."""
    asked = stub.count
    pid = server.process.pid
    forget_peak(pid)
    before = resident(pid)

    found = ask(server, prompt("g", "x" * (64 * MIB)), compression=grpc.Compression.Gzip)

    assert found[0] is C.RESOURCE_EXHAUSTED
    assert peak(pid) - before <= BESIDE
    assert stub.count == asked


def length(number: int) -> bytes:
    """Write a varint."""
    written = b""
    while number > 127:
        written += bytes([number & 127 | 128])
        number >>= 7
    return written + bytes([number])


def many(field: str, within: bytes = b"") -> bytes:
    """A message of nearly 4 MiB that repeats a field, empty or with this in it."""
    number = completion_pb2.CreateCompletionRequest.DESCRIPTOR.fields_by_name[field].number
    one = length(number << 3 | 2) + length(len(within)) + within
    return one * ((MOST - 100) // len(one))


def parts() -> bytes:
    """A message with one message of nearly 4 MiB of empty parts."""
    number = chat_pb2.ChatMessage.DESCRIPTOR.fields_by_name["content_parts"].number
    inner = (length(number << 3 | 2) + b"\0") * ((MOST - 100) // 2)
    outer = completion_pb2.CreateCompletionRequest.DESCRIPTOR.fields_by_name["messages"].number
    return length(outer << 3 | 2) + length(len(inner)) + inner


@on_linux
@pytest.mark.parametrize(
    "data",
    [many("messages"), many("tools"), many("stop"), parts(), many("messages", b"\xfa\x7f\x00")],
    ids=["messages", "tools", "stop", "parts", "messages of unknown fields"],
)
@pytest.mark.parametrize("compression", [grpc.Compression.NoCompression, grpc.Compression.Gzip])
def test_millions_of_empty_fields_are_not_even_built(
    server: Demo, data: bytes, compression: grpc.Compression
) -> None:
    """L-5: parsed, they would take eighty times their size; compressed they are a few kB."""
    pid = server.process.pid
    forget_peak(pid)
    before = resident(pid)

    found = ask(server, data, compression=compression)

    assert found == (C.INVALID_ARGUMENT, "REQUEST_TOO_LARGE", "")
    assert peak(pid) - before <= BESIDE


def test_a_stream_has_the_same_limits(server: Demo) -> None:
    with grpc.insecure_channel(server.target) as channel:
        ask_for = completion_pb2_grpc.CompletionServiceStub(channel)
        with pytest.raises(grpc.RpcError) as caught:
            list(ask_for.StreamCompletion(Request.FromString(many("stop")), timeout=30))

    assert told(caught.value).reason == "REQUEST_TOO_LARGE"  # type: ignore[arg-type]


def test_the_service_is_well_after_all_that(server: Demo) -> None:
    assert ask(server, prompt("g"))[0] is C.OK
    assert not [line for line in server.log if "Traceback" in line]
    assert Path(f"/proc/{server.process.pid}").exists() or sys.platform != "linux"
