"""Serves CompletionService: wire message → domain value, domain value → wire message."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, cast

import grpc

from understudy.server.completer import Completer
from understudy.server.domain.completion import Completion, Delta, Routing
from understudy.server.domain.request import CompletionRequest
from understudy.server.errors import Reason, RefusedError, UpstreamError
from understudy.server.live import Live
from understudy.server.servicers.access import Metadata, caller
from understudy.server.servicers.list_models import list_models
from understudy.server.servicers.read_request import read_request
from understudy.server.servicers.read_trace import read_trace
from understudy.server.servicers.write_answer import (
    write_completion,
    write_delta,
    write_last_piece,
)
from understudy.v1 import completion_pb2, completion_pb2_grpc

Context = grpc.aio.ServicerContext[Any, Any]

MARGIN = 0.02  # seconds kept back, so that our answer is there before gRPC's own deadline
LEAST = 0.005  # seconds; a call with less left is not worth beginning


class CompletionServicer(completion_pb2_grpc.CompletionServiceServicer):
    """Answers prompts, whole or piece by piece."""

    def __init__(
        self, completer: Completer, live: Live, *, default_timeout: float, max_message_bytes: int
    ) -> None:
        self._completer = completer
        self._live = live
        self._default_timeout = default_timeout
        self._max_bytes = max_message_bytes

    async def CreateCompletion(
        self, request: completion_pb2.CreateCompletionRequest, context: Context
    ) -> completion_pb2.CreateCompletionResponse:
        """Answer one prompt."""
        call = self._read(request, context, stream=False)
        routing: Routing | None = None
        answer: completion_pb2.CreateCompletionResponse | None = None
        async with aclosing(self._completer.complete(call)) as parts:
            async for part in parts:
                if isinstance(part, Routing):
                    routing = part
                elif isinstance(part, Completion):
                    assert routing is not None  # it comes first
                    answer = write_completion(part, routing)
        assert answer is not None  # the completer answers or raises
        if (size := answer.ByteSize()) > self._max_bytes:
            # grpc would say so too, but without a reason.
            error = UpstreamError(
                Reason.UPSTREAM_RESPONSE_TOO_LARGE,
                f"the answer has {size} bytes, more than max_message_bytes ({self._max_bytes})",
                metadata={"requestId": answer.routing.request_id},
            )
            error.attempts = answer.routing.attempts
            raise error
        return answer

    async def StreamCompletion(
        self, request: completion_pb2.CreateCompletionRequest, context: Context
    ) -> AsyncGenerator[completion_pb2.StreamCompletionResponse, None]:
        """Answer one prompt piece by piece."""
        call = self._read(request, context, stream=True)
        routing: Routing | None = None
        async with aclosing(self._completer.complete(call)) as parts:
            async for part in parts:
                if isinstance(part, Routing):
                    routing = part
                    continue
                if isinstance(part, Delta):
                    yield write_delta(part, routing)
                else:
                    yield write_last_piece(part, routing)
                routing = None  # on the first piece only

    async def ListModels(
        self, request: completion_pb2.ListModelsRequest, context: Context
    ) -> completion_pb2.ListModelsResponse:
        """List the model groups and aliases that a caller may name."""
        return list_models(self._live.current, request)

    def _read(
        self, request: completion_pb2.CreateCompletionRequest, context: Context, *, stream: bool
    ) -> CompletionRequest:
        metadata = cast(Metadata, context.invocation_metadata() or ())
        return read_request(
            request,
            stream=stream,
            deadline=self._deadline(context),
            caller=caller.get().name,
            is_client_retry=_is_retry(metadata),
            trace=read_trace(metadata),
        )

    def _deadline(self, context: Context) -> float:
        # The stubs say float; without a deadline it is None.
        remaining = cast(float | None, context.time_remaining())
        if remaining is None:
            remaining = self._default_timeout
        elif remaining < LEAST:
            raise RefusedError(
                Reason.DEADLINE_TOO_SHORT,
                f"less than {LEAST * 1000:.0f} ms were left when the call arrived",
            )
        else:
            # A short deadline keeps a tenth of itself back at most.
            remaining = min(remaining - min(MARGIN, remaining / 10), self._default_timeout)
        return asyncio.get_running_loop().time() + remaining


def _is_retry(metadata: Metadata) -> bool:
    """Whether grpc itself sends the call again; it says so in this header."""
    return any(key == "grpc-previous-rpc-attempts" and value != "0" for key, value in metadata)
