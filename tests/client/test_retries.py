"""Only a call that certainly reached no model is repeated, within its time."""

import time
from collections.abc import Callable, Iterator

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import RetryInfo

from understudy import client
from understudy.client.retries import DEPOSIT, MOST_TRIES, RESERVE, Budget, Patience
from understudy.client.statuses import REFUSALS, read_status
from understudy.v1.completion_pb2 import (
    CreateCompletionRequest,
    CreateCompletionResponse,
    StreamCompletionResponse,
)
from understudy.v1.error_reason_pb2 import ErrorReason

from .asking import FLAVOURS, Flavour, ask
from .scripted import Context, Server, echo, fail, spell, tell

UNAVAILABLE = grpc.StatusCode.UNAVAILABLE


def refusal(
    reason: str, seconds: float | None = None, pushback: str | None = None
) -> client.UnderstudyError:
    """The error of a refusal, as it arrives."""
    info = RetryInfo(retry_delay=Duration(nanos=round((seconds or 0) * 1e9) % 10**9))
    info.retry_delay.seconds = int(seconds or 0)
    details = [] if seconds is None else [info]
    message, trailers = tell(UNAVAILABLE, reason, *details, pushback=pushback)
    return read_status(UNAVAILABLE, message, trailers, "t", 1)


def patience(timeout: float = 100.0, ticket: float = 1.0) -> Patience:
    return Patience(timeout, lambda: 0.0, lambda: ticket)


def test_the_reasons_to_repeat_are_reasons_of_the_contract() -> None:
    assert {f"ERROR_REASON_{reason}" for reason in REFUSALS} <= set(ErrorReason.keys())


@pytest.mark.parametrize("name", ErrorReason.keys())
def test_a_reason_is_repeated_only_if_no_model_was_asked(name: str) -> None:
    reason = name.removeprefix("ERROR_REASON_")

    wait = patience().wait_after(refusal(reason))

    assert (wait is not None) == (reason in REFUSALS)


@pytest.mark.parametrize(
    ("error", "wait"),
    [
        (refusal("OVERLOADED"), 0.1),
        (refusal("OVERLOADED", seconds=2.5), 2.6),
        (refusal("OVERLOADED", pushback="3000"), 3.1),
        (refusal("OVERLOADED", seconds=2.5, pushback="3000"), 3.1),
        (refusal("OVERLOADED", pushback="0"), 0.1),
        (refusal("OVERLOADED", pushback="-1"), None),
        (refusal("OVERLOADED", pushback="never"), None),
        (refusal("OVERLOADED", pushback=""), None),
        (refusal("DRAINING", seconds=1.0), 0.1),
        (refusal("DRAINING", pushback="-1"), None),
    ],
)
def test_the_server_says_how_long_to_wait(
    error: client.UnderstudyError, wait: float | None
) -> None:
    assert patience().wait_after(error) == pytest.approx(wait)


def test_another_domains_reason_is_none_of_ours() -> None:
    message, trailers = tell(UNAVAILABLE, "OVERLOADED")
    foreign = [(key, value.replace(b"understudy", b"elsewhere"))
               for key, value in trailers if isinstance(value, bytes)]  # fmt: skip

    error = read_status(UNAVAILABLE, message, foreign, "t", 1)

    assert patience().wait_after(error) is None


def test_waits_grow_and_end() -> None:
    patient = patience()

    waits = [patient.wait_after(refusal("OVERLOADED")) for _ in range(MOST_TRIES)]

    assert waits == pytest.approx([0.1, 0.2, 0.4, 0.8, None])


def test_all_calls_together_repeat_little_of_what_was_too_much() -> None:
    budget = Budget()
    repeats = 0
    for _ in range(1000):
        budget.deposit()
        patient = Patience(100.0, lambda: 0.0, lambda: 1.0, budget)
        while patient.wait_after(refusal("OVERLOADED", seconds=1.0)) is not None:
            repeats += 1

    assert repeats == pytest.approx(1000 * DEPOSIT + RESERVE, abs=1)


def test_a_server_that_goes_down_is_no_reason_to_repeat_less() -> None:
    budget = Budget()
    while budget.withdraw():
        pass

    patient = Patience(100.0, lambda: 0.0, lambda: 1.0, budget)

    assert patient.wait_after(refusal("DRAINING")) is not None


def test_waits_are_spread_from_zero() -> None:
    assert patience(ticket=0.0).wait_after(refusal("OVERLOADED")) == 0.0


def test_a_wait_past_the_deadline_is_not_begun() -> None:
    assert patience(timeout=2.0).wait_after(refusal("OVERLOADED", seconds=2.0)) is None


def test_time_is_counted_down_to_zero() -> None:
    now = 5.0
    patient = Patience(1.0, lambda: now, lambda: 0.0)
    assert patient.remaining() == 1.0

    now = 7.0

    assert patient.remaining() == 0.0


def first(
    times: int, then: Callable[[CreateCompletionRequest, Context], CreateCompletionResponse]
) -> Callable[[CreateCompletionRequest, Context], CreateCompletionResponse]:
    """Refuse so many times before answering."""
    left = times

    def answer(request: CreateCompletionRequest, context: Context) -> CreateCompletionResponse:
        nonlocal left
        left -= 1
        if left >= 0:
            fail(context, UNAVAILABLE, "DRAINING")
        return then(request, context)

    return answer


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_a_refused_call_is_repeated(flavour: Flavour, server: Server) -> None:
    server.service.unary = first(2, echo)

    assert ask(flavour, server.address) == ["hi"]
    assert len(server.service.requests) == 3


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_a_refused_stream_is_repeated(flavour: Flavour, server: Server) -> None:
    refuse = first(2, echo)

    def answer(
        request: CreateCompletionRequest, context: Context
    ) -> Iterator[StreamCompletionResponse]:
        refuse(request, context)
        return spell(request, context)

    server.service.streamed = answer

    assert ask(flavour, server.address, stream=True) == ["h", "i"]
    assert len(server.service.requests) == 3


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_repeating_ends(flavour: Flavour, server: Server) -> None:
    server.service.unary = first(100, echo)

    with pytest.raises(client.Unavailable, match="DRAINING") as caught:
        ask(flavour, server.address)

    assert caught.value.repeatable
    assert len(server.service.requests) == MOST_TRIES


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_a_call_with_too_little_time_is_not_repeated(flavour: Flavour, server: Server) -> None:
    def refuse(request: CreateCompletionRequest, context: Context) -> CreateCompletionResponse:
        fail(context, UNAVAILABLE, "CIRCUIT_OPEN", RetryInfo(retry_delay=Duration(seconds=60)))

    server.service.unary = refuse
    started = time.monotonic()

    with pytest.raises(client.Unavailable, match="CIRCUIT_OPEN") as caught:
        ask(flavour, server.address, timeout=30)

    assert time.monotonic() - started < 5
    assert caught.value.retry_after == 60
    assert len(server.service.requests) == 1


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("flavour", FLAVOURS)
def test_a_bare_unavailable_is_not_repeated(flavour: Flavour, stream: bool, server: Server) -> None:
    def refuse(request: CreateCompletionRequest, context: Context) -> CreateCompletionResponse:
        context.abort(UNAVAILABLE, "upstream connect error")
        raise AssertionError("abort raises")

    def refuse_stream(
        request: CreateCompletionRequest, context: Context
    ) -> Iterator[StreamCompletionResponse]:
        refuse(request, context)
        return iter(())

    server.service.unary = refuse
    server.service.streamed = refuse_stream

    with pytest.raises(client.Unavailable, match="a model may have been asked"):
        ask(flavour, server.address, stream=stream)

    assert len(server.service.requests) == 1


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_one_client_does_not_press_on_a_server_that_has_too_much_to_do(
    flavour: Flavour, server: Server
) -> None:
    def refuse(request: CreateCompletionRequest, context: Context) -> CreateCompletionResponse:
        fail(
            context,
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            "OVERLOADED",
            RetryInfo(retry_delay=Duration(nanos=200_000_000)),
        )

    server.service.unary = refuse
    started = time.monotonic()

    with pytest.raises(client.ResourceExhausted, match="OVERLOADED"):
        ask(flavour, server.address)

    assert len(server.service.requests) == MOST_TRIES
    assert time.monotonic() - started >= 0.2 * (MOST_TRIES - 1)
