"""What runs on the engine's loop for one call: the client's request in, its answers out.

The work of a servicer and of a client together, without the wire between them: errors of the
engine become the exceptions that a client would raise.
"""

import asyncio
import logging
import random
import traceback
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import TypeVar

from understudy.client.errors import UnderstudyError as ClientError
from understudy.client.retries import Patience
from understudy.client.statuses import read_status
from understudy.server.domain.completion import Completion, Delta, Routing
from understudy.server.domain.request import TraceContext
from understudy.server.engine import Engine
from understudy.server.errors import Reason, RefusedError, UnderstudyError
from understudy.server.inprocess.flow import Flow
from understudy.server.servicers.access import caller
from understudy.server.servicers.read_feedback import read_feedback
from understudy.server.servicers.read_request import read_request
from understudy.server.servicers.statuses import to_status
from understudy.server.servicers.write_answer import (
    write_completion,
    write_delta,
    write_last_piece,
)
from understudy.v1.completion_pb2 import (
    CreateCompletionRequest,
    CreateCompletionResponse,
    StreamCompletionResponse,
)
from understudy.v1.record_pb2 import CreateFeedbackRequest

_LOG = logging.getLogger(__name__)

Piece = StreamCompletionResponse
T = TypeVar("T")


async def answer(
    engine: Engine,
    wire: CreateCompletionRequest,
    timeout: float,
    trace: TraceContext | None = None,
) -> CreateCompletionResponse:
    """Return a whole answer. Raises the client's errors."""
    return await _repeat(timeout, lambda deadline: _answer(engine, wire, deadline, trace))


async def stream(
    engine: Engine,
    wire: CreateCompletionRequest,
    timeout: float,
    flow: Flow[Piece],
    trace: TraceContext | None = None,
) -> None:
    """Put the pieces of an answer into a flow. Raises the client's errors."""
    await _repeat(timeout, lambda deadline: _stream(engine, wire, deadline, flow, trace))


async def keep_feedback(engine: Engine, wire: CreateFeedbackRequest, timeout: float) -> str:
    """Keep an opinion; return its id. Raises the client's errors."""
    return await _repeat(timeout, lambda _: _keep_feedback(engine, wire))


def tell(error: UnderstudyError) -> ClientError:
    """Return the exception that a client would raise for an error of the server's."""
    code, message, trailers = to_status(error)
    return read_status(code, message, trailers, "this process", 0.0)


async def _repeat(timeout: float, attempt: Callable[[float], Awaitable[T]]) -> T:
    """Make attempts until one succeeds or its error is final, as the client does.

    Only what reached no model is repeated, and so never a stream that has begun.
    """
    now = asyncio.get_running_loop().time
    deadline = now() + timeout
    patience = Patience(timeout, now, random.random)
    while True:
        try:
            return await attempt(deadline)
        except UnderstudyError as error:
            told = tell(error)
        except Exception as error:  # noqa: BLE001, the last line of defence
            # Where it happened and not its own text, which may quote a key or a prompt.
            where = "".join(traceback.format_tb(error.__traceback__))
            _LOG.error("a call failed by an error of our own: %s\n%s", type(error).__name__, where)
            told = tell(UnderstudyError(Reason.INTERNAL, "an error of our own; the log says where"))
        wait = patience.wait_after(told)
        if wait is None:
            raise told
        await asyncio.sleep(wait)


async def _answer(
    engine: Engine, wire: CreateCompletionRequest, deadline: float, trace: TraceContext | None
) -> CreateCompletionResponse:
    request = read_request(wire, stream=False, deadline=deadline, trace=trace)
    routing: Routing | None = None
    found: CreateCompletionResponse | None = None
    async with aclosing(engine.completer.complete(request)) as parts:
        async for part in parts:
            if isinstance(part, Routing):
                routing = part
            elif isinstance(part, Completion):
                assert routing is not None  # it comes first
                found = write_completion(part, routing)
    assert found is not None  # the completer answers or raises
    return found


async def _keep_feedback(engine: Engine, wire: CreateFeedbackRequest) -> str:
    said = read_feedback(wire, caller.get().name)
    if engine.records is None:
        raise UnderstudyError(
            Reason.NOT_IMPLEMENTED, "nothing is recorded here (understudy.records.enabled)"
        )
    return await asyncio.to_thread(engine.records.feedback.keep, said)


async def _stream(
    engine: Engine,
    wire: CreateCompletionRequest,
    deadline: float,
    flow: Flow[Piece],
    trace: TraceContext | None,
) -> None:
    request = read_request(wire, stream=True, deadline=deadline, trace=trace)
    routing: Routing | None = None
    async with aclosing(engine.completer.complete(request)) as parts:
        async for part in parts:
            if isinstance(part, Routing):
                routing = part
                continue
            if isinstance(part, Delta):
                piece = write_delta(part, routing)
            else:
                piece = write_last_piece(part, routing)
            routing = None  # on the first piece only
            try:
                async with asyncio.timeout_at(deadline):
                    await flow.put(piece)
            except TimeoutError:
                raise RefusedError(
                    Reason.DEADLINE_EXCEEDED, "the deadline passed while the stream was not read"
                ) from None
