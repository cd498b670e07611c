"""Bare relays: the least that a gRPC service before an HTTP model can do.

They read the same request, write the same JSON, read the same reply and write the same answer as
the service; but they have no routing, no retries, no limits and no error table.

Run as `python -m benchmarks.floors KIND UPSTREAM`; it prints its port. Kinds are `aiohttp`, `httpx`
(through the transport that the service uses), `twice` (the same, each prompt sent a second time
once the answer has come, as a mirror must) and `streaming` (each chunk parsed and built anew).
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import grpc
import httpx
import msgspec
import uvloop

from understudy.server.upstream.transport import SessionTransport
from understudy.v1 import chat_pb2, completion_pb2

Ask = Callable[[bytes], Awaitable[bytes]]
Hear = Callable[[bytes], AsyncIterator[bytes]]

HEADERS = {
    "content-type": "application/json",
    "accept-encoding": "identity",
    "authorization": "Bearer sk-benchmark",
}

READ_TIMEOUT = 60.0  # seconds


class Relay:
    """Passes a prompt on, and the answer back."""

    def __init__(self, ask: Ask, hear: Hear, *, twice: bool) -> None:
        self._ask = ask
        self._hear = hear
        self._twice = twice
        self._copies = set[asyncio.Task[None]]()

    async def CreateCompletion(
        self,
        request: completion_pb2.CreateCompletionRequest,
        context: grpc.aio.ServicerContext[Any, Any],
    ) -> completion_pb2.CreateCompletionResponse:
        """Answer one prompt."""
        body = write(request)
        reply = msgspec.json.decode(await self._ask(body))
        if self._twice:
            copy = asyncio.create_task(self._play(body))
            self._copies.add(copy)
            copy.add_done_callback(self._copies.discard)
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

    async def StreamCompletion(
        self,
        request: completion_pb2.CreateCompletionRequest,
        context: grpc.aio.ServicerContext[Any, Any],
    ) -> AsyncIterator[completion_pb2.StreamCompletionResponse]:
        """Answer one prompt in pieces."""
        held = b""
        async for data in self._hear(write(request, stream=True)):
            held += data
            while (end := held.find(b"\n\n")) >= 0:
                event, held = held[6:end], held[end + 2 :]
                if event == b"[DONE]":
                    return
                chunk = msgspec.json.decode(event)
                yield completion_pb2.StreamCompletionResponse(
                    id=chunk["id"],
                    model=chunk["model"],
                    created=chunk["created"],
                    choices=[
                        completion_pb2.ChoiceDelta(
                            index=one["index"],
                            delta=chat_pb2.ChatMessage(
                                role=one["delta"].get("role"), content=one["delta"].get("content")
                            ),
                            finish_reason=one["finish_reason"] or "",
                        )
                        for one in chunk["choices"]
                    ],
                )

    async def _play(self, body: bytes) -> None:
        msgspec.json.decode(await self._ask(body))


def write(request: completion_pb2.CreateCompletionRequest, *, stream: bool = False) -> bytes:
    """Return what the model is sent."""
    body: dict[str, object] = {
        "model": request.model,
        "messages": [{"role": one.role, "content": one.content} for one in request.messages],
    }
    return msgspec.json.encode({**body, "stream": True} if stream else body)


async def serve(kind: str, upstream: str) -> None:
    """Relay until killed."""
    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0), cookie_jar=aiohttp.DummyCookieJar()
    )
    transport = SessionTransport(session, READ_TIMEOUT)
    url = f"{upstream}/v1/chat/completions"

    async def by_aiohttp(body: bytes) -> bytes:
        async with session.post(url, data=body, headers=HEADERS) as reply:
            return await reply.read()

    async def send(body: bytes) -> httpx.Response:
        request = httpx.Request("POST", url, headers=HEADERS, content=body)
        return await transport.handle_async_request(request)

    async def by_httpx(body: bytes) -> bytes:
        reply = await send(body)
        try:
            return await reply.aread()
        finally:
            await reply.aclose()

    async def stream(body: bytes) -> AsyncIterator[bytes]:
        reply = await send(body)
        try:
            async for data in reply.aiter_raw():
                yield data
        finally:
            await reply.aclose()

    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    relay = Relay(by_aiohttp if kind == "aiohttp" else by_httpx, stream, twice=kind == "twice")
    handlers = {
        "CreateCompletion": grpc.unary_unary_rpc_method_handler(
            relay.CreateCompletion,
            request_deserializer=completion_pb2.CreateCompletionRequest.FromString,
            response_serializer=completion_pb2.CreateCompletionResponse.SerializeToString,
        ),
        "StreamCompletion": grpc.unary_stream_rpc_method_handler(
            relay.StreamCompletion,
            request_deserializer=completion_pb2.CreateCompletionRequest.FromString,
            response_serializer=completion_pb2.StreamCompletionResponse.SerializeToString,
        ),
    }
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler("understudy.v1.CompletionService", handlers),)
    )
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(port, flush=True)
    await server.wait_for_termination()


if __name__ == "__main__":
    uvloop.run(serve(sys.argv[1], sys.argv[2]))
