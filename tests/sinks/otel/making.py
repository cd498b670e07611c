"""Makes tellings as the service does: a request, its upstream calls, and their words."""

from collections.abc import Iterator, Mapping
from typing import Final

from msgspec import structs

from understudy.server.domain.chat import ChatCall, Message
from understudy.server.domain.completion import (
    Choice,
    CompletionTokensDetails,
    PromptTokensDetails,
    Usage,
)
from understudy.server.domain.mirroring import Outcome
from understudy.server.domain.records import Record, Role, TextState
from understudy.server.domain.request import TraceContext
from understudy.server.domain.tellings import Answered, Asked, CopyEnded, Generation, Telling

STARTED: Final = 1_780_000_000_000_000  # microseconds since 1970
PAIR: Final = "019a00000000" + "ab" * 10
SILENT: Final = "gpt-4"
USAGE: Final = Usage(
    prompt_tokens=120,
    completion_tokens=40,
    total_tokens=160,
    prompt_tokens_details=PromptTokensDetails(cached_tokens=20),
    completion_tokens_details=CompletionTokensDetails(reasoning_tokens=10),
)


def pair_id(number: int) -> str:
    """The id of a request, as the service makes them."""
    return f"019a0000{number:04x}" + f"{number * 7919 + 1:020x}"


def asked(pair: str = PAIR, **fields: object) -> Asked:
    """What a caller asked."""
    chat = ChatCall((), {"temperature": 0.5, "max_tokens": 64, "stop": ["END"]})
    usual = Asked(pair_id=pair, request_id=f"order-{pair[-4:]}", caller="shop", chat=chat)
    return structs.replace(usual, **fields)


def record(
    pair: str = PAIR, role: Role = Role.PRIMARY, attempt: int = 1, **fields: object
) -> Record:
    """The record of an answered upstream call."""
    silent = role is Role.SILENT
    usual = Record(
        id=f"{pair}-5f1e0c3a" if silent else f"{pair}-{attempt}",
        pair_id=pair,
        role=role,
        request_id="",
        caller="shop",
        metadata={},
        experiment="spring",
        variant="treatment",
        group=SILENT if silent else "gpt-3.5-turbo",
        deployment="azure/two" if silent else "openai/one",
        provider="azure" if silent else "openai",
        model="gpt-4" if silent else "gpt-3.5-turbo",
        served_model="gpt-4-0613" if silent else "gpt-3.5-turbo-0125",
        attempt=attempt,
        reason="",
        upstream_status=200,
        started=STARTED + 1_000,
        latency=600_000,
        first_token=90_000,
        usage=USAGE,
        cost=2_345_000,
        finish_reason="stop",
        request_bytes=200,
        response_bytes=400,
        streamed=True,
        effective_fraction=0.25 if silent else None,
        revision=3,
        text_state=TextState.KEPT,
        overridden=False,
    )
    return structs.replace(usual, **fields)


def generation(
    pair: str = PAIR,
    role: Role = Role.PRIMARY,
    *,
    prompt: str | None = "What is the capital of France?",
    answer: str | None = "Paris.",
    of: Asked | None = None,
    message: str = "",
    **fields: object,
) -> Generation:
    """An upstream call."""
    return Generation(
        record=record(pair, role, **fields),  # type: ignore[arg-type]
        asked=of or asked(pair),
        messages=None if prompt is None else (Message("user", prompt),),
        choices=None if answer is None else (Choice(0, Message("assistant", answer), "stop"),),
        message=message,
    )


def answered(pair: str = PAIR, *, of: Asked | None = None, **fields: object) -> Answered:
    """A request that its caller has its answer to."""
    usual = Answered(
        asked=of or asked(pair),
        started=STARTED,
        ended=STARTED + 700_000,
        attempts=1,
        group="gpt-3.5-turbo",
        first_token=91_000,
        streamed=True,
    )
    return structs.replace(usual, **fields)


def mirrored(number: int, of: Mapping[str, object] | None = None) -> Iterator[Telling]:
    """All that is told of one mirrored request, in the order in which it happens."""
    pair = pair_id(number)
    who = asked(pair, **(of or {}))
    yield generation(pair, of=who)
    yield answered(pair, of=who)
    yield generation(pair, Role.SILENT, of=who, answer="It is Paris.")
    yield CopyEnded(pair_id=pair, silent_model=SILENT, outcome=Outcome.PAIRED)


def trace(number: int = 1, *, sampled: bool = True) -> TraceContext:
    """A caller's place in its trace."""
    return TraceContext(f"{number:032x}", f"{number:016x}", sampled, "vendor=1")
