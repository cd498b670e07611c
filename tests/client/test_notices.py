"""What the server says of an experiment is warned of once, where the program called from."""

import asyncio
import threading
import warnings
from collections.abc import Callable, Iterator

import grpc
import pytest

from understudy import client
from understudy.client import AsyncClient, Client, ExperimentWarning
from understudy.client.notices import Notices
from understudy.v1.completion_pb2 import (
    CreateCompletionRequest,
    CreateCompletionResponse,
    StreamCompletionResponse,
)
from understudy.v1.completion_pb2 import Warning as Told

from .asking import HI
from .scripted import Server, piece

DIFFERS = Told(reason="SPLIT_DIFFERS", message="gpt-4 50 % · llama-2 50 %")
DROPPED = Told(reason="PARAMETER_DROPPED", message="logit_bias")
SPLIT = {"gpt-4": 0.8, "llama-2": 0.2}


Answer = Callable[[CreateCompletionRequest, grpc.ServicerContext], CreateCompletionResponse]


def warning(*notices: Told) -> Answer:
    """Return what answers with these warnings."""

    def answer(_: CreateCompletionRequest, __: grpc.ServicerContext) -> CreateCompletionResponse:
        return CreateCompletionResponse(warnings=notices)

    return answer


def stream(
    _: CreateCompletionRequest, __: grpc.ServicerContext
) -> Iterator[StreamCompletionResponse]:
    yield piece("hi")
    yield StreamCompletionResponse(warnings=[DROPPED, DIFFERS])


@pytest.fixture
def differing(server: Server) -> Server:
    """A service whose experiments all serve another split."""
    server.service.unary = warning(DROPPED, DIFFERS)
    server.service.streamed = stream
    return server


def ask(own: Client, experiment: str = "x", times: int = 1) -> None:
    for _ in range(times):
        own.completion_with_split_tests(SPLIT, HI, use_client=True, id=experiment)


def heard(run: Callable[[], None]) -> list[warnings.WarningMessage]:
    """Return the warnings of a piece of a program."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        run()
    return [one for one in caught if one.category is ExperimentWarning]


def test_it_is_warned_once_for_each_experiment(differing: Server) -> None:
    def run() -> None:
        with Client(differing.address) as own:
            ask(own, "x", 3)
            ask(own, "y", 3)

    assert [str(one.message) for one in heard(run)] == [DIFFERS.message] * 2


def test_each_client_warns_for_itself(differing: Server) -> None:
    with Client(differing.address) as one, Client(differing.address) as two:
        with pytest.warns(ExperimentWarning) as caught:
            ask(one)
        with pytest.warns(ExperimentWarning) as again:
            ask(two)

    assert (len(caught), len(again)) == (1, 1)


def test_of_many_threads_one_warns(differing: Server) -> None:
    def run() -> None:
        with Client(differing.address) as own:
            threads = [threading.Thread(target=ask, args=(own, "x", 20)) for _ in range(8)]
            for one in threads:
                one.start()
            for one in threads:
                one.join()

    assert len(heard(run)) == 1


def test_a_stream_warns_with_its_last_piece(differing: Server) -> None:
    with Client(differing.address) as own:
        pieces = own.completion_with_split_tests(SPLIT, HI, use_client=True, id="x", stream=True)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            next(pieces)
        with pytest.warns(ExperimentWarning, match="50 %"):
            next(pieces)


def test_an_event_loop_is_warned_too(differing: Server) -> None:
    async def listen() -> None:
        async with AsyncClient(differing.address) as own:
            for _ in range(2):
                await own.completion_with_split_tests(SPLIT, HI, use_client=True, id="x")
                pieces = own.completion_with_split_tests(
                    SPLIT, HI, use_client=True, id="y", stream=True
                )
                assert len([one async for one in pieces]) == 2

    with pytest.warns(ExperimentWarning) as caught:
        asyncio.run(listen())

    assert len(caught) == 2


def test_the_line_that_is_named_is_the_programs(
    differing: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UNDERSTUDY_TARGET", differing.address)

    def run() -> None:
        client.completion_with_split_tests(SPLIT, HI, use_client=True, id="of-a-function")
        with Client(differing.address) as own:
            ask(own)
            own.completion(None, HI, experiment="y")

    assert [one.filename for one in heard(run)] == [__file__] * 3


@pytest.mark.parametrize("reason", ["NOT_REGISTERED", "EXPERIMENT_NOT_STARTED"])
def test_what_cannot_be_followed_is_warned_of_as_well(differing: Server, reason: str) -> None:
    differing.service.unary = warning(Told(reason=reason, message="why"))

    with Client(differing.address) as own, pytest.warns(ExperimentWarning, match="why") as caught:
        ask(own, times=3)

    assert len(caught) == 1


def test_other_warnings_are_in_the_answer_only(server: Server) -> None:
    server.service.unary = warning(DROPPED)

    with Client(server.address) as own, warnings.catch_warnings():
        warnings.simplefilter("error")
        ask(own)
        own.completion("gpt-4", HI)


def test_a_call_that_names_no_experiment_is_warned_of_nothing() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Notices().heed("", [DIFFERS])
