"""Watches are ended and told why, in whatever moment the end comes."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any, cast

import grpc
import pytest

from understudy.server.servicers.access import Access
from understudy.server.servicers.calls import Calls
from understudy.server.servicers.guard import Guard, Handler
from understudy.v1 import experiment_pb2 as pb
from understudy.v1 import experiment_pb2_grpc

from ..service.asking import told

GRACE = 2.0


class _Ending:
    """A watch during whose message of that number all watches are ended."""

    def __init__(self, calls: Calls, number: int) -> None:
        self._calls = calls
        self._number = number
        self.ended: asyncio.Task[None] | None = None

    async def watch(
        self, _: pb.WatchExperimentsRequest, __: grpc.aio.ServicerContext[Any, Any]
    ) -> AsyncGenerator[pb.WatchExperimentsResponse, None]:
        """Say something without end."""
        number = 0
        while True:
            if number == self._number:
                # It has its turn once this task waits for gRPC to have sent what is yielded.
                self.ended = asyncio.create_task(self._calls.end_watches(GRACE))
            yield pb.WatchExperimentsResponse(heartbeat=True, revision=number)
            number += 1


@pytest.mark.asyncio
@pytest.mark.parametrize("number", [0, 1, 5])
async def test_a_watch_that_is_ended_while_it_speaks_is_told_why(number: int) -> None:
    calls = Calls()
    server = grpc.aio.server()
    ending = _Ending(calls, number)
    handler = grpc.unary_stream_rpc_method_handler(
        ending.watch,
        request_deserializer=pb.WatchExperimentsRequest.FromString,
        response_serializer=pb.WatchExperimentsResponse.SerializeToString,
    )
    Guard(server, Access(()), calls).add_registered_method_handlers(
        "understudy.v1.ExperimentService", {"WatchExperiments": cast(Handler, handler)}
    )
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            stub = experiment_pb2_grpc.ExperimentServiceStub(channel)
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                async for _ in stub.WatchExperiments(pb.WatchExperimentsRequest(), timeout=5):
                    pass
        assert ending.ended is not None
        await ending.ended
    finally:
        await server.stop(None)

    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    assert told(caught.value).reason == "DRAINING"
    assert calls.running == 0
