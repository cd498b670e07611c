"""`completion_with_split_tests` in process: provider names, environment keys, weights per call."""

import asyncio
import gc
import socket
from collections import Counter
from collections.abc import Iterable, Iterator

import pytest

from understudy import client
from understudy.server import acompletion_with_split_tests, completion_with_split_tests
from understudy.server.inprocess.split_tests import MOST_ROUTERS

from ..service.test_splits import p_value
from ..stub.eventually import eventually_sync
from ..stub.faultstub import FaultStub
from .asking import HI
from .test_threads import router_threads


@pytest.fixture(autouse=True)
def environment(stub: FaultStub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", f"{stub.url}/v1")
    monkeypatch.setenv("OPENAI_API_KEY", "openai key")
    monkeypatch.setenv("HUGGINGFACE_API_KEY", "huggingface key")
    monkeypatch.delenv("HF_TOKEN", raising=False)


@pytest.mark.asyncio
async def test_two_thousand_calls_follow_the_weights(stub: FaultStub) -> None:
    llama = f"huggingface/{stub.url}"
    found: Counter[str] = Counter()

    async def work(turns: Iterable[int]) -> None:
        for _ in turns:
            answer = await acompletion_with_split_tests(
                models={"gpt-4": 0.8, llama: 0.2}, messages=HI
            )
            found[answer.routing.variant] += 1

    turns: Iterator[int] = iter(range(2000))
    await asyncio.gather(*(work(turns) for _ in range(32)))

    assert p_value(found, {"gpt-4": 0.8, llama: 0.2}) > 0.001
    keys = Counter(one.headers["authorization"] for one in stub.requests)
    assert keys == {"Bearer openai key": found["gpt-4"], "Bearer huggingface key": found[llama]}


@pytest.mark.parametrize("weight", [0.2, 1, 20])
def test_a_weight_of_zero_gets_nothing(stub: FaultStub, weight: float) -> None:
    for _ in range(20):
        completion_with_split_tests({"gpt-4": weight, f"huggingface/{stub.url}": 0}, HI)

    assert {one.model for one in stub.requests} == {"gpt-4"}


def test_an_answer_can_be_streamed() -> None:
    pieces = completion_with_split_tests({"gpt-4": 1}, HI, stream=True)

    text = "".join(one.delta.content for piece in pieces for one in piece.choices)
    assert text == "Hello from gpt-4."


def test_an_answer_can_be_streamed_to_an_event_loop() -> None:
    async def read() -> str:
        pieces = acompletion_with_split_tests({"gpt-4": 1}, HI, stream=True)
        return "".join([one.delta.content async for piece in pieces for one in piece.choices])

    assert asyncio.run(read()) == "Hello from gpt-4."


def test_a_changed_key_is_used_at_once(stub: FaultStub, monkeypatch: pytest.MonkeyPatch) -> None:
    completion_with_split_tests({"gpt-4": 1}, HI)
    monkeypatch.setenv("OPENAI_API_KEY", "another")
    completion_with_split_tests({"gpt-4": 1}, HI)

    keys = [one.headers["authorization"] for one in stub.requests]
    assert keys == ["Bearer openai key", "Bearer another"]


def test_a_key_that_is_not_set_is_asked_for_and_seen_once_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    monkeypatch.delenv("OPENAI_BASE_URL")

    with pytest.raises(client.FailedPrecondition, match="OPENAI_API_KEY") as failed:
        completion_with_split_tests({"gpt-4": 1}, HI)

    assert failed.value.reason == "DEPLOYMENT_UNUSABLE"


def test_calls_with_other_weights_share_a_connection_and_a_thread(stub: FaultStub) -> None:
    completion_with_split_tests({"gpt-4": 1}, HI)
    before = router_threads()
    for weight in range(1, 20):
        completion_with_split_tests({"gpt-4": weight}, HI)

    assert stub.connection_count == 1
    assert router_threads() <= before


def test_many_different_splits_take_a_bounded_number_of_threads() -> None:
    for number in range(2 * MOST_ROUTERS):
        completion_with_split_tests({f"gpt-{number}": 1}, HI)
    gc.collect()

    eventually_sync(lambda: router_threads() <= MOST_ROUTERS)


@pytest.mark.parametrize("override_client", [False, True])
def test_an_experiment_is_the_services_and_the_error_says_what_to_start(
    stub: FaultStub, monkeypatch: pytest.MonkeyPatch, override_client: bool
) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        monkeypatch.setenv("UNDERSTUDY_TARGET", f"127.0.0.1:{nobody.getsockname()[1]}")

        with pytest.raises(client.Unavailable, match="understudy demo"):
            completion_with_split_tests(
                {"gpt-4": 1},
                HI,
                use_client=True,
                override_client=override_client,
                id="my-unique-id",
                timeout=5,
            )

    assert stub.count == 0


def test_use_client_needs_an_id() -> None:
    with pytest.raises(ValueError, match="id="):
        completion_with_split_tests({"gpt-4": 1}, HI, use_client=True)


def test_override_client_draws_from_what_the_call_says() -> None:
    answer = completion_with_split_tests({"gpt-4": 1}, HI, override_client=True)

    assert answer.routing.variant == "gpt-4"


@pytest.mark.parametrize("models", [None, {}])
def test_a_split_of_nothing_is_refused(models: dict[str, float] | None) -> None:
    with pytest.raises(client.InvalidArgument, match="names the target"):
        completion_with_split_tests(models, HI)


def test_a_bad_weight_is_refused() -> None:
    with pytest.raises(client.InvalidArgument):
        completion_with_split_tests({"gpt-4": -1}, HI)
