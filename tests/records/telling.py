"""Tells a journal what happened to calls that never were."""

import secrets
import time
from collections.abc import Iterator, Mapping

from understudy.server.domain.chat import ChatCall, Message
from understudy.server.domain.completion import Choice, Completion, Usage
from understudy.server.domain.experiments import Assigned, AssignmentReason
from understudy.server.domain.mirroring import (
    Comparison,
    Disposition,
    Outcome,
    SilentCall,
    SilentEnd,
)
from understudy.server.domain.request import CompletionRequest, Target
from understudy.server.errors import Reason
from understudy.server.events import (
    AttemptEnded,
    AttemptStarted,
    CallEnded,
    CallEvent,
    CallStarted,
    FirstDelta,
    Mirrored,
    SilentEnded,
    VariantChosen,
)


def new_pair_id() -> str:
    """An id as the completer makes them."""
    return f"{time.time_ns() // 1_000_000:012x}{secrets.token_hex(10)}"


def answer(text: str = "hello", model: str = "served-1") -> Completion:
    """A whole answer."""
    return Completion(
        (Choice(0, Message("assistant", content=text), "stop"),),
        id="answer-1",
        model=model,
        usage=Usage(3, 2, 5),
    )


def request(
    prompt: str = "hi",
    *,
    target: Target | None = None,
    may_mirror: bool = True,
    stream: bool = False,
    metadata: Mapping[str, str] | None = None,
) -> CompletionRequest:
    """A prompt of somebody's."""
    chat = ChatCall((Message("user", content=prompt),), {}, stream=stream)
    return CompletionRequest(
        target or Target("gpt-3.5-turbo"),
        chat,
        0.0,
        "request-1",
        "alice",
        "",
        metadata or {},
        may_mirror,
    )


def attempt(
    pair_id: str,
    number: int,
    begin: float,
    end: float,
    *,
    group: str = "gpt-3.5-turbo",
    reason: Reason | None = None,
    status: int = 200,
    completion: Completion | None = None,
    first: float | None = None,
) -> Iterator[CallEvent]:
    """One upstream call."""
    yield AttemptStarted(
        pair_id, begin, number, group, f"{group}-{number}", "openai", group, "https://x", 100
    )
    if first is not None:
        yield FirstDelta(pair_id, first, number)
    if reason is None and completion is None:
        completion = answer()
    yield AttemptEnded(pair_id, end, number, reason, status, completion)


def answered(
    pair_id: str,
    *,
    start: float | None = None,
    latency: float = 0.5,
    of: CompletionRequest | None = None,
    offered: tuple[str, ...] = (),
    refused: Mapping[str, str] | None = None,
    text: str = "hello",
) -> Iterator[CallEvent]:
    """A call that was answered at the first attempt."""
    begin = time.monotonic() if start is None else start
    asked = of or request()
    yield CallStarted(pair_id, begin, asked, 7)
    dispositions = [Disposition(one, True) for one in offered]
    dispositions += [Disposition(one, False, why) for one, why in (refused or {}).items()]
    if dispositions:
        yield Mirrored(pair_id, begin, tuple(dispositions))
    group = next(iter(asked.target.models), asked.target.model)
    if asked.target.models:
        assigned = None
        if experiment := asked.target.experiment:
            assigned = Assigned(experiment, group, AssignmentReason.OVERRIDDEN)
        yield VariantChosen(pair_id, begin, group, assigned)
    yield from attempt(pair_id, 1, begin, begin + latency, group=group, completion=answer(text))
    yield CallEnded(pair_id, begin + latency, None, 1)


def silent_end(
    pair_id: str,
    silent_model: str = "gpt-4",
    outcome: Outcome = Outcome.PAIRED,
    *,
    start: float | None = None,
    latency: float = 1.5,
    reason: str = "",
    text: str = "good day",
    primary_length: int = 5,
) -> SilentEnded:
    """The end of a copy; only those that were sent have a call."""
    begin = time.monotonic() if start is None else start
    call = comparison = None
    if outcome in (Outcome.PAIRED, Outcome.UNPAIRED, Outcome.FAILED, Outcome.TIMED_OUT):
        is_answer = outcome in (Outcome.PAIRED, Outcome.UNPAIRED)
        call = SilentCall(
            f"{silent_model}-1",
            "openai",
            silent_model,
            begin,
            begin + latency,
            None,
            "" if is_answer else reason or "UPSTREAM_INTERNAL_ERROR",
            200 if is_answer else 500,
            120,
            300,
            answer(text, "silent-served") if is_answer else None,
        )
    if outcome is Outcome.PAIRED:
        comparison = Comparison(
            False, False, primary_length, len(text), both_json=None, similarity=0.25
        )
    end = SilentEnd(pair_id, silent_model, outcome, reason, 0.5, call, comparison)
    return SilentEnded(pair_id, begin + latency, end)


def paired(
    pair_id: str,
    silent_model: str = "gpt-4",
    *,
    start: float | None = None,
    latency: float = 1.5,
    text: str = "good day",
) -> Iterator[CallEvent]:
    """A call that was answered, and mirrored to one silent model that answered too."""
    begin = time.monotonic() if start is None else start
    yield from answered(pair_id, start=begin, offered=(silent_model,))
    yield silent_end(pair_id, silent_model, start=begin, latency=latency, text=text)
