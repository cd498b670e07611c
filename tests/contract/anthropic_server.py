"""Anthropic on loopback: the Messages interface, as strict and as talkative as the provider."""

import json
from collections.abc import Iterator, Mapping

from aiohttp import web

from .anthropic_rules import find_faults
from .faithful import Asked, Failing, Faithful, Told

Json = Mapping[str, object]

_STOP_REASONS = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "content_filter": "refusal",
}
_FAILURES: Mapping[str, tuple[int, str, str]] = {
    "credentials": (401, "authentication_error", "invalid x-api-key"),
    "forbidden": (
        403,
        "permission_error",
        "Your API key does not have permission to use the specified resource.",
    ),
    "model": (404, "not_found_error", "model: claude-nobody"),
    "rate": (
        429,
        "rate_limit_error",
        "This request would exceed your organization's rate limit of 50 requests per minute.",
    ),
    "quota": (
        400,
        "invalid_request_error",
        (
            "Your credit balance is too low to access the Anthropic API. "
            "Please go to Plans & Billing to upgrade or purchase credits."
        ),
    ),
    "context": (
        400,
        "invalid_request_error",
        "prompt is too long: 210000 tokens > 200000 maximum",
    ),
    "policy": (400, "invalid_request_error", "Output blocked by content filtering policy"),
    "invalid": (400, "invalid_request_error", "messages.0.content.0: Input should be an object"),
    "overloaded": (529, "overloaded_error", "Overloaded"),
    "internal": (500, "api_error", "Internal server error"),
}
_EMPTY: Mapping[str, Json] = {
    "text": {"text": ""},
    "thinking": {"thinking": "", "signature": ""},
}
_NO_INPUT: Json = {}
_REQUEST_ID = "req_011CSHoEeqs5C35K2UUqR7Fy"


class AnthropicServer(Faithful):
    """Anthropic's Messages interface."""

    async def answer(self, request: web.Request, asked: Asked) -> web.StreamResponse:
        """Answer a request as the provider would."""
        if asked.path != "/v1/messages":
            return _refuse(404, "not_found_error", "Not Found")
        if asked.method != "POST":
            return _refuse(405, "invalid_request_error", "Method Not Allowed")
        bearer = asked.headers.get("authorization", "")
        if asked.headers.get("x-api-key") != self.key and bearer != f"Bearer {self.key}":
            return _refuse(401, "authentication_error", "invalid x-api-key")
        if asked.headers.get("anthropic-version") != "2023-06-01":
            return _refuse(400, "invalid_request_error", "anthropic-version: header is required")
        if asked.headers.get("content-type") != "application/json":
            return _refuse(400, "invalid_request_error", "content-type must be application/json")
        body: Json = json.loads(asked.body)
        if (fault := next(find_faults(body), None)) is not None:
            return _refuse(400, "invalid_request_error", fault)
        if isinstance(self.told, Failing):
            if self.told.after is None or not body.get("stream"):
                return _refuse(*_FAILURES[self.told.kind])
            return await self._stream(request, body, Told(), self.told)
        if body.get("stream"):
            return await self._stream(request, body, self.told)
        return web.json_response(_message(body, self.told), headers={"request-id": _REQUEST_ID})

    async def _stream(
        self, request: web.Request, body: Json, told: Told, failing: Failing | None = None
    ) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "text/event-stream; charset=utf-8"})
        await response.prepare(request)
        pieces = 0
        for event in _events(body, told):
            if failing is not None and pieces == failing.after:
                _, kind, text = _FAILURES[failing.kind]
                event = {"type": "error", "error": {"type": kind, "message": text}}
            name = str(event["type"])
            await response.write(f"event: {name}\ndata: {json.dumps(event)}\n\n".encode())
            pieces += name == "content_block_delta"
            if name == "error":
                break
        await response.write_eof()
        return response


def _refuse(status: int, kind: str, message: str) -> web.Response:
    body = {
        "type": "error",
        "error": {"type": kind, "message": message},
        "request_id": _REQUEST_ID,
    }
    headers = {"request-id": _REQUEST_ID} | ({"retry-after": "3"} if status == 429 else {})
    return web.json_response(body, status=status, headers=headers)


def _blocks(told: Told) -> list[Json]:
    blocks: list[Json] = []
    if told.reasoning:
        blocks.append({"type": "thinking", "thinking": told.reasoning, "signature": "EqQBCgIYAhIM"})
    if told.text:
        blocks.append({"type": "text", "text": told.text})
    blocks += (
        {"type": "tool_use", "id": one.id, "name": one.name, "input": json.loads(one.arguments)}
        for one in told.calls
    )
    return blocks


def _message(body: Json, told: Told) -> Json:
    return {
        "id": "msg_01XFDUDYJgAACzvnptvVoYEL",
        "type": "message",
        "role": "assistant",
        "model": body["model"],
        "content": _blocks(told),
        "stop_reason": _STOP_REASONS[told.finish],
        "stop_sequence": None,
        "usage": _usage(told, told.completion_tokens),
    }


def _usage(told: Told, output: int) -> Json:
    return {
        "input_tokens": told.prompt_tokens - told.cached_tokens,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": told.cached_tokens,
        "output_tokens": output,
        "service_tier": "standard",
    }


def _events(body: Json, told: Told) -> Iterator[Json]:
    no_blocks: list[Json] = []
    begun: Json = {
        **_message(body, told),
        "content": no_blocks,
        "stop_reason": None,
        "usage": _usage(told, 1),
    }
    yield {"type": "message_start", "message": begun}
    for index, block in enumerate(_blocks(told)):
        yield from _block_events(index, block)
    yield {
        "type": "message_delta",
        "delta": {"stop_reason": _STOP_REASONS[told.finish], "stop_sequence": None},
        "usage": {"output_tokens": told.completion_tokens},
    }
    yield {"type": "message_stop"}


def _block_events(index: int, block: Json) -> Iterator[Json]:
    def grow(delta: Json) -> Json:
        return {"type": "content_block_delta", "index": index, "delta": delta}

    kind = str(block["type"])
    begun: Json = {**block, **_EMPTY.get(kind, {"input": _NO_INPUT})}
    yield {"type": "content_block_start", "index": index, "content_block": begun}
    if index == 0:
        yield {"type": "ping"}
    if kind == "text":
        for piece in _cut(str(block["text"])):
            yield grow({"type": "text_delta", "text": piece})
    elif kind == "thinking":
        for piece in _cut(str(block["thinking"])):
            yield grow({"type": "thinking_delta", "thinking": piece})
        yield grow({"type": "signature_delta", "signature": block["signature"]})
    else:
        yield grow({"type": "input_json_delta", "partial_json": ""})
        if block["input"]:
            for piece in _cut(json.dumps(block["input"])):
                yield grow({"type": "input_json_delta", "partial_json": piece})
    yield {"type": "content_block_stop", "index": index}


def _cut(text: str) -> Iterator[str]:
    for at in range(0, len(text), 4):
        yield text[at : at + 4]
