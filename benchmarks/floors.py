"""Bare relays: the least that a gRPC service before an HTTP model can do.

They read the same request, write the same JSON, read the same reply and write the same answer as
the service; but they have no routing, no retries, no limits and no error table.

Run as `python -m benchmarks.floors aiohttp|httpx UPSTREAM`; it prints its port.
"""

import sys
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import grpc
import httpx
import msgspec
import uvloop
from httpx_aiohttp import AiohttpTransport

from understudy.v1 import chat_pb2, completion_pb2

Ask = Callable[[bytes], Awaitable[bytes]]

HEADERS = {
    "content-type": "application/json",
    "accept-encoding": "identity",
    "authorization": "Bearer sk-benchmark",
}


class Relay:
    """Passes a prompt on, and the answer back."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    async def CreateCompletion(
        self,
        request: completion_pb2.CreateCompletionRequest,
        context: grpc.aio.ServicerContext[Any, Any],
    ) -> completion_pb2.CreateCompletionResponse:
        """Answer one prompt."""
        body = msgspec.json.encode(
            {
                "model": request.model,
                "messages": [
                    {"role": one.role, "content": one.content} for one in request.messages
                ],
            }
        )
        reply = msgspec.json.decode(await self._ask(body))
        usage = reply["usage"]
        return completion_pb2.CreateCompletionResponse(
            id=reply["id"],
            model=reply["model"],
            created=reply["created"],
            choices=[
                completion_pb2.Choice(
                    index=one["index"],
                    message=chat_pb2.ChatMessage(
                        role=one["message"]["role"], content=one["message"]["content"]
                    ),
                    finish_reason=one["finish_reason"],
                )
                for one in reply["choices"]
            ],
            usage=chat_pb2.Usage(
                prompt_tokens=usage["prompt_tokens"],
                completion_tokens=usage["completion_tokens"],
                total_tokens=usage["total_tokens"],
            ),
        )


async def serve(kind: str, upstream: str) -> None:
    """Relay until killed."""
    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0), cookie_jar=aiohttp.DummyCookieJar()
    )
    transport = AiohttpTransport(client=session)
    url = f"{upstream}/v1/chat/completions"

    async def by_aiohttp(body: bytes) -> bytes:
        async with session.post(url, data=body, headers=HEADERS) as reply:
            return await reply.read()

    async def by_httpx(body: bytes) -> bytes:
        request = httpx.Request(
            "POST",
            url,
            headers=HEADERS,
            content=body,
            extensions={"timeout": {"connect": 5.0, "read": 60.0, "pool": None}},
        )
        reply = await transport.handle_async_request(request)
        try:
            return await reply.aread()
        finally:
            await reply.aclose()

    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    relay = Relay(by_aiohttp if kind == "aiohttp" else by_httpx)
    handler = grpc.unary_unary_rpc_method_handler(
        relay.CreateCompletion,
        request_deserializer=completion_pb2.CreateCompletionRequest.FromString,
        response_serializer=completion_pb2.CreateCompletionResponse.SerializeToString,
    )
    server.add_generic_rpc_handlers(
        (
            grpc.method_handlers_generic_handler(
                "understudy.v1.CompletionService", {"CreateCompletion": handler}
            ),
        )
    )
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(port, flush=True)
    await server.wait_for_termination()


if __name__ == "__main__":
    uvloop.run(serve(sys.argv[1], sys.argv[2]))
