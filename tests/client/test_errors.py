"""Every failure is an exception of the client's own, with a reason and what to do."""

import asyncio
import pickle
import socket
from collections.abc import Iterator

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, QuotaFailure, RetryInfo

from understudy import client
from understudy.client import statuses
from understudy.v1.completion_pb2 import (
    CreateCompletionRequest,
    CreateCompletionResponse,
    StreamCompletionResponse,
)

from .asking import FLAVOURS, HI, Flavour, ask
from .scripted import Context, Server, fail, piece, serving

CODES = [code for code in grpc.StatusCode if code is not grpc.StatusCode.OK]


def test_every_status_has_a_class_of_its_own() -> None:
    assert set(statuses.CLASSES) == set(CODES)
    assert len(set(statuses.CLASSES.values())) == len(CODES)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("flavour", FLAVOURS)
@pytest.mark.parametrize("code", CODES, ids=lambda code: code.name)
def test_a_status_becomes_its_class(
    code: grpc.StatusCode, flavour: Flavour, stream: bool, server: Server
) -> None:
    def refuse(request: CreateCompletionRequest, context: Context) -> CreateCompletionResponse:
        fail(context, code, "SOME_REASON", metadata={"requestId": "r"})

    def refuse_stream(
        request: CreateCompletionRequest, context: Context
    ) -> Iterator[StreamCompletionResponse]:
        fail(context, code, "SOME_REASON", metadata={"requestId": "r"})

    server.service.unary = refuse
    server.service.streamed = refuse_stream

    with pytest.raises(client.UnderstudyError) as caught:
        ask(flavour, server.address, stream=stream)

    error = caught.value
    assert type(error).__name__.upper() == code.name.replace("_", "")
    assert (error.code, error.reason) == (code.name, "SOME_REASON")
    assert str(error) == error.message == "SOME_REASON: told by a test"
    assert error.metadata == {"requestId": "r"}
    assert isinstance(error.__cause__, grpc.RpcError)
    assert len(server.service.requests) == 1


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_an_error_brings_its_details(flavour: Flavour, server: Server) -> None:
    def refuse(request: CreateCompletionRequest, context: Context) -> CreateCompletionResponse:
        bad = BadRequest()
        bad.field_violations.add(field="messages[2].role", description="is empty")
        fail(
            context,
            grpc.StatusCode.INVALID_ARGUMENT,
            "INVALID_REQUEST",
            bad,
            RetryInfo(retry_delay=Duration(seconds=2, nanos=500_000_000)),
            QuotaFailure(),
        )

    server.service.unary = refuse

    with pytest.raises(client.InvalidArgument) as caught:
        ask(flavour, server.address)

    assert caught.value.violations == (client.Violation("messages[2].role", "is empty"),)
    assert caught.value.retry_after == 2.5
    assert [type(one) for one in caught.value.details] == [
        ErrorInfo,
        BadRequest,
        RetryInfo,
        QuotaFailure,
    ]


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_an_error_in_the_middle_of_a_stream_comes_after_its_pieces(
    flavour: Flavour, server: Server
) -> None:
    def break_off(
        request: CreateCompletionRequest, context: Context
    ) -> Iterator[StreamCompletionResponse]:
        yield piece("a")
        yield piece("b")
        fail(context, grpc.StatusCode.ABORTED, "UPSTREAM_STREAM_TRUNCATED", pushback="-1")

    server.service.streamed = break_off
    got: list[str] = []

    async def read() -> None:
        async with client.AsyncClient(server.address) as one:
            async for chunk in one.completion("m", HI, stream=True):
                got.append(chunk.choices[0].delta.content)

    def run() -> None:
        if flavour == "async":
            asyncio.run(read())
            return
        with client.Client(server.address) as one:
            for chunk in one.completion("m", HI, stream=True):
                got.append(chunk.choices[0].delta.content)

    with pytest.raises(client.Aborted, match="UPSTREAM_STREAM_TRUNCATED"):
        run()

    assert got == ["a", "b"]


def test_an_error_survives_pickling() -> None:
    failed = statuses.read_status(
        grpc.StatusCode.NOT_FOUND,
        "MODEL_NOT_FOUND: no",
        [("grpc-status-details-bin", b"")],
        "t",
        1,
    )

    copy = pickle.loads(pickle.dumps(failed))

    assert type(copy) is client.NotFound
    assert (str(copy), copy.code) == (str(failed), failed.code)


@pytest.mark.parametrize("packed", [b"", b"\xff", b"\x1a\x02\xff\xff", b"\x1a\x00"])
def test_details_that_are_none_are_left_out(packed: bytes) -> None:
    error = statuses.read_status(
        grpc.StatusCode.INTERNAL, "odd", [("grpc-status-details-bin", packed)], "t", 1
    )

    assert (type(error), error.reason, error.details) == (client.Internal, "INTERNAL", ())


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("flavour", FLAVOURS)
@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_no_server_at_all_says_what_to_do(flavour: Flavour, stream: bool, host: str) -> None:
    target = f"{host}:{free_port()}"

    with pytest.raises(client.Unavailable) as caught:
        ask(flavour, target, stream=stream)

    assert caught.value.reason == "NO_SERVER"
    assert str(caught.value).startswith(
        f"nothing answers at {target}; start one with `understudy demo` or set UNDERSTUDY_TARGET"
    )


@pytest.mark.parametrize("flavour", FLAVOURS)
@pytest.mark.parametrize(
    "target",
    ["nowhere.invalid:50051", "nowhere.invalid:1,nor.here.invalid:2", "unix:/nowhere/at.all"],
)
def test_an_address_that_is_none_says_so(flavour: Flavour, target: str) -> None:
    with pytest.raises(client.Unavailable) as caught:
        ask(flavour, target)

    assert caught.value.reason == "NO_SERVER"
    assert target in str(caught.value)
    assert "UNDERSTUDY_TARGET" in str(caught.value)


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_a_server_that_is_not_ready_is_not_called_absent(flavour: Flavour, server: Server) -> None:
    server.health.set(serving=False)

    with pytest.raises(client.Unavailable, match=r"no server at .* is ready to serve"):
        ask(flavour, server.address)

    assert server.service.requests == []


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("flavour", FLAVOURS)
def test_a_timeout_says_how_long_was_waited(flavour: Flavour, stream: bool, server: Server) -> None:
    def wait(request: CreateCompletionRequest, context: Context) -> None:
        while context.is_active():
            context.time_remaining()

    def never(request: CreateCompletionRequest, context: Context) -> CreateCompletionResponse:
        wait(request, context)
        return CreateCompletionResponse()

    def never_a_piece(
        request: CreateCompletionRequest, context: Context
    ) -> Iterator[StreamCompletionResponse]:
        wait(request, context)
        return iter(())

    server.service.unary = never
    server.service.streamed = never_a_piece

    with pytest.raises(client.DeadlineExceeded) as caught:
        ask(flavour, server.address, stream=stream, timeout=0.2)

    assert caught.value.reason == "DEADLINE_EXCEEDED"
    assert str(caught.value) == f"no answer from {server.address} within 0.2 s"


def test_a_key_is_in_no_error_and_no_repr(server: Server) -> None:
    canary = "canary-4711"

    def refuse(request: CreateCompletionRequest, context: Context) -> CreateCompletionResponse:
        fail(context, grpc.StatusCode.UNAUTHENTICATED, "CREDENTIALS_REJECTED")

    server.service.unary = refuse
    with client.Client(server.address, api_key=canary) as one:
        with pytest.raises(client.Unauthenticated) as caught:
            one.completion("m", HI)
        shown = [repr(one), repr(vars(one)), repr(caught.value), repr(caught.value.__cause__)]

    assert server.service.metadata[0]["authorization"] == f"Bearer {canary}"
    assert not [text for text in shown if canary in text]


@pytest.mark.parametrize("key", ["canary\n4711", "canary 4711", "canäry"])
def test_a_key_that_cannot_be_sent_is_refused_unquoted(key: str) -> None:
    with pytest.raises(ValueError, match="api_key") as caught:
        client.Client("localhost:1", api_key=key)

    assert "can" not in str(caught.value).replace("can be", "")


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_arguments_are_refused_before_anything_is_sent(flavour: Flavour, server: Server) -> None:
    with pytest.raises(ValueError, match="timeout"):
        ask(flavour, server.address, timeout=0)
    with pytest.raises(TypeError, match="temperature"):
        ask(flavour, server.address, temperature="hot")  # type: ignore[arg-type]  # pyright: ignore

    assert server.service.requests == []


def test_a_server_on_another_protocol_is_told_apart_by_its_cause() -> None:
    with serving() as plain, pytest.raises(client.Unavailable) as caught:
        client.Client(plain.address, tls=True).completion("m", HI)

    assert "andshake" in str(caught.value)
