"""A service that dies as soon as a call has begun. Run as a script; it prints its port, then
`begun` for each call whose handler it entered."""

import os
import sys
from collections.abc import Iterator
from concurrent import futures

import grpc
from grpc_health.v1 import health, health_pb2_grpc

from understudy.v1.completion_pb2 import (
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


class Mortal(CompletionServiceServicer):
    def CreateCompletion(
        self, request: CreateCompletionRequest, context: grpc.ServicerContext
    ) -> CreateCompletionResponse:
        die()
        return CreateCompletionResponse()

    def StreamCompletion(
        self, request: CreateCompletionRequest, context: grpc.ServicerContext
    ) -> Iterator[StreamCompletionResponse]:
        die()
        return iter(())

    def ListModels(
        self, request: ListModelsRequest, context: grpc.ServicerContext
    ) -> ListModelsResponse:
        return ListModelsResponse()


def die() -> None:
    print("begun", flush=True)
    os._exit(1)


def main() -> None:
    server = grpc.server(futures.ThreadPoolExecutor(4))
    add_CompletionServiceServicer_to_server(Mortal(), server)
    health_pb2_grpc.add_HealthServicer_to_server(health.HealthServicer(), server)
    print(server.add_insecure_port("127.0.0.1:0"), flush=True)
    server.start()
    sys.stdin.read()  # until whoever started us is gone


if __name__ == "__main__":
    main()
