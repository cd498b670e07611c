"""A server that speaks OpenAI's protocol as one of its many speakers does.

Strict on what it is asked, and true to the provider in how it answers: whose usage comes where,
what the thoughts are called, how a stream breaks off. Its requests are checked in `openai_schema`,
its refusals are in `openai_failures`.
"""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import cast
from urllib.parse import urlsplit

from aiohttp import web
from msgspec import UNSET

from understudy.server.providers.families import SPOKEN

from .faithful import Asked, Failing, Faithful, Told
from .openai_failures import fault_of
from .openai_schema import Body, Json, read_body

_AZURE = "/openai/deployments/{model}/chat/completions?api-version=2025-02-01-preview"
_REASONING = {"groq", "openrouter", "cerebras", "together_ai"}  # who calls it so
_ENDS = {"together_ai": {"stop": "eos"}, "mistral": {"length": "model_length"}}
_ALIKE = {"codestral": "mistral"}  # whose servers are another's
_NEVER_SHOWN = {"openai", "azure"}  # who keep their thoughts to themselves


def _piece(delta: Json, finish: str | None = None, index: int = 0, **more: object) -> Json:
    return {"index": index, "delta": delta, "finish_reason": finish, **more}


class OpenAiServer(Faithful):
    """One provider. `api_base` is what its operator writes."""

    def __init__(
        self,
        provider: str,
        model: str,
        told: Told | Failing | None = None,
        key: str = "sk-contract",
    ) -> None:
        super().__init__(told, key)
        self.provider = provider
        self.model = model
        self.manner = _ALIKE.get(provider, provider)

    @property
    def api_base(self) -> str:
        """The base below which the provider's own path begins."""
        own = urlsplit(SPOKEN[self.provider].base).path
        bare = self.provider in ("azure", "huggingface")
        return self.base + ("" if bare else own or "/v1")

    async def answer(self, request: web.Request, asked: Asked) -> web.StreamResponse:
        """Answer as the provider would."""
        if (fault := self._check_door(asked)) is not None:
            return self._refuse(*fault)
        body, fault_text = read_body(self.manner, asked.body)
        if body is None or body.model != self.model:
            refusal = {"error": {"message": fault_text or "unknown model", "type": "strict"}}
            return self._refuse(400, refusal)
        failing = self.told if isinstance(self.told, Failing) else None
        if failing is not None and failing.after is None:
            fault = fault_of(self.manner, failing.kind)
            assert fault is not None
            return self._refuse(*fault)
        told = self.told if isinstance(self.told, Told) else Told()
        told = replace(told, choices=1 if body.n is UNSET else body.n)
        if body.stream is not True:
            return web.json_response(self._whole(told, body))
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        words = -1  # the first delta only names the role
        for event in self._events(told, body):
            words += b'"delta"' in event
            if failing is not None and words > (failing.after or 0):
                await response.write(self._break_off(failing.kind))
                break
            await response.write(event)
        return response

    def _check_door(self, asked: Asked) -> tuple[int, object] | None:
        if self.manner == "azure":
            path = _AZURE.format(model=self.model)
        else:
            version = "/v1" if self.manner == "huggingface" else ""
            path = f"{urlsplit(self.api_base).path}{version}/chat/completions"
        if (asked.method, asked.path) != ("POST", path):
            return 404, {"error": {"message": f"no such path {asked.path}, but {path}"}}
        if asked.headers.get("content-type") != "application/json":
            return 415, {"error": {"message": "no JSON"}}
        header, value = "authorization", f"Bearer {self.key}"
        if self.manner == "azure":
            header, value = "api-key", self.key
        if asked.headers.get(header) != value:
            return fault_of(self.manner, "credentials")
        others = {"authorization", "api-key", "x-api-key"} - {header}
        if others & asked.headers.keys():
            return 400, {"error": {"message": "a credential too many"}}
        return None

    def _refuse(self, status: int, body: object) -> web.Response:
        if isinstance(body, str):
            return web.Response(status=status, text=body, content_type="text/html")
        return web.json_response(body, status=status)

    def _message(self, told: Told) -> Json:
        message: Json = {"role": "assistant", "content": told.text}
        if told.calls or told.refusal:
            message["content"] = None
        if told.refusal:
            message["refusal"] = told.refusal
        if told.calls:
            message["tool_calls"] = [
                {"id": one.id, "type": "function",
                 "function": {"name": one.name, "arguments": one.arguments}}
                for one in told.calls
            ]  # fmt: skip
        if told.reasoning and self.manner not in _NEVER_SHOWN:
            message |= self._thoughts(told.reasoning)
            if self.manner == "mistral":
                thinking = message["content"]
                assert isinstance(thinking, list)
                message["content"] = [*thinking, {"type": "text", "text": told.text}]
        return message

    def _end(self, told: Told) -> str:
        return _ENDS.get(self.manner, {}).get(told.finish, told.finish)

    def _thoughts(self, text: str) -> Json:
        if self.manner == "mistral":
            inner = [{"type": "text", "text": text}]
            return {"content": [{"type": "thinking", "thinking": inner, "closed": True}]}
        return {"reasoning" if self.manner in _REASONING else "reasoning_content": text}

    def _usage(self, told: Told) -> Json:
        total = told.prompt_tokens + told.completion_tokens
        usage: Json = {"prompt_tokens": told.prompt_tokens,
                       "completion_tokens": told.completion_tokens}  # fmt: skip
        if told.reasoning_tokens:
            usage["completion_tokens_details"] = {"reasoning_tokens": told.reasoning_tokens}
            if self.manner == "xai":  # who counts them apart
                total += told.reasoning_tokens
        if told.cached_tokens and self.manner == "deepseek":
            usage["prompt_cache_hit_tokens"] = told.cached_tokens
        elif told.cached_tokens and self.manner == "moonshot":
            usage["cached_tokens"] = told.cached_tokens
        elif told.cached_tokens:
            usage["prompt_tokens_details"] = {"cached_tokens": told.cached_tokens}
        if self.manner == "openrouter":
            usage["cost"] = 0.00012345
        return {**usage, "total_tokens": total}

    def _logprobs(self, told: Told) -> Json:
        if not told.logprobs:
            return {"logprobs": None}
        top = [{"token": "Hi", "logprob": -1.5, "bytes": [72, 105]}]
        tokens = [
            {"token": word, "logprob": -0.25, "bytes": list(word.encode()), "top_logprobs": top}
            for word in told.text.split()
        ]
        return {"logprobs": {"content": tokens, "refusal": None}}

    def _head(self, kind: str) -> Json:
        return {"id": "chatcmpl-1", "object": kind, "created": 1_700_000_000, "model": self.model}

    def _whole(self, told: Told, body: Body) -> Json:
        choices = [
            {"index": at, "message": self._message(told), "finish_reason": self._end(told),
             **self._logprobs(told)}
            for at in range(told.choices)
        ]  # fmt: skip
        return {**self._head("chat.completion"), "choices": choices, "usage": self._usage(told)}

    def _events(self, told: Told, body: Body) -> Iterator[bytes]:
        if self.manner in ("openrouter", "deepseek"):
            yield b": keep-alive\n\n"
        if self.manner == "azure":
            yield self._event({"choices": [], "prompt_filter_results": [], "id": "", "model": ""})
        for index in range(told.choices):
            for piece in self._pieces(told, index):
                yield self._event({**self._head("chat.completion.chunk"), "choices": [piece]})
        asked = body.stream_options is not UNSET and body.stream_options.include_usage
        if self.manner == "groq":
            own: Json = {"choices": [], "x_groq": {"id": "r", "usage": self._usage(told)}}
            yield self._event({**self._head("chat.completion.chunk"), **own})
        elif asked or self.manner == "mistral":
            last: Json = {"choices": [], "usage": self._usage(told)}
            yield self._event({**self._head("chat.completion.chunk"), **last})
        yield b"data: [DONE]\n\n"

    def _pieces(self, told: Told, index: int) -> Iterator[Json]:
        silent = bool(told.calls or told.refusal)
        yield _piece({"role": "assistant", "content": None if silent else ""}, None, index)
        if told.reasoning and self.manner not in _NEVER_SHOWN:
            for word in _split(told.reasoning):
                yield _piece(self._thoughts(word), None, index)
        if told.refusal:
            for word in _split(told.refusal):
                yield _piece({"refusal": word}, None, index)
        elif told.calls:
            yield from (_piece({"tool_calls": [call]}, None, index) for call in self._calls(told))
        elif told.logprobs:
            for word, tokens in zip(_split(told.text), _each(self._logprobs(told)), strict=True):
                yield _piece({"content": word}, None, index, **tokens)
        else:
            yield from (_piece({"content": word}, None, index) for word in _split(told.text))
        yield _piece({}, self._end(told), index)

    def _calls(self, told: Told) -> Iterator[Json]:
        if self.manner == "gemini":  # whole, and all of them the first
            for one in told.calls:
                function = {"name": one.name, "arguments": one.arguments}
                yield {"index": 0, "id": one.id, "type": "function", "function": function}
            return
        for at, one in enumerate(told.calls):
            function = {"name": one.name, "arguments": ""}
            yield {"index": at, "id": one.id, "type": "function", "function": function}
        middle = 5
        for start, end in ((0, middle), (middle, None)):  # mixed, as parallel calls may be
            for at, one in enumerate(told.calls):
                yield {"index": at, "function": {"arguments": one.arguments[start:end]}}

    def _event(self, value: object) -> bytes:
        space = b"" if self.manner == "huggingface" else b" "
        return b"data:" + space + json.dumps(value).encode() + b"\n\n"

    def _break_off(self, kind: str) -> bytes:
        fault = fault_of(self.manner, kind)
        assert fault is not None
        status, body = fault
        if self.manner == "openrouter":
            error = {"code": status, "message": "Provider disconnected"}
            choice = _piece({"content": ""}, "error")
            head = self._head("chat.completion.chunk")
            return self._event({**head, "error": error, "choices": [choice]})
        if self.manner == "groq":
            return b"event: error\n" + self._event(body)
        return self._event(body)


def _split(text: str) -> list[str]:
    """Cut a text into pieces that make it up, each word with the space before it."""
    first, *others = text.split(" ")
    return [first, *(f" {word}" for word in others)]


def _each(logprobs: Json) -> Iterator[Json]:
    """Cut log probabilities into those of each token."""
    inner = cast(dict[str, list[Json]], logprobs["logprobs"])
    for token in inner["content"]:
        yield {"logprobs": {"content": [token], "refusal": None}}
