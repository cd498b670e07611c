"""What a simulated model does with a request: a script of bytes and the times they come at. Pure.

Luck, that is latency and failures, depends on the request and on how often it was made before, so
that a retry may succeed. What is said is made up in `answers`; walking through the
script in real time is `upstream`'s work.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from math import exp, log
from random import Random

import msgspec
from msgspec.json import Decoder, encode

from understudy.server.providers.simulated import Spread
from understudy.server.simulated.answers import (
    Answer,
    Request,
    answer_all,
    count_prompt,
)
from understudy.server.simulated.words import MARK

Body = dict[str, object]

_FAILURES: Mapping[int, tuple[str, str]] = {
    429: ("rate_limit_exceeded", "slow down"),
    500: ("server_error", "something broke"),
    503: ("service_unavailable", "nobody is there"),
}


@dataclass(frozen=True, slots=True)
class Script:
    """A reply. Each step is bytes and the seconds after the request at which they come."""

    status: int
    headers: Mapping[str, str]
    steps: tuple[tuple[float, bytes], ...]


_REQUESTS = Decoder(Request)


def fingerprint(body: bytes) -> bytes:
    """Return what identifies a request, for counting how often it was made."""
    return blake2b(body, digest_size=16).digest()


def perform(body: bytes, *, repeat: int, created: int) -> Script:
    """Return what a simulated model answers to a request that was made `repeat` times before."""
    try:
        request = _REQUESTS.decode(body)
    except msgspec.DecodeError as error:
        return _refuse(400, "invalid_request_error", f"{MARK} {error}", 0.0)
    settings = request.simulated
    mark = f"{settings.seed}:{repeat}:".encode() + fingerprint(body)
    luck = Random(int.from_bytes(blake2b(mark, digest_size=8).digest()))
    first = _draw_latency(settings.latency, luck)
    if luck.random() < settings.failure_rate:
        return _fail(request, luck, first)
    answers = list(answer_all(request))
    head: Body = {
        "id": f"simulated-{fingerprint(body).hex()[:24]}",
        "object": "chat.completion.chunk" if request.stream else "chat.completion",
        "created": created,
        "model": f"simulated/{request.model}",
        "system_fingerprint": "simulated",
    }
    prompt = count_prompt(request)
    answer = sum(len(one.pieces) for one in answers)
    usage: Body = {
        "prompt_tokens": prompt,
        "completion_tokens": answer,
        "total_tokens": prompt + answer,
    }
    pace = 1 / settings.tokens_per_second
    if request.stream:
        tail = usage if request.stream_options.include_usage else None
        steps = tuple(_play_stream(head, answers, tail, first, pace))
        return Script(200, {"content-type": "text/event-stream"}, steps)
    end = first + pace * max(len(one.pieces) for one in answers)
    whole = {**head, "choices": [_choice(at, one) for at, one in enumerate(answers)]}
    reply = encode({**whole, "usage": usage})
    return Script(200, {"content-type": "application/json"}, ((end, reply),))


def _draw_latency(latency: float | Spread, luck: Random) -> float:
    if not isinstance(latency, Spread):
        return latency
    if not latency.mean:
        return 0.0
    # The mean of a log-normal is exp(mu + sigma²/2).
    mu = log(latency.mean) - latency.sigma**2 / 2
    return exp(luck.gauss(mu, latency.sigma))


def _fail(request: Request, luck: Random, at: float) -> Script:
    wanted = request.simulated.failure_status
    status = wanted if isinstance(wanted, int) else luck.choice(wanted)
    kind, words = _FAILURES.get(status, ("simulated_failure", "as configured"))
    return _refuse(status, kind, f"{MARK} {request.model}: {words}; failure_rate asks for it", at)


def _refuse(status: int, kind: str, message: str, at: float) -> Script:
    body = encode({"error": {"message": message, "type": kind, "param": None, "code": kind}})
    headers = {"content-type": "application/json"}
    if status in (429, 503):
        headers["retry-after"] = "1"
    return Script(status, headers, ((at, body),))


def _choice(index: int, answer: Answer) -> Body:
    text = "".join(answer.pieces)
    message: Body = {"role": "assistant", "content": text}
    if answer.tool:
        call = {
            "id": f"call_simulated_{index}",
            "type": "function",
            "function": {"name": answer.tool, "arguments": text},
        }
        message = {"role": "assistant", "content": None, "tool_calls": [call]}
    return {
        "index": index,
        "message": message,
        "logprobs": None,
        "finish_reason": answer.finish_reason,
    }


def _play_stream(
    head: Body, answers: list[Answer], usage: Body | None, first: float, pace: float
) -> Iterator[tuple[float, bytes]]:
    for index, answer in enumerate(answers):
        yield first, _event(head, index, _opening(index, answer))
    for at in range(max(len(one.pieces) for one in answers)):
        for index, answer in enumerate(answers):
            if at < len(answer.pieces):
                yield first + at * pace, _event(head, index, _piece(answer, at))
    end = first + pace * max(len(one.pieces) for one in answers)
    for index, answer in enumerate(answers):
        yield end, _event(head, index, {}, answer.finish_reason)
    if usage is not None:
        yield end, b"data: " + encode({**head, "choices": [], "usage": usage}) + b"\n\n"
    yield end, b"data: [DONE]\n\n"


def _opening(index: int, answer: Answer) -> Body:
    if not answer.tool:
        return {"role": "assistant", "content": ""}
    function = {"name": answer.tool, "arguments": ""}
    call = {"index": 0, "id": f"call_simulated_{index}", "type": "function", "function": function}
    return {"role": "assistant", "content": None, "tool_calls": [call]}


def _piece(answer: Answer, at: int) -> Body:
    if not answer.tool:
        return {"content": answer.pieces[at]}
    return {"tool_calls": [{"index": 0, "function": {"arguments": answer.pieces[at]}}]}


def _event(head: Body, index: int, delta: Body, finish_reason: str | None = None) -> bytes:
    choice = {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
    return b"data: " + encode({**head, "choices": [choice]}) + b"\n\n"
