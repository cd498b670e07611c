"""Streams, whole and broken, over the wire."""

import asyncio
import time
from collections.abc import AsyncIterable

import grpc
import pytest

from ..stub.faultstub import FaultStub
from .asking import Piece, prompt, told
from .configs import deployment, write
from .running import local


def words(pieces: list[Piece]) -> str:
    return "".join(choice.delta.content for piece in pieces for choice in piece.choices)


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "mode", ["ok", "whole", "sse-comments", "sse-crlf", "sse-no-done", "bytes-1"]
)
async def test_a_stream_says_the_same_however_it_comes(mode: str) -> None:
    async with FaultStub() as stub, local(write(deployment(stub, "g", mode))) as running:
        pieces = [one async for one in running.stub.StreamCompletion(prompt("g"))]

    assert words(pieces) == f"Hello from {mode}."
    assert [one.choices[0].finish_reason for one in pieces if one.choices][-1] == "stop"
    assert pieces[0].routing.attempts == 1
    assert pieces[-1].usage.total_tokens > 0
    assert not any(one.HasField("usage") for one in pieces[:-1])


@pytest.mark.asyncio
async def test_an_unasked_stream_is_answered_whole() -> None:
    async with FaultStub() as stub, local(write(deployment(stub, "g", "stream"))) as running:
        answer = await running.stub.CreateCompletion(prompt("g"))

    assert answer.choices[0].message.content == "Hello from stream."


@pytest.mark.asyncio
async def test_a_connection_held_open_after_the_last_word_keeps_nobody_waiting() -> None:
    async with (
        FaultStub() as stub,
        local(write(deployment(stub, "g", "until-eof+hold"))) as running,
    ):
        started = time.monotonic()
        pieces = [one async for one in running.stub.StreamCompletion(prompt("g"))]
        elapsed = time.monotonic() - started

    assert words(pieces) == "Hello from until-eof+hold."
    assert elapsed < 0.5


@pytest.mark.asyncio
async def test_a_stream_keeps_its_connection_for_the_next_call() -> None:
    async with FaultStub() as stub, local(write(deployment(stub, "g", "ok"))) as running:
        for _ in range(5):
            async for _ in running.stub.StreamCompletion(prompt("g")):
                pass

    assert stub.connection_count == 1


@pytest.mark.asyncio
async def test_a_stream_that_keeps_coming_outlives_its_stream_timeout() -> None:
    paced = {"stream_timeout": 0.2}
    async with (
        FaultStub() as stub,
        local(write(deployment(stub, "g", "words-20+pace-50ms", **paced))) as running,
    ):
        pieces = [one async for one in running.stub.StreamCompletion(prompt("g"))]

    assert pieces[-1].HasField("usage")


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("mode", "reason"),
    [
        ("hang-headers", "UPSTREAM_READ_TIMEOUT"),
        ("words-20+hang-body", "UPSTREAM_STREAM_TRUNCATED"),
    ],
)
async def test_a_stream_that_falls_silent_ends_at_its_stream_timeout(
    mode: str, reason: str
) -> None:
    async with (
        FaultStub() as stub,
        local(
            write(
                deployment(stub, "g", mode, stream_timeout=0.1),
                router_settings={"num_retries": 0},
            )
        ) as running,
    ):
        started = time.monotonic()
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await asyncio.wait_for(read_all(running.stub.StreamCompletion(prompt("g"))), 5)
        elapsed = time.monotonic() - started

    assert told(caught.value).reason == reason
    assert 0.1 <= elapsed < 0.5


async def read_all(stream: AsyncIterable[Piece]) -> list[Piece]:
    return [one async for one in stream]


@pytest.mark.asyncio
async def test_a_status_is_told_even_if_its_body_never_ends() -> None:
    async with (
        FaultStub() as stub,
        local(
            write(
                deployment(stub, "g", "status-401+drip-50ms", timeout=0.2),
                router_settings={"num_retries": 0},
            )
        ) as running,
    ):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await running.stub.CreateCompletion(prompt("g"))

    assert told(caught.value).reason == "UPSTREAM_CREDENTIALS_REJECTED"


@pytest.mark.asyncio
async def test_tool_calls_come_in_pieces_and_whole() -> None:
    async with FaultStub() as stub, local(write(deployment(stub, "g", "tool-call"))) as running:
        whole = await running.stub.CreateCompletion(prompt("g"))

    call = whole.choices[0].message.tool_calls[0]
    assert call.function.name
    assert call.function.arguments.startswith("{")
    assert whole.choices[0].finish_reason == "tool_calls"
