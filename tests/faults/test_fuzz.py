"""Whatever comes in, from callers or from upstreams, ends in an answer or in a documented error.

Seeded, and bounded in time: see `budget`. `make fuzz` takes ten minutes.
"""

import json
from random import Random
from urllib.parse import parse_qs

import msgspec
import pytest

from understudy.server.domain.completion import Completion, Routing
from understudy.server.domain.deployment import Deployment, Endpoint
from understudy.server.errors import RefusedError, RequestError, UpstreamError
from understudy.server.evaluation.comparison import compare
from understudy.server.providers import dialect
from understudy.server.providers.families import SPOKEN
from understudy.server.servicers.read_request import read_request
from understudy.server.servicers.statuses import to_status
from understudy.server.servicers.write_answer import (
    write_completion,
    write_delta,
    write_last_piece,
)
from understudy.v1 import completion_pb2

from .arbitrary import cut, json_value, message, mutate_bytes, mutate_json, text
from .budget import LONG, SHORT, rounds, telling
from .samples import streamed_replies, whole_replies

LENGTHS = [SHORT, pytest.param(LONG, marks=pytest.mark.proof)]
REQUEST = completion_pb2.CreateCompletionRequest.DESCRIPTOR
# One provider of each dialect for what comes back, and each with its accents for what goes out.
PROVIDERS = sorted(SPOKEN)
DIALECTS = {family.dialect: provider for provider, family in SPOKEN.items()}
MODELS = ("m", "o3-mini", "gpt-5", "claude-opus-4-1", "claude-3-5-haiku", "deepseek-r1:8b")
STATUSES = (*[200] * 24, 201, 204, 301, 400, 401, 404, 413, 429, 500, 503, 529, 999)
ROUTING = Routing("p", "r", "g", "d", "openai", "m", 1, 1)


@pytest.mark.parametrize("seconds", LENGTHS)
def test_any_prompt_is_written_in_any_dialect_or_refused(seconds: float) -> None:
    written = refused = 0
    for seed, chance in rounds(seconds):
        asked = message(chance, REQUEST)
        assert isinstance(asked, completion_pb2.CreateCompletionRequest)
        stream = chance.random() < 0.4
        with telling(seed, asked):
            try:
                request = read_request(asked, stream=stream, deadline=1.0)
            except (RequestError, RefusedError) as error:
                to_status(error)
                refused += 1
                continue
            for provider in PROVIDERS:
                target = deployment(chance, provider)
                try:
                    http = dialect(provider).encode(request.chat, target)
                except (RequestError, RefusedError) as error:
                    to_status(error)
                    refused += 1
                else:
                    written += 1
                    check_body(http.body)
    assert written > refused / 100


@pytest.mark.parametrize("seconds", LENGTHS)
def test_any_reply_is_an_answer_or_an_upstream_error_however_it_is_cut(seconds: float) -> None:
    answered = failed = 0
    for seed, chance in rounds(seconds):
        name, provider = chance.choice(sorted(DIALECTS.items()))
        stream = chance.random() < 0.5
        status = chance.choice(STATUSES)
        headers = arbitrary_headers(chance)
        body = arbitrary_reply(chance, name)
        with telling(seed, provider, stream, status, headers, body):
            whole = read(provider, stream, status, headers, [body])
            pieces = read(provider, stream, status, headers, cut(chance, body))
            assert pieces == whole
        if isinstance(whole, Completion):
            answered += 1
        else:
            failed += 1
    assert answered > failed / 100


def deployment(chance: Random, provider: str) -> Deployment:
    """Return a deployment of a provider, with some of an operator's parameters."""
    defaults = {}
    if chance.random() < 0.2:
        defaults = {
            "temperature": chance.choice((0.5, 1)),
            "stop": ["\n"],
            "max_tokens": chance.choice((1, 4096)),
        }
    return Deployment(
        id="d",
        group="g",
        provider=provider,
        model=chance.choice(MODELS),
        endpoint=Endpoint("https://127.0.0.1/v1", (("authorization", "Bearer sk-x"),)),
        defaults=defaults,
        drop_params=chance.random() < 0.5,
    )


def check_body(body: bytes) -> None:
    """A body is JSON, or a form."""
    if body[:1] == b"{":
        msgspec.json.decode(body)
    else:
        parse_qs(body.decode("ascii"), strict_parsing=True)


def arbitrary_headers(chance: Random) -> dict[str, str]:
    """Return some headers of a reply."""
    some = {
        "content-type": chance.choice(("application/json", "text/event-stream", "text/html")),
        "content-length": chance.choice(("10", "-1", "x", "9" * 30)),
        "retry-after": chance.choice(("1", "-1", "1e9", "soon", "Wed, 21 Oct 2015 07:28:00 GMT")),
        "retry-after-ms": chance.choice(("5", "nan", "inf")),
        "content-encoding": chance.choice(("identity", "gzip")),
        "x-ratelimit-reset-requests": chance.choice(("1s", "6m0s", "-", "9" * 500 + "s")),
        "date": text(chance),
    }
    return {key: value for key, value in some.items() if chance.random() < 0.15}


def arbitrary_reply(chance: Random, name: str) -> bytes:
    """Return a reply that began as a real one."""
    streams = streamed_replies(name)
    if streams and chance.random() < 0.6:
        events = list(chance.choice(streams))
        for at in range(len(events)):
            if chance.random() < 0.15:
                events[at] = _mutate_event(chance, events[at])
        if chance.random() < 0.1:
            chance.shuffle(events)
        body = b"".join(events)
    else:
        value = chance.choice(whole_replies(name))
        if chance.random() < 0.7:
            value = mutate_json(chance, value)
        if chance.random() < 0.02:
            value = json_value(chance)
        body = json.dumps(value).encode()
    return mutate_bytes(chance, body) if chance.random() < 0.4 else body


def _mutate_event(chance: Random, event: bytes) -> bytes:
    start, end = event.find(b"{"), event.rfind(b"}") + 1
    if start < 0:
        return mutate_bytes(chance, event)
    changed = json.dumps(mutate_json(chance, json.loads(event[start:end]))).encode()
    return event[:start] + changed + event[end:]


def read(
    provider: str, stream: bool, status: int, headers: dict[str, str], pieces: list[bytes]
) -> Completion | str:
    """Return what a reply comes to, having written all of it to the wire: an answer, or why not."""
    reader = dialect(provider).reader(stream, status, headers)
    try:
        for piece in pieces:
            for delta in reader.feed(piece):
                write_delta(delta, None).SerializeToString()
            if reader.done:
                break
        answer = reader.finish()
    except UpstreamError as error:
        to_status(error)
        return error.reason.value
    write_completion(answer, ROUTING).SerializeToString()
    write_last_piece(answer, None).SerializeToString()
    compare(answer, answer, None)
    return answer
