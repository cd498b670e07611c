"""Each way in which a model can fail becomes its row of the error table, over the wire."""

from collections.abc import AsyncIterable

import grpc
import pytest

from understudy.v1 import record_pb2, record_pb2_grpc

from ..stub.faultstub import FaultStub
from .asking import Piece, prompt, told
from .configs import deployment, write
from .running import local

C = grpc.StatusCode

# mode, code, reason, details, upstream calls
ROWS = [
    ("status-400", C.INVALID_ARGUMENT, "UPSTREAM_REJECTED_REQUEST", {"BadRequest"}, 1),
    ("context-length", C.INVALID_ARGUMENT, "CONTEXT_LENGTH_EXCEEDED", {"BadRequest"}, 1),
    ("content-policy", C.INVALID_ARGUMENT, "CONTENT_POLICY_REJECTED", {"BadRequest"}, 1),
    (
        "status-401",
        C.FAILED_PRECONDITION,
        "UPSTREAM_CREDENTIALS_REJECTED",
        {"PreconditionFailure"},
        1,
    ),
    ("status-402", C.RESOURCE_EXHAUSTED, "UPSTREAM_QUOTA_EXHAUSTED", {"QuotaFailure"}, 1),
    ("status-403", C.FAILED_PRECONDITION, "UPSTREAM_FORBIDDEN", {"PreconditionFailure"}, 1),
    ("status-404", C.FAILED_PRECONDITION, "UPSTREAM_MODEL_NOT_FOUND", {"ResourceInfo"}, 1),
    ("status-408", C.UNAVAILABLE, "UPSTREAM_TIMEOUT", {"RetryInfo"}, 2),
    ("status-409", C.ABORTED, "UPSTREAM_CONFLICT", {"RetryInfo"}, 2),
    ("status-413", C.INVALID_ARGUMENT, "REQUEST_TOO_LARGE", {"BadRequest"}, 1),
    ("status-415", C.INVALID_ARGUMENT, "UPSTREAM_REJECTED_REQUEST", {"BadRequest"}, 1),
    ("status-422", C.INVALID_ARGUMENT, "UPSTREAM_REJECTED_REQUEST", {"BadRequest"}, 1),
    (
        "status-429",
        C.RESOURCE_EXHAUSTED,
        "UPSTREAM_RATE_LIMITED",
        {"RetryInfo", "QuotaFailure"},
        2,
    ),
    ("insufficient-quota", C.RESOURCE_EXHAUSTED, "UPSTREAM_QUOTA_EXHAUSTED", {"QuotaFailure"}, 1),
    ("status-500", C.INTERNAL, "UPSTREAM_INTERNAL_ERROR", set[str](), 2),
    ("status-501", C.UNIMPLEMENTED, "UPSTREAM_UNSUPPORTED", set[str](), 1),
    ("status-502", C.UNAVAILABLE, "UPSTREAM_UNAVAILABLE", {"RetryInfo"}, 2),
    ("status-503", C.UNAVAILABLE, "UPSTREAM_UNAVAILABLE", {"RetryInfo"}, 2),
    ("status-504", C.UNAVAILABLE, "UPSTREAM_GATEWAY_TIMEOUT", {"RetryInfo"}, 2),
    ("status-520", C.UNAVAILABLE, "UPSTREAM_UNAVAILABLE", {"RetryInfo"}, 2),
    ("status-529", C.UNAVAILABLE, "UPSTREAM_OVERLOADED", {"RetryInfo"}, 2),
    (
        "redirect-307",
        C.FAILED_PRECONDITION,
        "UPSTREAM_REDIRECT_REFUSED",
        {"PreconditionFailure"},
        1,
    ),
    ("status-600", C.INTERNAL, "UPSTREAM_BAD_STATUS", set[str](), 1),
    ("html", C.INTERNAL, "UPSTREAM_MALFORMED_RESPONSE", set[str](), 2),
    ("bad-json", C.INTERNAL, "UPSTREAM_MALFORMED_RESPONSE", set[str](), 2),
    ("bad-utf8", C.INTERNAL, "UPSTREAM_MALFORMED_RESPONSE", set[str](), 2),
    ("empty-choices", C.INTERNAL, "UPSTREAM_EMPTY_RESPONSE", set[str](), 2),
    ("no-message", C.INTERNAL, "UPSTREAM_EMPTY_RESPONSE", set[str](), 2),
    ("gzip", C.INTERNAL, "UPSTREAM_BAD_ENCODING", set[str](), 1),
    ("truncated", C.UNAVAILABLE, "UPSTREAM_TRUNCATED", {"RetryInfo"}, 2),
    ("words-8000000", C.RESOURCE_EXHAUSTED, "UPSTREAM_RESPONSE_TOO_LARGE", set[str](), 1),
]


@pytest.mark.asyncio
@pytest.mark.parametrize(("mode", "code", "reason", "details", "calls"), ROWS)
async def test_a_failure_is_told_by_its_row(
    mode: str, code: grpc.StatusCode, reason: str, details: set[str], calls: int
) -> None:
    async with FaultStub() as stub, local(write(deployment(stub, "g", mode))) as running:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await running.stub.CreateCompletion(prompt("g", requestId="r-7"))

    found = told(caught.value)
    assert (found.code, found.reason) == (code, reason)
    assert found.message.startswith(f"{reason}: ")
    assert found.details == details
    assert stub.count == calls
    assert found.metadata["attempt"] == str(calls)
    assert found.metadata["requestId"] == "r-7"
    assert found.metadata["provider"] == "openai"
    assert not found.may_retry


@pytest.mark.asyncio
async def test_nobody_listening_is_unavailable() -> None:
    async with FaultStub() as stub:
        gone = deployment(stub, "g")
    async with local(write(gone)) as running:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await running.stub.CreateCompletion(prompt("g"))

    found = told(caught.value)
    assert (found.code, found.reason) == (C.UNAVAILABLE, "UPSTREAM_CONNECT_FAILED")
    assert "RetryInfo" in found.details
    assert str(stub.port) not in f"{found.message} {found.metadata}"  # where it is, is not told


@pytest.mark.asyncio
async def test_a_name_that_does_not_resolve_is_unavailable() -> None:
    entry = {
        "model_name": "g",
        "litellm_params": {
            "model": "openai/m",
            "api_base": "http://no-such-host.invalid/v1",
            "api_key": "sk",
        },
    }
    async with local(write(entry)) as running:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await running.stub.CreateCompletion(prompt("g"))

    assert told(caught.value).reason == "UPSTREAM_DNS_FAILURE"


@pytest.mark.asyncio
async def test_a_model_that_says_nothing_is_given_up_at_its_timeout() -> None:
    async with (
        FaultStub() as stub,
        local(write(deployment(stub, "g", "hang-headers", timeout=0.1))) as running,
    ):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await running.stub.CreateCompletion(prompt("g"))

    found = told(caught.value)
    assert (found.code, found.reason) == (C.UNAVAILABLE, "UPSTREAM_READ_TIMEOUT")


@pytest.mark.asyncio
async def test_lone_surrogates_are_replaced_and_warned_of() -> None:
    async with (
        FaultStub() as stub,
        local(write(deployment(stub, "g", "lone-surrogate"))) as running,
    ):
        answer = await running.stub.CreateCompletion(prompt("g"))

    assert "\ufffd" in answer.choices[0].message.content
    assert [one.reason for one in answer.warnings] == ["REPLACED_CHARS"]


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("mode", "finish"), [("length", "length"), ("content-filter", "content_filter")]
)
async def test_an_answer_cut_short_is_an_answer(mode: str, finish: str) -> None:
    async with FaultStub() as stub, local(write(deployment(stub, "g", mode))) as running:
        answer = await running.stub.CreateCompletion(prompt("g"))

    assert answer.choices[0].finish_reason == finish


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("mode", "reason"),
    [
        ("sse-error", "UPSTREAM_STREAM_ERROR"),
        ("truncated", "UPSTREAM_STREAM_TRUNCATED"),
        ("reset-mid-body", "UPSTREAM_STREAM_TRUNCATED"),
    ],
)
async def test_a_stream_that_breaks_after_its_first_piece_is_aborted(
    mode: str, reason: str
) -> None:
    async with (
        FaultStub() as stub,
        local(write(deployment(stub, "g", f"words-40+{mode}"))) as running,
    ):
        read: list[Piece] = []
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await drain_into(read, running.stub.StreamCompletion(prompt("g")))

    found = told(caught.value)
    pieces = len(read)
    assert pieces
    assert (found.code, found.reason) == (C.ABORTED, reason)
    assert found.metadata["deltasDelivered"] == str(pieces)
    assert stub.count == 1


@pytest.mark.asyncio
async def test_a_stream_that_fails_before_its_first_piece_is_tried_again() -> None:
    async with (
        FaultStub() as stub,
        local(
            write(
                deployment(stub, "g", "status-503", order=1), deployment(stub, "g", "ok", order=2)
            )
        ) as running,
    ):
        pieces = [one async for one in running.stub.StreamCompletion(prompt("g"))]

    assert pieces[0].routing.attempts == 2
    assert (
        "".join(one.choices[0].delta.content for one in pieces if one.choices) == "Hello from ok."
    )
    assert pieces[-1].usage.total_tokens > 0
    assert all(not one.HasField("routing") for one in pieces[1:])


@pytest.mark.asyncio
async def test_a_group_falls_back_to_another() -> None:
    async with (
        FaultStub() as stub,
        local(
            write(
                deployment(stub, "first", "status-401"),
                deployment(stub, "second", "ok"),
                router_settings={"fallbacks": [{"first": ["second"]}]},
            )
        ) as running,
    ):
        answer = await running.stub.CreateCompletion(prompt("first"))

    assert (answer.routing.model_group, answer.routing.attempts) == ("second", 2)


@pytest.mark.asyncio
async def test_where_nothing_is_recorded_there_is_nothing_to_ask_about() -> None:
    config = {"server": {"port": 0}, "records": {"enabled": False}}
    async with (
        FaultStub() as stub,
        local(write(deployment(stub, "g"), understudy=config)) as running,
    ):
        records = record_pb2_grpc.RecordServiceStub(running.channel)
        with pytest.raises(grpc.aio.AioRpcError) as unbuilt:
            await records.CreateFeedback(record_pb2.CreateFeedbackRequest())

    assert told(unbuilt.value).reason == "NOT_IMPLEMENTED"


@pytest.mark.asyncio
async def test_bytes_that_are_no_request_are_refused() -> None:
    async with FaultStub() as stub, local(write(deployment(stub, "g"))) as running:
        call: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = running.channel.unary_unary(
            "/understudy.v1.CompletionService/CreateCompletion"
        )
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call(b"\xff\xff\xff")

    assert told(caught.value).reason == "INVALID_REQUEST"


@pytest.mark.asyncio
async def test_messages_over_the_limit_are_refused() -> None:
    """L-4."""
    config = write(
        deployment_at_nowhere(), understudy={"server": {"port": 0, "max_message_bytes": "1MiB"}}
    )
    async with local(config) as running:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await running.stub.CreateCompletion(prompt("g", "x" * 2**20))

    assert caught.value.code() is C.RESOURCE_EXHAUSTED


@pytest.mark.asyncio
async def test_an_answer_over_the_limit_says_so() -> None:
    """L-4, the other way."""
    limit = {"server": {"port": 0, "max_message_bytes": "64KiB"}}
    async with (
        FaultStub() as stub,
        local(write(deployment(stub, "g", "words-40000"), understudy=limit)) as running,
    ):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await running.stub.CreateCompletion(prompt("g"))

    found = told(caught.value)
    assert (found.code, found.reason) == (C.RESOURCE_EXHAUSTED, "UPSTREAM_RESPONSE_TOO_LARGE")
    assert not found.may_retry


async def drain_into(read: list[Piece], stream: AsyncIterable[Piece]) -> None:
    async for piece in stream:
        read.append(piece)


def deployment_at_nowhere() -> dict[str, object]:
    return {"model_name": "g", "litellm_params": {"model": "simulated/g"}}
