"""Deployments, requests and replies that the tests of Ollama's dialects share."""

import json
from collections.abc import Iterable, Mapping

from understudy.server.domain.chat import ChatCall
from understudy.server.domain.completion import Completion, Delta
from understudy.server.domain.deployment import Deployment
from understudy.server.errors import Reason, UpstreamError
from understudy.server.providers import dialect

from .samples import deployment

DIALECTS = ("ollama", "ollama_chat")
WHEN = "2023-08-04T08:52:19.385406455-07:00"
ENDED = {"done": True, "done_reason": "stop", "prompt_eval_count": 26, "eval_count": 3}

Outcome = tuple[list[Delta], Completion | tuple[Reason, str, int, int]]


def target(
    provider: str = "ollama_chat", defaults: Mapping[str, object] | None = None
) -> Deployment:
    return deployment(provider, "llama3.2", defaults)


def body_of(prompt: ChatCall, to: Deployment | None = None) -> dict[str, object]:
    to = to or target()
    body: dict[str, object] = json.loads(dialect(to.provider).encode(prompt, to).body)
    return body


def options_of(prompt: ChatCall, to: Deployment | None = None) -> object:
    return body_of(prompt, to).get("options")


def line(message: Mapping[str, object] | None = None, /, **more: object) -> bytes:
    """A line of a chat's stream, or a whole reply."""
    said = {} if message is None else {"message": {"role": "assistant", **message}}
    value = {"model": "m", "created_at": WHEN, **said, "done": False, **more}
    return json.dumps(value).encode() + b"\n"


def word(text: str) -> bytes:
    return line({"content": text})


def last(**more: object) -> bytes:
    return line({"content": ""}, **{**ENDED, **more})


def outcome(
    pieces: Iterable[bytes],
    *,
    stream: bool = True,
    status: int = 200,
    provider: str = "ollama_chat",
) -> Outcome:
    """Read a reply; return its deltas, and the answer or how it failed."""
    reader = dialect(provider).reader(stream, status, {})
    deltas: list[Delta] = []
    try:
        for piece in pieces:
            deltas.extend(reader.feed(piece))
        return deltas, reader.finish()
    except UpstreamError as error:
        return deltas, (error.reason, error.message, error.status, error.delivered)


def failed(*pieces: bytes, stream: bool = True) -> tuple[Reason, int]:
    """The reason of a reply that fails, and the deltas delivered before."""
    _, found = outcome(pieces, stream=stream)
    assert isinstance(found, tuple)
    return found[0], found[3]


def answered(*pieces: bytes, stream: bool = False, provider: str = "ollama_chat") -> Completion:
    """The answer in a reply."""
    _, found = outcome(pieces, stream=stream, provider=provider)
    assert isinstance(found, Completion), found
    return found
