"""Ollama on loopback: `/api/chat` and `/api/generate`, whole and streamed, in its own words.

Checked as strictly as Ollama's Go structs are typed, and more: a name that they do not have is an
error here, where Ollama would pass over it in silence. A key is wanted only where one is sent, as
by a proxy in front of it. It has no content policy, so `Failing("policy")` cannot be told.
"""

import json
import re
from base64 import b64decode
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

import msgspec
from aiohttp import web
from msgspec import Meta, Struct

from .faithful import Asked, Called, Failing, Faithful, Told

FAILURES: Mapping[str, tuple[int, str]] = {
    "credentials": (401, "unauthorized"),
    "forbidden": (403, "this model requires a subscription, upgrade for access"),
    "model": (404, "model 'llama3.2' not found"),
    "rate": (429, "too many concurrent requests"),
    "quota": (429, "you (ann) have reached your weekly usage limit, upgrade for higher limits"),
    "context": (400, "the input length exceeds the context length"),
    "invalid": (400, 'option "temperature" must be of type float32'),
    "overloaded": (503, "server busy, please try again.  maximum pending requests exceeded"),
    "internal": (500, "llama runner process has terminated: exit status 2"),
}

Object = dict[str, Any]
Think = bool | Literal["high", "medium", "low", "max"]
Many = Annotated[int, Meta(ge=0, le=20)]


class _Strict(Struct, forbid_unknown_fields=True):
    pass


class _Options(_Strict):
    num_keep: int = 4
    seed: int = -1
    num_predict: int = -1
    top_k: int = 40
    top_p: float = 0.9
    min_p: float = 0.0
    typical_p: float = 1.0
    repeat_last_n: int = 64
    temperature: float = 0.8
    repeat_penalty: float = 1.1
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    mirostat: int = 0
    mirostat_tau: float = 5.0
    mirostat_eta: float = 0.1
    penalize_newline: bool = True
    stop: list[str] = []
    num_ctx: int = 4096
    num_batch: int = 512
    num_gpu: int = -1
    main_gpu: int = 0
    use_mmap: bool | None = None
    num_thread: int = 0


class _Function(_Strict):
    name: str
    arguments: Object
    index: int = 0


class _ToolCall(_Strict):
    function: _Function
    id: str = ""


class _Message(_Strict):
    role: Literal["system", "user", "assistant", "tool"]
    content: str = ""
    thinking: str = ""
    images: list[str] = []
    tool_calls: list[_ToolCall] = []
    tool_name: str = ""
    tool_call_id: str = ""


class _Definition(_Strict):
    name: str
    description: str = ""
    parameters: Object = {}
    strict: bool = False  # Ollama passes over it


class _Tool(_Strict):
    type: str
    function: _Definition


class _Either(_Strict):
    model: str
    stream: bool = True
    format: Literal["json"] | Object | None = None
    keep_alive: int | float | str | None = None
    options: _Options | None = None
    think: Think | None = None
    truncate: bool = True
    shift: bool = True
    logprobs: bool = False
    top_logprobs: Many = 0


class _Chat(_Either, kw_only=True):
    messages: list[_Message]
    tools: list[_Tool] = []


class _Generate(_Either, kw_only=True):
    prompt: str = ""
    suffix: str = ""
    system: str = ""
    template: str = ""
    context: list[int] = []
    raw: bool = False
    images: list[str] = []


_INTERFACES: Mapping[str, type[_Chat | _Generate]] = {
    "/api/chat": _Chat,
    "/api/generate": _Generate,
}


class OllamaServer(Faithful):
    """Serves whatever model it is asked for."""

    async def answer(self, request: web.Request, asked: Asked) -> web.StreamResponse:
        kind = _INTERFACES.get(asked.path)
        if kind is None:
            return web.Response(status=404, text="404 page not found")
        if asked.method != "POST":
            return web.Response(status=405, text="405 method not allowed")
        if asked.headers.get("authorization") not in (None, f"Bearer {self.key}"):
            return _refuse("credentials")
        try:
            wanted = msgspec.json.decode(asked.body, type=kind)
            _check_images(wanted)
        except ValueError as error:  # msgspec's and base64's are such
            return web.json_response({"error": str(error)}, status=400)
        if isinstance(self.told, Failing) and not (wanted.stream and self.told.after):
            return _refuse(self.told.kind)
        if wanted.stream:
            return await self._stream(request, wanted)
        told = self.told if isinstance(self.told, Told) else Told()
        return web.json_response(_whole(wanted, told))

    async def _stream(self, request: web.Request, wanted: _Chat | _Generate) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "application/x-ndjson"})
        await response.prepare(request)
        failing = self.told if isinstance(self.told, Failing) else None
        told = self.told if isinstance(self.told, Told) else Told()
        for count, piece in enumerate(_pieces(wanted, told)):
            if failing is not None and count == failing.after:
                piece = {"error": FAILURES[failing.kind][1]}
            await response.write(json.dumps(piece).encode() + b"\n")
            if "error" in piece:
                break
        await response.write_eof()
        return response


def _refuse(kind: str) -> web.Response:
    status, error = FAILURES[kind]
    return web.json_response({"error": error}, status=status)


def _check_images(wanted: _Chat | _Generate) -> None:
    holders = wanted.messages if isinstance(wanted, _Chat) else [wanted]
    for one in holders:
        for image in one.images:
            b64decode(image, validate=True)


def _whole(wanted: _Chat | _Generate, told: Told) -> Object:
    calls = [_call(at, one) for at, one in enumerate(told.calls)]
    said = _said(wanted, told.text, _thoughts(wanted, told), calls)
    odds = _odds(_words(told.text)) if wanted.logprobs and told.logprobs else {}
    return {**_head(wanted), **said, **odds, **_tail(told)}


def _pieces(wanted: _Chat | _Generate, told: Told) -> Iterator[Object]:
    head = {**_head(wanted), "done": False}
    for word in _words(_thoughts(wanted, told)):
        yield {**head, **_said(wanted, "", word)}
    for word in _words(told.text):
        odds = _odds([word]) if wanted.logprobs and told.logprobs else {}
        yield {**head, **_said(wanted, word), **odds}
    for at, one in enumerate(told.calls):
        yield {**head, **_said(wanted, "", calls=[_call(at, one)])}
    yield {**_head(wanted), **_said(wanted, ""), **_tail(told)}


def _head(wanted: _Either) -> Object:
    return {"model": wanted.model, "created_at": "2025-11-12T10:20:30.123456789Z"}


def _said(
    wanted: _Either, text: str, thinking: str = "", calls: list[Object] | None = None
) -> Object:
    thoughts = {"thinking": thinking} if thinking else {}
    if isinstance(wanted, _Generate):
        return {"response": text, **thoughts}
    called = {"tool_calls": calls} if calls else {}
    return {"message": {"role": "assistant", "content": text, **thoughts, **called}}


def _call(at: int, one: Called) -> Object:
    function = {"index": at, "name": one.name, "arguments": json.loads(one.arguments)}
    return {"id": one.id, "function": function}


def _tail(told: Told) -> Object:
    cached = {"prompt_eval_cached_count": told.cached_tokens} if told.cached_tokens else {}
    return {
        "done": True,
        "done_reason": "length" if told.finish == "length" else "stop",
        "total_duration": 174560334,
        "load_duration": 101397084,
        "prompt_eval_count": told.prompt_tokens,
        **cached,
        "prompt_eval_duration": 13074791,
        "eval_count": told.completion_tokens,
        "eval_duration": 52479709,
    }


def _thoughts(wanted: _Either, told: Told) -> str:
    return "" if wanted.think is False else told.reasoning


def _words(text: str) -> list[str]:
    return re.findall(r"\s*\S+\s*$|\s*\S+", text)


def _odds(words: list[str]) -> Object:
    return {
        "logprobs": [
            {
                "token": word,
                "logprob": -0.25,
                "bytes": list(word.encode()),
                "top_logprobs": [
                    {"token": word, "logprob": -0.25, "bytes": list(word.encode())},
                    {"token": "…", "logprob": -2.5, "bytes": list("…".encode())},
                ],
            }
            for word in words
        ]
    }
