"""A service that dies as soon as a call has begun. Run as a module; it prints its address, then
`begun` for each call whose handler it entered."""

import os
import sys
from typing import NoReturn

from understudy.v1.completion_pb2 import CreateCompletionRequest

from .scripted import Context, serving


def die(request: CreateCompletionRequest, context: Context) -> NoReturn:
    print("begun", flush=True)
    os._exit(1)


if __name__ == "__main__":
    with serving() as server:
        server.service.unary = die
        server.service.streamed = die
        print(server.address, flush=True)
        sys.stdin.read()  # until whoever started us is gone
